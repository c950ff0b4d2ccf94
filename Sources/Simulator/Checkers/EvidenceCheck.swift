import Consensus
import Messages
import Signing

/// A1 over every piece of evidence that an honest member stores: it is true, and names nobody honest. The proofs are
/// judged by what consensus.md says a member never does, not by the code that finds them.
struct EvidenceCheck {
  private struct Key: Hashable {
    let view: View
    let member: MemberIndex
    let kind: UInt8
  }

  /// Who was proven guilty of what, by whom.
  private var proven: [Key: Set<MemberIndex>] = [:]
  /// Everybody named so far.
  private(set) var named: Set<MemberIndex> = []

  mutating func kept(
    _ evidence: ConsensusEvidence, by member: MemberIndex, _ consortium: Consortium, at now: Instant,
    _ violations: inout Violations
  ) {
    let accuser = consortium.name(member)
    guard let accused = consortium.voter(evidence.member, in: evidence.era) else {
      return violations.add(.honestNeverNamed, "\(accuser) accuses nobody", at: now)
    }
    let name = consortium.name(accused)
    if consortium.isHonest(accused) {
      violations.add(
        .honestNeverNamed,
        "\(accuser) accuses \(name), who is honest, of view \(evidence.view): \(evidence.kind.name)", at: now)
    }
    if !Self.isTrue(evidence, consortium) {
      violations.add(
        .honestNeverNamed, "\(accuser) accuses \(name) with what proves nothing: \(evidence.kind.name)", at: now)
    }
    named.insert(accused)
    proven[Key(view: evidence.view, member: accused, kind: evidence.kind.rawValue), default: []].insert(member)
  }

  func isProven(_ kind: UInt8, of member: MemberIndex, in view: View, by witness: MemberIndex) -> Bool {
    proven[Key(view: view, member: member, kind: kind)]?.contains(witness) ?? false
  }

  private static func isTrue(_ evidence: ConsensusEvidence, _ consortium: Consortium) -> Bool {
    switch evidence {
    case .conflictingNotarize(let first, let second):
      guard case .notarize(let one) = first.ballot, case .notarize(let other) = second.ballot else { return false }
      return one != other && agree(first, second, consortium)
    case .conflictingFinalize(let first, let second):
      guard case .finalize(let one) = first.ballot, case .finalize(let other) = second.ballot else { return false }
      return one != other && agree(first, second, consortium)
    case .nullifyFinalize(let first, let second):
      guard case .nullify = first.ballot, case .finalize = second.ballot else { return false }
      return agree(first, second, consortium)
    case .notarizeFinalize(let first, let second):
      guard case .notarize(let one) = first.ballot, case .finalize(let other) = second.ballot else { return false }
      return one.blockHash != other.blockHash && agree(first, second, consortium)
    case .invalidProposal(let invalid):
      // That the block is invalid takes execution: whoever is honest never proposes one, which is checked by name.
      return consortium.isSigned(invalid.vote)
    case .brokenAcknowledgement:
      // A promise and a block without what it promised: whoever is honest is never named in one.
      return true
    }
  }

  /// Two votes of one member in one view, both signed.
  private static func agree(_ first: Vote, _ second: Vote, _ consortium: Consortium) -> Bool {
    first.member == second.member && first.ballot.view == second.ballot.view
      && first.ballot.era == second.ballot.era && consortium.isSigned(first) && consortium.isSigned(second)
  }
}
