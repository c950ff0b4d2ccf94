import Effects
import Messages
import Metering
import Signing

/// The edge monitor of an operator (§3.3): it carries packets between the enclaves that it serves and the slice, counts
/// them where they enter and leave, and shuts the gate when a record is missing (epoch rule 8). The edge that serves a
/// flow's near end first is its *anchor*: for the whole activation it collects the other edges' receipts and makes the
/// records with the near enclave.
///
/// The slice itself is emulated in its forwarding (``PathEmulator``): delay, loss and rate as planned, and worse where
/// the topology says so. Packets for an end that another edge serves go to that edge over UDP. The operator-side
/// endpoint of a one-customer flow lives at the anchor, on a port of its own.
public struct EdgeCore: RoleCore {
  public struct Configuration: Sendable {
    public var name: String
    public var network: Digest
    /// Who may order services here.
    public var controller: ActorAddress
    /// Enrolled on the ledger: signs receipts and records.
    public var key: SigningKey
    public var agreementKey: KeyAgreementKey
    /// Towards enclaves, other edges and the slice.
    public var networkPort: DataAddress
    /// The operator-side endpoint's own.
    public var endpointPort: DataAddress
    public var clock: ClockQuality
    public var impairment: PathImpairment?
    /// Digest of the evidence for this monitor, which its receipts name. Zero for none: an operator vouches for its
    /// monitor by enrolling the key on the ledger, and the contract asks only enclaves for evidence.
    public var attestation: Digest
    /// Of the emulated paths.
    public var seed: UInt64

    public init(
      name: String, network: Digest, controller: ActorAddress, key: SigningKey, agreementKey: KeyAgreementKey,
      networkPort: DataAddress, endpointPort: DataAddress, clock: ClockQuality, impairment: PathImpairment? = nil,
      attestation: Digest = .zero, seed: UInt64
    ) {
      self.name = name
      self.network = network
      self.controller = controller
      self.key = key
      self.agreementKey = agreementKey
      self.networkPort = networkPort
      self.endpointPort = endpointPort
      self.clock = clock
      self.impairment = impairment
      self.attestation = attestation
      self.seed = seed
    }
  }

  /// Activations served at once.
  public static let maximumServices = 4096
  /// Reads of own journals under way for somebody who asked.
  public static let maximumRecalls = 64

  enum Stream {
    /// By slot: the orders, routes and changes; empty when closed.
    static let services: UInt16 = 0x0501
    /// By slot and end: the enclave's signed flow opening.
    static let flows: UInt16 = 0x0502
    /// By slot and epoch: ``EpochJournal``.
    static let journals: UInt16 = 0x0503
    /// By slot: the endpoint's sequence numbers below this may have been used.
    static let sequences: UInt16 = 0x0504

    static func key(slot: UInt64, epoch: EpochNumber) -> UInt64 { slot << 32 | epoch }
    static func key(slot: UInt64, end: FlowEnd) -> UInt64 { slot << 8 | UInt64(end.rawValue) }
  }

  enum Purpose {
    /// Something of one service is due: an epoch to close, receipts to collect, an edge to tell.
    static let service: UInt16 = 1
    /// Packets leave the slice or the endpoint.
    static let queue: UInt16 = 2
  }

  /// What a request in flight is about.
  enum Asked: Sendable {
    case receipts(slot: UInt64, epoch: EpochNumber, signer: PublicKey)
    case notice(slot: UInt64, edge: ActorAddress, epoch: EpochNumber)
  }

  let configuration: Configuration
  public let address: ActorAddress
  public var subscriptions: [Subscription] { [] }

  var services: [UInt64: EdgeService] = [:]
  var slots: [ActivationID: UInt64] = [:]
  /// By the flow's number in packet headers.
  var flows: [UInt32: UInt64] = [:]
  var nextSlot: UInt64 = 1
  var asked: [RequestID: Asked] = [:]
  var recalls: [RequestID: Recall] = [:]
  var numbers = RequestNumbers()
  var queue = EdgeQueue()
  /// When the queue's timer is set for.
  var queueTimer: Instant?

  /// - Throws: ``HaltReason`` when the records are not this edge's or do not belong together.
  public init(_ configuration: Configuration, recovering records: [StoredRecord] = []) throws(HaltReason) {
    self.configuration = configuration
    address = ActorAddress(.edge, configuration.name)
    try recover(records)
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started:
      for slot in services.keys.sorted() { resume(slot, &turn) }
    case .request(let token, let asker, let message): answer(token, asker, message.value, &turn)
    case .response(let id, let result): response(id, result, &turn)
    case .timer(let timer):
      switch timer.purpose {
      case Purpose.service: tick(timer.index, &turn)
      case Purpose.queue: queueTimer = nil
      default: break
      }
    case .datagrams(let datagrams): arrived(datagrams, &turn)
    case .recalled(let id, let records): recalled(id, records, &turn)
    case .published, .ledger: break
    }
    runQueue(&turn)
    return turn.effects
  }

  /// A service of an earlier life goes on.
  private mutating func resume(_ slot: UInt64, _ turn: inout Turn) {
    services[slot]?.resume(at: turn.now)
    reserveNumbers(slot, &turn)
    tick(slot, &turn)
    startTraffic(slot, &turn)
  }

  private mutating func answer(_ token: ReplyToken, _ asker: ActorAddress, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .openService, .closeService, .endSession, .routeService, .updateBooking, .settleEpoch, .getEpochMaterial,
      .getServiceReport:
      guard asker == configuration.controller else {
        turn.count("edge.orders.refused")
        return turn.refuse(token, .permissionDenied, "only \(configuration.controller) orders services here")
      }
      ordered(token, message, &turn)
    case .openFlow(let opening): openFlow(token, asker, opening, &turn)
    case .commit, .reveal: exchange(token, message, &turn)
    case .submitRecord(let submission): recorded(token, submission, &turn)
    case .getReceipts(let request): giveReceipts(token, asker, request, &turn)
    case .getStatus:
      turn.add(
        .reply(
          token,
          .status([
            StatusItem("services", services.count), StatusItem("packetsUnderWay", queue.count),
            StatusItem("key", configuration.key.publicKey.hexadecimal),
          ])))
    default:
      turn.refuse(token, .unimplemented, "an edge answers service orders, flows, receipts, records and status")
    }
  }
}
