import Consensus
import Effects
import Messages
import Roles
import Signing

/// A promise of the protocol that did not hold: a defect of this program, never of the simulated network.
public struct Violation: Hashable, Sendable, CustomStringConvertible {
  /// The check that found it (consensus.md, "What the simulator checks").
  public let check: String
  public let at: Instant
  public let text: String

  public var description: String { "\(check) \(text)" }
}

/// Watches everything honest members say, at the moment they say it and across their lives:
///
/// - S1: no two different final blocks at one height or view.
/// - S7: per key at most one notarize and one finalize per view, never nullify and finalize, never a notarize and a
///   finalize of different blocks.
/// - S8: no own vote leaves before its record is durable.
/// - S9: final blocks leave in order of height within one life.
/// - S10: one height, one state root.
struct SafetyMonitor {
  /// What one member has said in one view.
  private struct Said {
    var notarized: Digest?
    var finalized: Digest?
    var nullified = false
  }

  private struct Key: Hashable {
    let member: MemberIndex
    let view: View
  }

  /// More are not kept: the first ones tell.
  static let maximumViolations = 64

  private let members: [ActorAddress: MemberIndex]
  private var said: [Key: Said] = [:]
  private var finalBlocks: [Height: (hash: Digest, root: Digest)] = [:]
  private var finalViews: [View: Digest] = [:]
  private var lastHeights: [ActorAddress: (life: UInt64, height: Height)] = [:]
  private(set) var violations: [Violation] = []

  init(genesis: Genesis) {
    var members: [ActorAddress: MemberIndex] = [:]
    for (index, member) in genesis.members.enumerated() {
      members[ActorAddress(.validator, member.name)] = MemberIndex(index)
    }
    self.members = members
  }

  /// - Parameters:
  ///   - life: of the actor, from 1.
  ///   - disk: as it is before the effect is carried out.
  mutating func inspect(_ effect: Effect, by actor: ActorAddress, life: UInt64, disk: VirtualDisk, at now: Instant) {
    guard let member = members[actor] else { return }
    switch effect {
    case .publish(_, .consensus(let message)), .request(_, _, .consensus(let message), _),
      .reply(_, .consensus(let message)):
      if let vote = message.vote, vote.member == member { inspect(vote, by: actor, disk: disk, at: now) }
    case .publish(_, .ledger(let segment)): inspect(segment, by: actor, life: life, at: now)
    default: break
    }
  }

  private mutating func inspect(_ vote: Vote, by actor: ActorAddress, disk: VirtualDisk, at now: Instant) {
    if !isDurable(vote, disk) {
      report("S8", "\(actor) sends a \(vote.ballot.name) of view \(vote.ballot.view) that is not durable", at: now)
    }
    let key = Key(member: vote.member, view: vote.ballot.view)
    var said = said[key] ?? Said()
    switch vote.ballot {
    case .notarize(let proposition):
      if let earlier = said.notarized, earlier != proposition.blockHash {
        report("S7", "\(actor) notarizes two blocks in view \(proposition.view)", at: now)
      }
      said.notarized = proposition.blockHash
    case .finalize(let proposition):
      if let earlier = said.finalized, earlier != proposition.blockHash {
        report("S7", "\(actor) finalizes two blocks in view \(proposition.view)", at: now)
      }
      said.finalized = proposition.blockHash
    case .nullify: said.nullified = true
    }
    if said.nullified, said.finalized != nil {
      report("S7", "\(actor) nullifies and finalizes view \(vote.ballot.view)", at: now)
    }
    if let notarized = said.notarized, let finalized = said.finalized, notarized != finalized {
      report("S7", "\(actor) notarizes one block and finalizes another in view \(vote.ballot.view)", at: now)
    }
    self.said[key] = said
  }

  /// As a record of its own, or inside the leader's own durable proposal: replay restores it from either.
  private func isDurable(_ vote: Vote, _ disk: VirtualDisk) -> Bool {
    let record = ConsensusRecord.vote(vote)
    if disk.record(of: ValidatorCore.Stream.journal, key: record.key) == record.encoded { return true }
    // The first record of a view is its proposal.
    let key = ConsensusRecord.firstKey(of: vote.ballot.view)
    guard let bytes = disk.record(of: ValidatorCore.Stream.journal, key: key),
      case .proposal(let proposal)? = try? ConsensusRecord(decoding: bytes)
    else { return false }
    return proposal.vote == vote
  }

  private mutating func inspect(_ segment: LedgerSegment, by actor: ActorAddress, life: UInt64, at now: Instant) {
    for block in segment.blocks {
      let (header, hash) = (block.header, block.hash)
      if let (otherHash, otherRoot) = finalBlocks[header.height] {
        if otherHash != hash { report("S1", "two final blocks at height \(header.height), one at \(actor)", at: now) }
        if otherRoot != header.stateRoot {
          report("S10", "two state roots at height \(header.height), one at \(actor)", at: now)
        }
      } else {
        finalBlocks[header.height] = (hash, header.stateRoot)
      }
      if let other = finalViews[header.view], other != hash {
        report("S1", "two final blocks in view \(header.view), one at \(actor)", at: now)
      }
      finalViews[header.view] = hash
      if let last = lastHeights[actor], last.life == life, header.height != last.height + 1 {
        report("S9", "\(actor) finalizes height \(header.height) after \(last.height)", at: now)
      }
      lastHeights[actor] = (life, header.height)
    }
  }

  private mutating func report(_ check: String, _ text: String, at now: Instant) {
    guard violations.count < Self.maximumViolations else { return }
    violations.append(Violation(check: check, at: now, text: text))
  }
}

extension ConsensusMessage {
  /// The sender's own vote, if it carries one.
  fileprivate var vote: Vote? {
    switch self {
    case .vote(let vote): vote
    case .proposal(let proposal): proposal.vote
    default: nil
    }
  }
}

extension Ballot {
  fileprivate var name: String {
    switch self {
    case .notarize: "notarize"
    case .nullify: "nullify"
    case .finalize: "finalize"
    }
  }
}
