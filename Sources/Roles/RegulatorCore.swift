import Effects
import Messages
import Signing
import Wire

/// A regulator's own watch on the ledger (§3.1.2): it votes through its validator, and this role keeps its witness:
/// a durable checkpoint of the chain it followed and the figures an overseer looks at first. It manages nothing.
public struct RegulatorCore: RoleCore {
  public struct Configuration: Sendable {
    public var name: String
    public var genesis: Genesis
    public var validators: [ActorAddress]

    public init(name: String, genesis: Genesis, validators: [ActorAddress]) {
      self.name = name
      self.genesis = genesis
      self.validators = validators
    }
  }

  /// Durable: (stream 1, key 0) = `[height, block hash]` of the last checkpoint.
  static let checkpointStream: UInt16 = 1
  /// Blocks between checkpoints: one sync each.
  static let checkpointInterval: Height = 64

  private let configuration: Configuration
  public let address: ActorAddress
  private var follower: LedgerFollower
  private var numbers = RequestNumbers()
  /// As of the end of the last life; the ledger read again must contain it.
  private let checkpoint: (height: Height, hash: Digest)?
  private var lastHash: Digest
  private var blocksByLeader: [UInt64]
  private var accepted: UInt64 = 0
  private var refused: UInt64 = 0
  private var nullified: UInt64 = 0
  private var settled: UInt64 = 0
  private var penalties: Amount = 0

  public var subscriptions: [Subscription] { follower.subscriptions }

  /// - Throws: ``HaltReason`` when the checkpoint cannot be read: without it this regulator is no witness.
  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws(HaltReason) {
    self.configuration = configuration
    address = ActorAddress(.regulator, configuration.name)
    follower = LedgerFollower(genesis: configuration.genesis, sources: configuration.validators)
    lastHash = configuration.genesis.networkID
    blocksByLeader = Array(repeating: 0, count: configuration.genesis.members.count)
    do throws(WireError) {
      checkpoint = try records.last { $0.stream == Self.checkpointStream }.map(Self.checkpoint)
    } catch {
      throw HaltReason("\(address): the checkpoint cannot be read (\(error)). Restore the data directory.")
    }
  }

  private static func checkpoint(_ record: StoredRecord) throws(WireError) -> (height: Height, hash: Digest) {
    var reader = try CBORReader(record.bytes)
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
      if let blocks = follower.response(id, result, &turn, &numbers) { take(blocks, &turn) }
    case .timer: follower.timer(&turn, &numbers)
    case .request(let token, _, let message):
      if case .getStatus = message.value {
        turn.add(.reply(token, .status(status)))
      } else {
        turn.add(.refuse(token, RemoteError(.unimplemented, "a regulator answers getStatus")))
      }
    case .datagrams, .recalled, .ledger: break
    }
    return turn.effects
  }

  private mutating func take(_ blocks: [Block], _ turn: inout Turn) {
    for block in blocks {
      lastHash = block.hash
      if let checkpoint, checkpoint.height == block.header.height, checkpoint.hash != lastHash {
        turn.add(
          .halt(
            HaltReason(
              "the ledger's block \(checkpoint.height) is not the one this regulator witnessed before: "
                + "\(lastHash) now, \(checkpoint.hash) then. Keep both directories as evidence.")))
        return
      }
      if Int(block.header.leader) < blocksByLeader.count { blocksByLeader[Int(block.header.leader)] += 1 }
      count(block.body.outcomes)
      // Read again from the start, the past must not take the place of what was witnessed last.
      if block.header.height.isMultiple(of: Self.checkpointInterval), block.header.height > checkpoint?.height ?? 0 {
        var writer = CBORWriter()
        writer.array(2)
        writer.write(block.header.height)
        writer.write(lastHash)
        turn.add(.persist(.put(stream: Self.checkpointStream, key: 0, bytes: writer.bytes)))
      }
    }
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

  private var status: [StatusItem] {
    var items = [
      StatusItem("height", follower.height), StatusItem("accepted", accepted), StatusItem("refused", refused),
      StatusItem("nullified", nullified), StatusItem("settled", settled), StatusItem("penalties", penalties),
    ]
    for (member, count) in zip(configuration.genesis.members, blocksByLeader) where member.leads {
      items.append(StatusItem("blocksLed.\(member.name)", count))
    }
    return items
  }
}
