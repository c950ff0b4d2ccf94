import Effects
import Messages
import Metering
import Signing

/// The edge monitor of an operator (§3.3): the operator's end of every flow it serves. It carries packets between the
/// enclave and the slice, counts them at the operator's four points, answers the enclave's side of the record
/// exchange, and shuts the gate when a record is missing (epoch rule 8).
///
/// The slice itself is emulated in its forwarding (``PathEmulator``): delay, loss and rate as planned, and worse where
/// the topology says so. The operator-side endpoint lives here as well, on a port of its own: packets really travel
/// between the two.
public struct EdgeCore: RoleCore {
  public struct Configuration: Sendable {
    public var name: String
    public var network: Digest
    /// Who may order services here.
    public var controller: ActorAddress
    /// Enrolled on the ledger: signs receipts and records.
    public var key: SigningKey
    public var agreementKey: KeyAgreementKey
    /// Towards enclaves and the slice.
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
  /// Records of earlier epochs that are read back at once.
  public static let maximumRecalls = 64

  enum Stream {
    /// By slot: the order and how many epochs it still is for; empty when closed.
    static let services: UInt16 = 0x0501
    /// By slot: the enclave's signed flow opening.
    static let flows: UInt16 = 0x0502
    /// By slot and epoch: ``EpochJournal``.
    static let journals: UInt16 = 0x0503
    /// By slot: downlink sequence numbers below this may have been used.
    static let sequences: UInt16 = 0x0504

    static func key(slot: UInt64, epoch: EpochNumber) -> UInt64 { slot << 32 | epoch }
  }

  enum Purpose {
    /// An epoch of one service is to be closed.
    static let close: UInt16 = 1
    /// Packets leave the slice or the endpoint.
    static let queue: UInt16 = 2
  }

  let configuration: Configuration
  public let address: ActorAddress
  public var subscriptions: [Subscription] { [] }

  var services: [UInt64: EdgeService] = [:]
  var slots: [ActivationID: UInt64] = [:]
  var nextSlot: UInt64 = 1
  /// Reports that wait for the record of an earlier epoch.
  var recalls: [RequestID: Recall] = [:]
  /// Sequence numbers being reserved, by slot: at most one range of each service at a time.
  var reservations: [RequestID: UInt64] = [:]
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
      for slot in services.keys.sorted() {
        services[slot]?.presentSince = now
        closeDue(slot, &turn)
        if var service = services[slot] {
          reserveSequences(&service, &turn)
          services[slot] = service
        }
        startTraffic(slot, &turn)
      }
    case .request(let token, let asker, let message): answer(token, asker, message.value, &turn)
    case .timer(let timer):
      switch timer.purpose {
      case Purpose.close: closeDue(timer.index, &turn)
      case Purpose.queue: queueTimer = nil
      default: break
      }
    case .datagrams(let datagrams): arrived(datagrams, &turn)
    case .recalled(let id, let records): recalled(id, records, &turn)
    case .response, .published: break
    }
    runQueue(&turn)
    return turn.effects
  }

  private mutating func answer(_ token: ReplyToken, _ asker: ActorAddress, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .openService where asker != configuration.controller, .closeService where asker != configuration.controller,
      .endSession where asker != configuration.controller:
      turn.count("edge.orders.refused")
      turn.add(.refuse(token, RemoteError(.permissionDenied, "only \(configuration.controller) orders services here")))
    case .openService(let order): open(token, order, &turn)
    case .endSession(let ending): end(token, ending, &turn)
    case .closeService(let activation):
      close(activation, &turn)
      turn.add(.reply(token, .acknowledged))
    case .getServiceReport(let request): report(token, request, &turn)
    case .openFlow(let opening): openFlow(token, asker, opening, &turn)
    case .commit, .reveal, .submitRecord: exchange(token, message, &turn)
    case .getStatus:
      turn.add(
        .reply(
          token,
          .status([
            StatusItem("services", services.count), StatusItem("packetsUnderWay", queue.count),
            StatusItem("key", configuration.key.publicKey.hexadecimal),
          ])))
    default:
      turn.add(.refuse(token, RemoteError(.unimplemented, "an edge answers service orders, flows, records and status")))
    }
  }

  // MARK: Services

  private mutating func open(_ token: ReplyToken, _ order: ServiceOrder, _ turn: inout Turn) {
    if let slot = slots[order.activation], let service = services[slot] {
      guard service.order == order else {
        return turn.add(.refuse(token, RemoteError(.failedPrecondition, "another order stands for this activation")))
      }
      return turn.add(.reply(token, .acknowledged))
    }
    guard services.count < Self.maximumServices else {
      return turn.add(
        .refuse(token, RemoteError(.tooManyRequests, "this edge serves \(Self.maximumServices) at once")))
    }
    let slot = nextSlot
    guard let service = EdgeService(slot: slot, order, configuration, presentSince: turn.now) else {
      return turn.add(
        .refuse(token, RemoteError(.invalidArgument, "terms, order, confirmation and this edge do not fit together")))
    }
    nextSlot += 1
    services[slot] = service
    slots[order.activation] = slot
    turn.add(.persist(service.record))
    turn.add(.reply(token, .acknowledged))
    closeDue(slot, &turn)
  }

  private mutating func end(_ token: ReplyToken, _ ending: SessionEnding, _ turn: inout Turn) {
    guard let slot = slots[ending.activation], var service = services[slot] else {
      return turn.add(.refuse(token, RemoteError(.notFound, "no service for \(ending.activation.short)")))
    }
    guard service.end(after: ending.epochs) else {
      return turn.add(.refuse(token, RemoteError(.failedPrecondition, "that epoch is over, or beyond those booked")))
    }
    services[slot] = service
    turn.add(.persist(service.record))
    turn.add(.reply(token, .acknowledged))
    closeDue(slot, &turn)
  }

  /// The activation is settled: nothing of it is needed here any more.
  private mutating func close(_ activation: ActivationID, _ turn: inout Turn) {
    guard let slot = slots.removeValue(forKey: activation), services.removeValue(forKey: slot) != nil else { return }
    turn.add(.cancelTimer(TimerID(Purpose.close, slot)))
    turn.add(.persist(.put(stream: Stream.services, key: slot, bytes: [])))
    let least = services.keys.min() ?? nextSlot
    turn.add(.persist(.prune(stream: Stream.flows, below: least)))
    turn.add(.persist(.prune(stream: Stream.sequences, below: least)))
    turn.add(.persist(.prune(stream: Stream.journals, below: Stream.key(slot: least, epoch: 0))))
    // The last service's record stays: it says which slots were used.
    turn.add(.persist(.prune(stream: Stream.services, below: min(least, nextSlot - 1))))
  }

  /// Closes the epochs whose grace is over, answers who waited for that, and sets the timer for the next.
  mutating func closeDue(_ slot: UInt64, _ turn: inout Turn) {
    guard var service = services[slot] else { return }
    while let close = service.nextClose, close <= turn.now {
      guard let journal = service.closeNext() else { break }
      turn.add(.persist(service.record(journal)))
    }
    if let next = service.nextClose { turn.add(.setTimer(TimerID(Purpose.close, slot), at: next)) }
    let waiting = service.waiting
    service.waiting = nil
    services[slot] = service
    if let waiting { exchange(waiting.token, .commit(waiting.commitment), &turn) }
  }
}
