import Consensus
import Messages
import Roles
import Signing

/// S7, S8 and S9 over the votes of honest members, at the moment they leave and across lives.
struct VoteCheck {
  /// What one member has said in one view.
  private struct Said {
    var notarized: Digest?
    var finalized: Digest?
    var nullified = false
  }

  private struct Key: Hashable {
    let member: MemberIndex
    let place: Place
  }

  private var said: [Key: Said] = [:]
  /// The highest view in which each member voted notarize or nullify: both are cast in the current view only.
  private var highest: [MemberIndex: Place] = [:]
  /// The highest view in which anybody voted so.
  private(set) var highestView: View = 0

  /// - Parameters:
  ///   - member: who it is, by the checkers' numbers.
  ///   - disk: of the member, as a crash now would leave it.
  ///   - final: where its last final block stands.
  mutating func left(
    _ vote: Vote, by member: MemberIndex, disk: VirtualDisk, final: Place, _ consortium: Consortium, at now: Instant,
    _ violations: inout Violations
  ) {
    let name = consortium.name(member)
    let view = vote.ballot.place
    if !Self.isDurable(vote, disk) {
      violations.add(.durableFirst, "\(name) sends a \(vote.ballot.name) of view \(view) that is not durable", at: now)
    }
    let key = Key(member: member, place: view)
    var said = said[key] ?? Said()
    let isNew: Bool
    switch vote.ballot {
    case .notarize(let proposition):
      isNew = said.notarized == nil
      if let earlier = said.notarized, earlier != proposition.blockHash {
        violations.add(.votesAgree, "\(name) notarizes two blocks in view \(view)", at: now)
      }
      said.notarized = proposition.blockHash
    case .finalize(let proposition):
      isNew = said.finalized == nil
      if let earlier = said.finalized, earlier != proposition.blockHash {
        violations.add(.votesAgree, "\(name) finalizes two blocks in view \(view)", at: now)
      }
      said.finalized = proposition.blockHash
    case .nullify:
      isNew = !said.nullified
      said.nullified = true
    }
    guard isNew else { return }
    if said.nullified, said.finalized != nil {
      violations.add(.votesAgree, "\(name) nullifies and finalizes view \(view)", at: now)
    }
    if let notarized = said.notarized, let finalized = said.finalized, notarized != finalized {
      violations.add(.votesAgree, "\(name) notarizes one block and finalizes another in view \(view)", at: now)
    }
    self.said[key] = said
    checkMarks(vote, by: member, final: final, name, at: now, &violations)
  }

  private mutating func checkMarks(
    _ vote: Vote, by member: MemberIndex, final: Place, _ name: String, at now: Instant, _ violations: inout Violations
  ) {
    let view = vote.ballot.place
    if view <= final {
      violations.add(.neverBack, "\(name) signs in view \(view), and view \(final) is final there", at: now)
    }
    if case .finalize = vote.ballot { return }
    if let highest = highest[member], view < highest {
      violations.add(.neverBack, "\(name) votes in view \(view) after view \(highest)", at: now)
    }
    highest[member] = max(highest[member] ?? view, view)
    highestView = max(highestView, view.view)
  }

  /// As a record of its own, or inside the leader's own durable proposal: replay restores it from either.
  private static func isDurable(_ vote: Vote, _ disk: VirtualDisk) -> Bool {
    let record = ConsensusRecord.vote(vote)
    if disk.record(of: ValidatorCore.Stream.journal, key: record.key) == record.encoded { return true }
    // The first record of a view is its proposal, the last what was offered again.
    let first = ConsensusRecord.firstKey(of: vote.ballot.view, era: vote.ballot.era)
    return [first, first + 7].contains { key in
      guard let bytes = disk.record(of: ValidatorCore.Stream.journal, key: key) else { return false }
      switch try? ConsensusRecord(decoding: bytes) {
      case .proposal(let proposal): return proposal.vote == vote
      case .reproposal(let reproposal): return reproposal.vote == vote
      default: return false
      }
    }
  }
}
