import Effects
import Messages
import Roles

/// A2: when one honest member, within one life, was told both halves of a contradiction, it holds the proof for ever.
/// Only the votes of members that may contradict themselves are followed; whether the honest do, S7 tells.
struct EquivocationCheck {
  private struct Key: Hashable {
    let witness: MemberIndex
    let life: UInt64
    let voter: MemberIndex
    let view: View
  }

  private struct Heard {
    var notarized: Proposition?
    var finalized: Proposition?
    var isNullified = false
    var isReported = false
  }

  private struct Pending {
    let witness: MemberIndex
    let voter: MemberIndex
    let view: View
    let kind: UInt8
    let at: Instant
  }

  /// Views around the current one in which nothing a member is told may be lost (less than
  /// `ConsensusConfiguration.viewsAhead` and `viewsRetained`).
  static let viewsFollowed: UInt64 = 16

  private let members: [ActorAddress: MemberIndex]
  private var heard: [Key: Heard] = [:]
  private var pending: [Pending] = []

  init(genesis: Genesis) {
    members = Dictionary(
      uniqueKeysWithValues: genesis.members.enumerated().map { index, member in
        (ActorAddress(.validator, member.name), MemberIndex(index))
      })
  }

  /// A member is told something.
  mutating func told(_ event: Event, to actor: ActorAddress, life: UInt64, _ monitor: SafetyMonitor, at now: Instant) {
    guard let witness = members[actor], monitor.consortium.isHonest(witness) else { return }
    let content: ConsensusMessage
    let sender: MemberIndex?
    switch event {
    case .published(let subscription, _, let message):
      guard case .consensus(let told) = message.value else { return }
      (content, sender) = (told, members[subscription.publisher])
    case .request(_, let from, let message):
      guard case .consensus(let told) = message.value else { return }
      (content, sender) = (told, members[from])
    default: return
    }
    switch content {
    case .vote(let vote):
      if monitor.consortium.voter(of: vote) == sender { hear(vote, witness, life, monitor, at: now) }
    case .proposal(let proposal):
      if monitor.consortium.voter(of: proposal.vote) == sender { hear(proposal.vote, witness, life, monitor, at: now) }
    case .certificate(let certificate):
      for vote in certificate.votes { hear(vote, witness, life, monitor, at: now) }
    default: break
    }
  }

  private mutating func hear(
    _ vote: Vote, _ witness: MemberIndex, _ life: UInt64, _ monitor: SafetyMonitor, at now: Instant
  ) {
    guard let voter = monitor.consortium.voter(of: vote), !monitor.consortium.isHonest(voter), voter != witness
    else { return }
    let view = vote.ballot.view
    let final = monitor.chain.finalPlace(of: witness)
    guard vote.ballot.era == final.era, view > final.view, view <= final.view + Self.viewsFollowed else { return }
    let key = Key(witness: witness, life: life, voter: voter, view: view)
    var book = heard[key] ?? Heard()
    var kind: UInt8?
    switch vote.ballot {
    case .notarize(let proposition):
      if let first = book.notarized, first != proposition { kind = 1 }
      if let finalized = book.finalized, finalized.blockHash != proposition.blockHash { kind = kind ?? 4 }
      book.notarized = book.notarized ?? proposition
    case .finalize(let proposition):
      if let first = book.finalized, first != proposition { kind = 2 }
      if book.isNullified { kind = kind ?? 3 }
      if let notarized = book.notarized, notarized.blockHash != proposition.blockHash { kind = kind ?? 4 }
      book.finalized = book.finalized ?? proposition
    case .nullify:
      if book.finalized != nil { kind = 3 }
      book.isNullified = true
    }
    if let kind, !book.isReported {
      book.isReported = true
      pending.append(Pending(witness: witness, voter: voter, view: view, kind: kind, at: now))
    }
    heard[key] = book
  }

  /// What somebody saw and cannot prove at the end of a run.
  /// - Parameter isStopped: whether a member stopped for good: it may have done so over this.
  func verdict(_ monitor: SafetyMonitor, isStopped: (MemberIndex) -> Bool, at now: Instant) -> [Violation] {
    pending.compactMap { item in
      guard !isStopped(item.witness), monitor.consortium.isHonest(item.witness),
        !monitor.evidence.isProven(item.kind, of: item.voter, in: item.view, by: item.witness)
      else { return nil }
      let consortium = monitor.consortium
      return Violation(
        .equivocationKept,
        "\(consortium.name(item.witness)) saw \(consortium.name(item.voter)) contradict itself in view \(item.view)"
          + " and has no proof of it", at: item.at)
    }
  }
}
