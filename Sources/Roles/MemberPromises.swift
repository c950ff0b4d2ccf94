import Effects
import Messages
import Signing

/// What members promised a party that submits transactions to them (``SubmissionAcknowledgement``). A promise is
/// checked before it counts for anything; and when its transaction has to be sent again, because no block carried it,
/// every other member is made a witness: they can prove what this party, which does not execute, cannot.
struct MemberPromises: Sendable {
  /// Transactions of which promises are kept; the oldest are forgotten.
  static let capacity = 256
  /// How long a member may take to note that it is a witness.
  static let witnessDeadline = Span.seconds(2)

  private struct Kept: Sendable {
    let transaction: SignedTransaction
    var promises: [SignedMessage<SubmissionAcknowledgement>] = []
    /// How many of them the others know of.
    var witnessed = 0
    var submissions = 0
  }

  /// Submissions on their way.
  private var asked: [RequestID: (transaction: Digest, to: ActorAddress)] = [:]
  private var kept: [Digest: Kept] = [:]
  /// Oldest first.
  private var order: [Digest] = []
  private let validators: [ActorAddress]
  /// Whose promises count, and when: those of an era that ended may still be held against its members.
  private var keys: [ActorAddress: [PublicKey]]

  init(genesis: Genesis, validators: [ActorAddress]) {
    self.validators = validators
    keys = [:]
    learn(genesis.firstEra)
  }

  /// Members of an era that begins.
  mutating func learn(_ era: EraRecord) {
    for member in era.members {
      let address = ActorAddress(.validator, member.name)
      if keys[address]?.contains(member.key) != true { keys[address, default: []].append(member.key) }
    }
  }

  /// What follows from what the party is about to say: to be sent after it.
  mutating func sending(_ effects: [Effect], _ numbers: inout RequestNumbers) -> [Effect] {
    var witnesses: [Effect] = []
    for effect in effects {
      guard case .request(let id, let receiver, let message, _) = effect else { continue }
      switch message {
      case .submit(let transaction), .activate(let transaction):
        asked[id] = (transaction.id, receiver)
        witnesses += submitted(transaction, &numbers)
      default: break
      }
    }
    return witnesses
  }

  private mutating func submitted(_ transaction: SignedTransaction, _ numbers: inout RequestNumbers) -> [Effect] {
    let id = transaction.id
    if kept[id] == nil {
      kept[id] = Kept(transaction: transaction)
      order.append(id)
      if order.count > Self.capacity { kept[order.removeFirst()] = nil }
    }
    kept[id]?.submissions += 1
    guard let entry = kept[id], entry.submissions > 1 else { return [] }
    // Sent again: whoever promised it had its chance, and is watched from now on.
    kept[id]?.witnessed = entry.promises.count
    var effects: [Effect] = []
    for promise in entry.promises.dropFirst(entry.witnessed) {
      let message = Message.witness(WitnessedAcknowledgement(acknowledgement: promise, transaction: transaction))
      for member in validators where !isGiver(member, of: promise) {
        effects.append(.request(numbers.next(), to: member, message, deadline: Self.witnessDeadline))
      }
    }
    return effects
  }

  private func isGiver(_ member: ActorAddress, of promise: SignedMessage<SubmissionAcknowledgement>) -> Bool {
    promise.envelope.signer.map { keys[member]?.contains($0) ?? false } ?? false
  }

  /// What the answer to a submission is worth.
  enum Answer: Sendable, Hashable {
    /// Not one of a submission, or an error.
    case other
    case promised
    /// A member that says, and signs, something else than that it has the transaction. Ask another.
    case worthless(ActorAddress)
  }

  mutating func answered(_ id: RequestID, _ result: Result<Verified<Message>, RemoteError>) -> Answer {
    guard let (transaction, receiver) = asked.removeValue(forKey: id) else { return .other }
    guard case .success(let message) = result else { return .other }
    guard case .submitted(let acknowledgement) = message.value, let signer = acknowledgement.envelope.signer,
      let promise = try? acknowledgement.payload(), promise.transaction == transaction, isMember(signer, receiver)
    else { return .worthless(receiver) }
    if kept[transaction]?.promises.contains(acknowledgement) == false {
      kept[transaction]?.promises.append(acknowledgement)
    }
    return .promised
  }

  /// A contract's actor passes on the promise of whichever member it asked.
  private func isMember(_ signer: PublicKey, _ receiver: ActorAddress) -> Bool {
    receiver.role == .validator
      ? keys[receiver]?.contains(signer) ?? false : validators.contains { keys[$0]?.contains(signer) ?? false }
  }

  /// It stands in a block.
  mutating func settled(_ transaction: Digest) {
    guard kept.removeValue(forKey: transaction) != nil else { return }
    order.removeAll { $0 == transaction }
  }
}
