import Consensus
import Effects
import Ledger
import Messages
import Signing

/// One voting member (§3.1.2), or one that may become a member and observes until then: consensus decides which block,
/// the ledger decides what it does, and this connects the two: it executes what consensus wants built or checked, keeps
/// the transactions that wait, stores final blocks and publishes them to whoever follows.
public struct ValidatorCore: RoleCore {
  public struct Configuration: Sendable {
    public var genesis: Genesis
    public var name: String
    /// What it signs with: during a rotation the old key and the new one. The era says which counts, if any does.
    public var keys: [SigningKey]
    /// Every validator there is or may be, members or not: whose publications it takes.
    public var peers: [String]
    public var history = HistoryPolicy()

    public init(genesis: Genesis, name: String, keys: [SigningKey], peers: [String]) {
      self.genesis = genesis
      self.name = name
      self.keys = keys
      self.peers = peers
    }

    /// A member from the genesis on.
    public init(genesis: Genesis, member: MemberIndex, key: SigningKey) {
      self.init(
        genesis: genesis, name: genesis.members[Int(member)].name, keys: [key], peers: genesis.members.map(\.name))
    }
  }

  /// Durable: consensus records by ``ConsensusRecord/key``, final segments by the height of their last block, the
  /// others by running numbers: evidence, refuted proposals, own acknowledgements with what they are of, and others'.
  public enum Stream {
    public static let journal: UInt16 = 1
    public static let segments: UInt16 = 2
    public static let evidence: UInt16 = 3
    public static let refuted: UInt16 = 4
    public static let acknowledged: UInt16 = 5
    public static let witnessed: UInt16 = 6
    /// The latest snapshot's manifest, by height; its pieces, by ``ValidatorCore/pieceKey(_:_:)``; the manifest of one
    /// that is being downloaded, under 0.
    public static let snapshots: UInt16 = 7
    public static let pieces: UInt16 = 8
    public static let download: UInt16 = 9
    /// Activations that ended, by their place in the ledger's archive: its leaves.
    public static let archive: UInt16 = 10
    /// The last blocks of eras, by the era after.
    public static let boundaries: UInt16 = 11
    /// ``Recollection``, under 0.
    public static let recollection: UInt16 = 12
  }

  enum Purpose {
    /// Consensus timers are numbered from here on.
    static let consensus: UInt16 = 16
    static let passOn: UInt16 = 2
    static let snapshot: UInt16 = 3
    static let download: UInt16 = 4
  }

  /// How long a message to one member may take.
  static let sendDeadline = Span.seconds(2)
  /// Waiting transactions are passed on again this often, at most so many at a time.
  static let passOnInterval = Span.seconds(1)
  static let passOnBatch = 256
  /// Followers' questions for old blocks at once; more are refused, and ask another member.
  static let maximumRecalls = 64
  /// Pieces of evidence kept. One convicts; a liar that goes on lying must not fill the disk.
  static let maximumEvidence: UInt64 = 4096

  let configuration: Configuration
  public let address: ActorAddress
  /// Of the era of the next block, in member order.
  var members: [ActorAddress] = []
  var consensus: ConsensusCore
  var executions: Executions
  var mempool = Mempool()
  var numbers = RequestNumbers()
  /// Own questions for final blocks, and whom they were put to.
  var readings: [RequestID: ActorAddress] = [:]
  /// When this joiner said last that it has caught up.
  var readyAt: Height?
  var viewWatch = ViewWatch()
  /// When this life began.
  var startedAt = Instant.zero
  var recalls: [RequestID: (member: ActorAddress, asker: ReplyToken?)] = [:]
  var toldWaiting = false
  var declined = false
  var evidenceCount: UInt64 = 0
  var refutedCount: UInt64 = 0
  var archivedBytes = 0
  var held: [HeldEvidence] = []
  var acknowledged = AcknowledgedTransactions(stream: Stream.acknowledged)
  /// Promises of others that are watched.
  var witnessed: [WitnessedAcknowledgement] = []
  var witnessedCount: UInt64 = 0
  /// Member changes that convictions call for, by what is signed.
  var suspensions: [Digest: Suspension] = [:]
  var finalView: View = 0
  var reading = StateReading()

  // Snapshots: see ValidatorSnapshots.swift, ValidatorJoining.swift.
  var served: [Snapshot] = []
  var writing: SnapshotWriting?
  var piecesServed = 0
  var piecesSince = Instant.zero
  var download: SnapshotDownload?
  /// A question for a snapshot under way, and when the last one was put.
  var inquiry: (id: RequestID, member: ActorAddress)?
  var inquiredAt = Instant.zero
  /// The last block of each era that is over, with its finalization, in order.
  var boundaries: [LedgerSegment]

  public var subscriptions: [Subscription] {
    configuration.peers.map { ActorAddress(.validator, $0) }.filter { $0 != address }
      .flatMap { [Subscription($0, .consensus), Subscription($0, .transactions)] }
  }

  /// - Throws: when the genesis is not one, a record is damaged, or the stored blocks do not re-execute: the directory
  ///   is not this network's or was altered. Restore it, or start fresh and catch up from the others.
  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws {
    self.configuration = configuration
    address = ActorAddress(.validator, configuration.name)
    let recovery = try ValidatorRecovery(records, genesis: configuration.genesis)
    executions = try recovery.executions(configuration.genesis)
    boundaries = recovery.boundaries
    served = recovery.snapshot.map { [$0] } ?? []
    download = recovery.download
    if let manifest = recovery.snapshot?.manifest { reading.joined(manifest) }
    if let last = recovery.segments.last { reading.finalized(last) }
    let tip = recovery.tip
    finalView = tip?.header.view ?? 0
    var consensusConfiguration = ConsensusConfiguration(
      genesis: configuration.genesis, era: executions.final.era, keys: configuration.keys)
    consensusConfiguration.recollection = recovery.recollection
    consensus = ConsensusCore(
      configuration: consensusConfiguration, finalized: tip?.header, finalization: tip?.finalization,
      replaying: recovery.journal)
    members = Self.addresses(executions.final.era)
    for record in recovery.kept { try recover(record) }
    recoverPromises()
  }

  public var ledger: LedgerState { executions.final }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started:
      startedAt = now
      for era in executions.final.eras.dropFirst() { turn.add(.recognise(era)) }
      drive(.start, &turn)
      if download != nil { askForPiece(&turn) }
      if consensus.isRestoring {
        turn.note(
          "restored from an old copy: signs nothing until enough others show how far it can have come", .warning)
      }
      turn.add(.setTimer(TimerID(Purpose.passOn), at: now + Self.passOnInterval))
    case .published(let subscription, _, let message): published(subscription.publisher, message, &turn)
    case .request(let token, let from, let message): answer(token, from, message, &turn)
    case .timer(let timer): timerFired(timer, &turn)
    case .recalled(let id, let records): recalled(id, records, &turn)
    case .response(let id, let result): answered(id, result, &turn)
    case .datagrams, .ledger: break
    }
    tellWaiting(&turn)
    return turn.effects
  }

  // MARK: Events

  private mutating func published(_ publisher: ActorAddress, _ message: Verified<Message>, _ turn: inout Turn) {
    switch message.value {
    case .consensus(let consensus): received(consensus, message, from: publisher, &turn)
    case .transaction(let transaction): _ = admit(transaction)
    default: turn.count("validator.unexpectedPublication")
    }
  }

  mutating func received(
    _ content: ConsensusMessage, _ message: Verified<Message>, from: ActorAddress, _ turn: inout Turn
  ) {
    viewWatch.heard(from, at: turn.now)
    guard let member = members.firstIndex(of: from) else { return turn.count("validator.notAMember") }
    drive(.received(message.map { _ in content }, from: MemberIndex(member)), &turn)
  }

  private mutating func timerFired(_ timer: TimerID, _ turn: inout Turn) {
    switch timer.purpose {
    case Purpose.passOn:
      passOn(&turn)
      proveReady(&turn)
    case Purpose.snapshot: writePiece(&turn)
    case Purpose.download: askForPiece(&turn)
    default:
      if let raw = UInt8(exactly: Int(timer.purpose) - Int(Purpose.consensus)),
        let timer = ConsensusTimer(rawValue: raw)
      {
        drive(.timer(timer), &turn)
      }
    }
  }
}
