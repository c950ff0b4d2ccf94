import Messages
import Signing

/// What a core is told. One at a time, in one order; the time beside each never goes back within one life.
public enum ConsensusEvent: Sendable {
  /// Once, first.
  case start
  /// A message whose signatures hold, and the member of the current era whose connection it came over. From anybody
  /// else (nil) only segments are taken: they prove themselves.
  case received(Verified<ConsensusMessage>, from: MemberIndex?)
  case timer(ConsensusTimer)
  /// Whether a transaction waits that could stand in a block on top of what is certified. Said when it changes, and
  /// again as true when more arrive after ``nothingToBuild(view:)``.
  case transactionsWaiting(Bool)
  /// The answer to ``ConsensusEffect/build(_:)``.
  case built(view: View, body: BlockBody, stateRoot: Digest)
  /// The other answer to ``ConsensusEffect/build(_:)``; only when that allowed it.
  case nothingToBuild(view: View)
  /// The answer to ``ConsensusEffect/validate(_:hash:)``.
  case validated(block: Digest, Validation)
  /// The state after this block was taken over as a snapshot: the chain goes on from here. The certificate makes the
  /// block or a descendant of it, in its era, final; the era is that of the block after it.
  case adopted(BlockHeader, Certificate, EraRecord)
}

/// What re-executing a block gave.
public enum Validation: Hashable, Sendable {
  case valid
  /// Never valid for anyone.
  case invalid(String)
  /// This member cannot tell yet. It is asked again on the next retry.
  case notYet
}

public enum ConsensusTimer: UInt8, Hashable, Sendable, CaseIterable {
  /// Time for this leader to look whether it should build.
  case build = 1
  /// The leader of the current view was waited for long enough.
  case leader = 2
  /// What is not settled is said, asked or checked again.
  case retry = 3
}

/// What to build a block on.
public struct BuildRequest: Hashable, Sendable {
  public let view: View
  /// Executed before: either final or answered as valid.
  public let parent: BlockReference
  public var height: Height { parent.height + 1 }
  /// The new block's time.
  public let time: Instant
  /// Whether the answer may be ``ConsensusEvent/nothingToBuild(view:)`` when no transaction can be included. False when
  /// an empty block is wanted too: for the heartbeat, or to make the parent final.
  public let mayDecline: Bool
  /// Too much is certified and not final yet: the block carries no transactions.
  public let onlyEmpty: Bool
}

/// A block by its hash, with what the rules ask of a parent.
public struct BlockReference: Hashable, Sendable {
  public let hash: Digest
  public let view: View
  public let height: Height
  public let time: Instant

  public init(hash: Digest, view: View, height: Height, time: Instant) {
    self.hash = hash
    self.view = view
    self.height = height
    self.time = time
  }

  public init(_ header: BlockHeader, hash: Digest) {
    self.init(hash: hash, view: header.view, height: header.height, time: header.time)
  }
}

/// What a core wants done, in this order. The order is the promise of ``ConsensusCore``: a record or a finalized
/// segment that stands before a message in the list is durable before that message leaves, and before any message of a
/// later list. A persist that fails stops the node.
public enum ConsensusEffect: Sendable {
  case persist(ConsensusRecord)
  /// Every record of an earlier era, or of this era and a view below this one, is no longer needed.
  case prune(belowEra: Era, view: View)
  /// To every other member.
  case broadcast(ConsensusMessage)
  case send(ConsensusMessage, to: MemberIndex)
  /// Answer with ``ConsensusMessage/segments(_:)`` from the block log: from the segment that holds this height on,
  /// within ``ConsensusMessage/maximumSegments`` and ``ConsensusMessage/maximumSegmentBytes``; empty if there is none.
  case sendSegments(from: Height, to: MemberIndex)
  case build(BuildRequest)
  /// What was built last is the block of this hash: it need not be executed again.
  case assembled(view: View, hash: Digest)
  /// Execute on top of its parent, which was executed before, and compare the roots.
  case validate(Block, hash: Digest)
  /// A quorum notarized the block: its transactions need not be passed on any more. Once per block.
  case notarized(Block, hash: Digest)
  /// Consecutive with what was finalized before. Blocks not answered as valid before are executed now, and a root that
  /// differs stops the node. To be stored in the same commit as the records around it. When its last block ends the
  /// era (``LedgerSegment/nextEra``), every member number after it in the list is one of the next era.
  case finalized(LedgerSegment)
  case setTimer(ConsensusTimer, at: Instant)
  case cancelTimer(ConsensusTimer)
  /// To be made durable before anything else in the list is acted on.
  case evidence(ConsensusEvidence)
  /// A leader's signed block is invalid for ever. The block is what an auditor executes again; this member states it.
  case refuted(Proposal, reason: String)
  /// What a restored member found out about itself: durable before anything is signed.
  case recollected(Recollection)
  /// Stop: the text says what was found.
  case halt(String)
  case observe(ConsensusObservation)
}

/// Something a person or a metric wants to know. Never needed for correctness.
public enum ConsensusObservation: Hashable, Sendable {
  case entered(view: View, leader: MemberIndex)
  case eraBegan(era: Era, view: View)
  case timedOut(view: View, leader: MemberIndex, after: Span, reason: TimeoutReason)
  /// Nullified without waiting: the leader has not been heard of for long.
  case skipped(view: View, leader: MemberIndex)
  case joinedNullify(view: View, leader: MemberIndex)
  /// The proposal stands, but cannot be voted on now.
  case waiting(view: View, WaitingReason)
  case refused(view: View, leader: MemberIndex, reason: String)
  case catchingUp(from: Height, asking: MemberIndex)
  /// A message dropped for a bound: flood, too far ahead, not from its signer.
  case dropped(from: MemberIndex, reason: DropReason)

  /// Why a view passed without a quorum for its block, as far as this member can tell.
  public enum TimeoutReason: String, Hashable, Sendable, CaseIterable {
    /// Nothing came from the leader.
    case silentLeader
    /// A block came and this member voted for it; too few others did in time.
    case late
    case missingBlock
    case missingNullifications
    /// The block's time lies ahead of this member's clock, or too far behind it.
    case clock
    /// The block was not executed in time.
    case execution
  }

  public enum WaitingReason: Hashable, Sendable {
    case parentMissing
    case nullificationsMissing
    case timeAhead
    case timeBehind
    case notExecutable
  }

  public enum DropReason: Hashable, Sendable {
    case otherEra
    case notFromSigner
    case tooFarAhead
    case tooManyRequests
    case unwanted
  }
}
