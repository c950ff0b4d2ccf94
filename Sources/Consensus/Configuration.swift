import Messages
import Signing

/// What one member's core needs to know, fixed for its life. All members of a network agree on everything but
/// ``keys``.
public struct ConsensusConfiguration: Sendable {
  /// SHA-256 of the genesis: the hash of the block at height 0.
  public var network: Digest
  /// The genesis' time: every block is later.
  public var genesisTime: Instant
  /// The era of the block after the last final one, where this life begins.
  public var era: EraRecord
  /// What this member signs with: the key that is a member's in an era counts there. None: an observer.
  public var keys: [SigningKey]

  /// A leader with nothing to say makes an empty block this long after its view began.
  public var heartbeat: Span
  /// The least a leader is waited for.
  public var timeoutFloor: Span
  /// What every view without finality adds.
  public var timeoutStep: Span
  /// The most a leader is waited for.
  public var timeoutCap: Span
  /// How far a block's time may lie behind a member's clock (or the current timeout, if that is more).
  public var maximumBehind: Span
  public var maximumAhead: Span
  /// A leader gives a certified block this long to become final by itself before it builds another on top only to
  /// finalize it. Without the pause every block would call for one more, for ever.
  public var finalityGrace: Span
  /// While blocks follow one another closely, ``blockBurst`` of them take that many times this span: what comes
  /// meanwhile shares a block, whose votes, certificates and syncs cost the same for one transaction as for hundreds.
  /// An idle ledger is not slowed down: a leader waits only after a burst. As a side effect heights take time, however
  /// great the load: ``Transaction/orderLifetime`` is 25 s at the least.
  public var blockInterval: Span
  /// What is not settled is said again this often at first; then at half the current timeout, at most ``retryCap``.
  public var retryFloor: Span
  public var retryCap: Span
  /// How the records that this life begins with stand to what was said before.
  public var recollection = Recollection.complete
  /// Nil but in tests of the checkers.
  var planted: PlantedDefect?

  /// Votes for views further ahead than this of the current one are dropped (certificates never are: they move the
  /// current view).
  public static let viewsAhead: UInt64 = 32
  /// Finalized views whose votes are remembered, so that an equivocation that shows late is still seen.
  public static let viewsRetained: UInt64 = 32
  /// Open views below the current one of which everything is kept; of older ones that were nullified, the certificate.
  /// One certificate per view passed without finality is the only thing that grows, at the pace of timeouts.
  public static let viewsFull: UInt64 = 256
  /// Certified blocks with transactions that may wait for finality one on the other; further ones are empty, so that a
  /// segment always fits into a message.
  public static let fullBlocksNotFinal: UInt64 = 8
  /// Without a block for so many heartbeats a member asks whether others have more: whatever it lacks may be something
  /// that it cannot even verify, like the votes of an era that it does not know.
  public static let heartbeatsOfPatience: Int64 = 3
  /// A finalization this many views above the last final one shows that a member is far behind.
  public static let viewsFarBehind: UInt64 = 4
  /// Blocks that may become final at once before the next is paced: more than one activation needs to be RESERVED.
  public static let blockBurst = 4
  /// Own finalize votes repeated in one retry.
  public static let finalizesRepeated: UInt64 = 8
  /// Answers to one member in one ``retryFloor``.
  public static let answersPerInterval = 16

  public init(
    network: Digest, genesisTime: Instant, era: EraRecord, keys: [SigningKey],
    parameters: NetworkParameters = .standard
  ) {
    self.network = network
    self.genesisTime = genesisTime
    self.era = era
    self.keys = keys
    heartbeat = parameters.heartbeat
    timeoutFloor = parameters.timeoutFloor
    timeoutStep = parameters.timeoutFloor
    timeoutCap = parameters.timeoutCap
    maximumBehind = parameters.maximumBehind
    maximumAhead = parameters.maximumAhead
    finalityGrace = parameters.timeoutFloor / 4
    blockInterval = parameters.timeoutFloor / 10
    retryFloor = parameters.timeoutFloor / 2
    retryCap = .seconds(2)
  }

  /// The configuration a genesis asks for.
  /// - Parameter era: of the block after the last final one.
  public init(genesis: Genesis, era: EraRecord, keys: [SigningKey]) {
    self.init(
      network: genesis.networkID, genesisTime: genesis.time, era: era, keys: keys, parameters: genesis.parameters)
  }
}
