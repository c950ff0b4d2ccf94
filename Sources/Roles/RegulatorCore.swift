import Effects
import Messages
import Signing
import Wire

/// A regulator's own watch on the ledger (§3.1.2): it votes through its validator, and this role keeps its witness:
/// durable checkpoints of the chain it followed, what it found, and the figures an overseer looks at first. It orders
/// what it is told to (``RegulatorOrder``), together with the others or not at all.
public struct RegulatorCore: RoleCore {
  public struct Configuration: Sendable {
    public var name: String
    public var genesis: Genesis
    public var validators: [ActorAddress]
    /// Its validator's: approvals are signed with it.
    public var key: SigningKey
    /// The other regulators.
    public var peers: [ActorAddress]
    public var measures: [PlannedMeasure]
    /// R1: orders what it is told to without waiting for anybody.
    public var actsAlone: Bool

    public init(
      name: String, genesis: Genesis, validators: [ActorAddress], key: SigningKey, peers: [ActorAddress] = [],
      measures: [PlannedMeasure] = [], actsAlone: Bool = false
    ) {
      self.name = name
      self.genesis = genesis
      self.validators = validators
      self.key = key
      self.peers = peers
      self.measures = measures
      self.actsAlone = actsAlone
    }
  }

  /// Durable: checkpoints `[height, block hash]` by height, findings by a running number.
  public enum Stream {
    public static let checkpoints: UInt16 = 1
    public static let findings: UInt16 = 2
  }

  enum Purpose {
    /// The follower's is 1.
    static let measures: UInt16 = 2
  }

  /// Blocks between checkpoints: one sync each.
  static let checkpointInterval: Height = 64
  /// Kept; older ones are pruned.
  static let checkpointsKept: Height = 1_024
  /// Findings kept; once there are so many, a person should have looked.
  static let maximumFindings: UInt64 = 4_096

  let configuration: Configuration
  public let address: ActorAddress
  private var follower: LedgerFollower
  var numbers = RequestNumbers()
  var watch: RegulatorWatch
  var acting: RegulatorActing
  /// As of earlier lives: the ledger read again must contain them.
  private var checkpoints: [Height: Digest] = [:]
  private var lastCheckpoint: Height = 0
  private(set) var findings: [RegulatorFinding] = []
  /// Of earlier lives, which read the same blocks.
  private var known: Set<RegulatorFinding> = []
  private var findingCount: UInt64 = 0
  private var lastHash: Digest
  private var accepted: UInt64 = 0
  private var refused: UInt64 = 0
  private var nullified: UInt64 = 0
  private var settled: UInt64 = 0
  private var penalties: Amount = 0

  public var subscriptions: [Subscription] { follower.subscriptions }

  /// - Throws: ``HaltReason`` when a record cannot be read: without it this regulator is no witness.
  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws(HaltReason) {
    self.configuration = configuration
    address = ActorAddress(.regulator, configuration.name)
    follower = LedgerFollower(genesis: configuration.genesis, sources: configuration.validators)
    watch = RegulatorWatch(configuration.genesis)
    acting = RegulatorActing(configuration)
    lastHash = configuration.genesis.networkID
    do throws(WireError) {
      for record in records { try recover(record) }
    } catch {
      throw HaltReason("\(address): what it witnessed cannot be read (\(error)). Restore the data directory.")
    }
  }

  private mutating func recover(_ record: StoredRecord) throws(WireError) {
    switch record.stream {
    case Stream.checkpoints:
      let checkpoint = try Self.checkpoint(record.bytes)
      checkpoints[checkpoint.height] = checkpoint.hash
      lastCheckpoint = max(lastCheckpoint, checkpoint.height)
    case Stream.findings:
      let finding = try RegulatorFinding(decoding: record.bytes)
      findings.append(finding)
      known.insert(finding)
      findingCount = max(findingCount, record.key + 1)
    default: break
    }
  }

  /// `[height, block hash]`
  public static func checkpoint(_ bytes: [UInt8]) throws(WireError) -> (height: Height, hash: Digest) {
    var reader = try CBORReader(bytes)
    let checkpoint = try reader.record(2) { (reader) throws(WireError) in
      (height: try reader.uint(), hash: try reader.value(Digest.self))
    }
    try reader.finish()
    return checkpoint
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started: follower.start(&turn, &numbers)
    case .published(_, _, let message):
      if case .ledger(let segment) = message.value { take(follower.published(segment, &turn, &numbers), &turn) }
    case .response(let id, let result):
      if let blocks = follower.response(id, result, &turn, &numbers) {
        take(blocks, &turn)
      } else {
        acting.answered(id, result)
      }
    case .timer(let timer):
      if timer.purpose == Purpose.measures { act(&turn) } else { follower.timer(&turn, &numbers) }
    case .request(let token, let from, let message): answer(token, from, message.value, &turn)
    case .datagrams, .recalled, .ledger: break
    }
    return turn.effects
  }

  private mutating func answer(_ token: ReplyToken, _ from: ActorAddress, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .getStatus: turn.add(.reply(token, .status(status)))
    case .approval(let approval) where configuration.peers.contains(from):
      acting.take(approval)
      turn.add(.reply(token, .acknowledged))
      act(&turn)
    default: turn.refuse(token, .unimplemented, "a regulator answers getStatus, and approvals of regulators")
    }
  }

  // MARK: The ledger

  private mutating func take(_ blocks: [Block], _ turn: inout Turn) {
    for block in blocks {
      lastHash = block.hash
      guard witness(block.header.height, &turn) else { return }
      for flag in watch.take(block, hash: lastHash) { keep(flag, &turn) }
      notice(block, &turn)
      count(block.body.outcomes)
      acting.take(block)
    }
    if !blocks.isEmpty, follower.hasCaughtUp { act(&turn) }
  }

  /// - Returns: whether the ledger is the one that was witnessed before.
  private mutating func witness(_ height: Height, _ turn: inout Turn) -> Bool {
    if let witnessed = checkpoints[height], witnessed != lastHash {
      turn.add(
        .halt(
          HaltReason(
            "the ledger's block \(height) is not the one this regulator witnessed before: "
              + "\(lastHash) now, \(witnessed) then. Keep both directories as evidence.")))
      return false
    }
    // Read again from the start, the past must not take the place of what was witnessed last.
    guard height.isMultiple(of: Self.checkpointInterval), height > lastCheckpoint else { return true }
    lastCheckpoint = height
    checkpoints[height] = lastHash
    var writer = CBORWriter()
    writer.array(2)
    writer.write(height)
    writer.write(lastHash)
    turn.add(.persist(.put(stream: Stream.checkpoints, key: height, bytes: writer.bytes)))
    let horizon = height - min(height, Self.checkpointInterval * Self.checkpointsKept)
    if horizon > 0, checkpoints.removeValue(forKey: horizon) != nil {
      turn.add(.persist(.prune(stream: Stream.checkpoints, below: horizon + 1)))
    }
    return true
  }

  /// What the block says outright.
  private mutating func notice(_ block: Block, _ turn: inout Turn) {
    func finding(_ kind: RegulatorFinding.Kind, _ subject: String, _ text: String) -> RegulatorFinding {
      RegulatorFinding(
        kind: kind, height: block.header.height, time: block.header.time, subject: subject, text: text)
    }
    for event in block.body.outcomes.events {
      switch event {
      case .memberConvicted(let conviction):
        let text = "\(conviction.kind.name) in view \(conviction.view) of era \(conviction.era)"
        keep(finding(.convicted, watch.name(ofKey: conviction.signer), text), &turn)
      case .measureTaken(let order, let measure):
        keep(finding(.measureTaken, order.short, "\(measure.name) \(measure.subject)"), &turn)
      case .activationChanged, .enclaveRegistered, .eraEnds: break
      }
    }
    for (envelope, result) in zip(block.body.transactions, block.body.outcomes.results)
    where result == .permissionDenied {
      guard let glance = LedgerView.Glance(envelope), glance.number == 33,
        case .regulatorAction(let approvals)? = try? envelope.decode(Transaction.self).action,
        // With as many as it takes it was refused for something else: a key, say, that is no member's any more.
        UInt64(approvals.count) < configuration.genesis.parameters.regulatorThreshold
      else { continue }
      let order = try? approvals.first?.decode(RegulatorOrder.self)
      let text =
        "refused with \(approvals.count) approvals: \(order?.measure.name ?? "nothing"), \(order?.reason ?? "")"
      keep(finding(.actedAlone, watch.name(ofKey: glance.signer), String(text.prefix(400))), &turn)
    }
  }

  private mutating func keep(_ finding: RegulatorFinding, _ turn: inout Turn) {
    guard known.insert(finding).inserted, findingCount < Self.maximumFindings else { return }
    turn.add(.persist(.put(stream: Stream.findings, key: findingCount, bytes: finding.encoded)))
    findingCount += 1
    findings.append(finding)
    turn.note("\(finding.kind.name): \(finding.subject): \(finding.text)", .warning)
  }

  private mutating func count(_ outcomes: BlockOutcomes) {
    for result in outcomes.results {
      if result == .accepted { accepted += 1 } else { refused += 1 }
    }
    for case .activationChanged(let change) in outcomes.events {
      if change.state == .nullified { nullified += 1 }
      if change.state == .settled {
        settled += 1
        penalties += change.money.penalty
      }
    }
  }

  // MARK: Acting

  private mutating func act(_ turn: inout Turn) {
    let effects = acting.act(at: turn.now, height: follower.height, hasCaughtUp: follower.hasCaughtUp, &numbers)
    for effect in effects { turn.add(effect) }
  }

  private var status: [StatusItem] {
    var items = [
      StatusItem("height", follower.height), StatusItem("accepted", accepted), StatusItem("refused", refused),
      StatusItem("nullified", nullified), StatusItem("settled", settled), StatusItem("penalties", penalties),
      StatusItem("findings", findings.count),
    ]
    for (leader, count) in watch.blocksLed.sorted(by: { $0.key < $1.key }).prefix(64) {
      items.append(StatusItem("blocksLed.\(leader)", count))
    }
    return items
  }
}
