import Effects
import Messages

/// V8, V3: acknowledges what is submitted to it and drops it. It goes on leading honest blocks of what the others pass
/// on, without what it promised.
struct Forgetter: Adversary {
  /// What it has seen and never lets into a block, at most.
  static let capacity = 4_096
  private var dropped: Set<SignedTransaction> = []
  private var answers: [(token: ReplyToken, transaction: SignedTransaction)] = []

  mutating func admits(_ event: Event) -> Bool {
    switch event {
    case .request(let token, _, let message):
      guard case .submit(let transaction) = message.value, dropped.count < Self.capacity else { return true }
      dropped.insert(transaction)
      answers.append((token, transaction))
      return false
    case .published(_, _, let message):
      guard case .transaction(let transaction) = message.value else { return true }
      return !dropped.contains(transaction)
    default: return true
    }
  }

  mutating func after(_ event: Event, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    defer { answers = [] }
    return answers.map { token, transaction in
      .reply(
        token,
        .submitted(
          voice.signed(
            SubmissionAcknowledgement(
              transaction: transaction.id, era: host.consensus.membership.era, view: host.consensus.view + 1))))
    }
  }
}
