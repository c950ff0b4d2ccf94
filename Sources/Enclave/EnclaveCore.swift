import Effects
import Messages
import Metering
import Signing

/// The customer's enclave (§3.3): it stamps and counts what the customer sends and receives, and signs a receipt for
/// every epoch and point. The enclave at a flow's near end also makes the joint record with the operator's anchor edge;
/// the one at the far end of a flow between two customers gives it its receipts. The customer's host carries its
/// packets and can withhold service from it, but cannot make it sign what it did not count.
///
/// One enclave serves many activations at once. Each is a ``Session``: opened by the customer, told to the edge and to
/// the enclave at the other end, then one epoch after another until the booked ones are over or the activation is ended
/// early.
public struct EnclaveCore: RoleCore {
  public struct Configuration: Sendable {
    public var name: String
    public var network: Digest
    /// Who may open sessions here.
    public var customer: ActorAddress
    /// Made inside; attested by the launcher.
    public var receiptKey: SigningKey
    public var agreementKey: KeyAgreementKey
    /// Where application data comes in and goes out; the customer's host.
    public var applicationPort: DataAddress
    /// Where packets leave and arrive; the operator's edge.
    public var networkPort: DataAddress
    public var clock: ClockQuality

    public init(
      name: String, network: Digest, customer: ActorAddress, receiptKey: SigningKey, agreementKey: KeyAgreementKey,
      applicationPort: DataAddress, networkPort: DataAddress, clock: ClockQuality
    ) {
      self.name = name
      self.network = network
      self.customer = customer
      self.receiptKey = receiptKey
      self.agreementKey = agreementKey
      self.applicationPort = applicationPort
      self.networkPort = networkPort
      self.clock = clock
    }
  }

  /// Activations accounted for at once.
  public static let maximumSessions = 1024
  /// Finished activations whose last record is kept for their customer to ask for.
  public static let maximumFinished = 1024
  /// Reads of own journals under way for somebody who asked.
  public static let maximumRecalls = 64

  enum Stream {
    /// By slot: the session as its customer opened it, and what changed since.
    static let sessions: UInt16 = 0x0401
    /// By slot and epoch: ``EpochJournal``.
    static let journals: UInt16 = 0x0402
    /// By slot: sequence numbers below this may have been used.
    static let sequences: UInt16 = 0x0403
    /// By slot and place: an edge's signed agreement to carry the flow.
    static let flows: UInt16 = 0x0404
    /// By slot: the other end's signed half of the key.
    static let pairings: UInt16 = 0x0405

    static func key(slot: UInt64, epoch: EpochNumber) -> UInt64 { slot << 32 | epoch }
  }

  enum Purpose {
    /// The next thing due by the clock: a probe, an epoch to close, receipts to collect.
    static let tick: UInt16 = 1
    /// Something of a session must be asked again.
    static let retry: UInt16 = 2
  }

  /// What is asked of others, one thing of each kind at a time.
  enum Topic: Hashable, Sendable {
    /// An edge carries the flow: by its place among the session's edges.
    case flow(Int)
    /// The enclave at the other end agrees on a key.
    case pairing
    /// The anchor edge makes a record.
    case record

    /// One number for a session and a topic, so that each has a timer of its own.
    func index(slot: UInt64) -> UInt64 {
      switch self {
      case .pairing: slot << 8
      case .record: slot << 8 | 1
      case .flow(let place): slot << 8 | UInt64(2 + place)
      }
    }

    static func split(_ index: UInt64) -> (slot: UInt64, topic: Topic) {
      switch index & 0xff {
      case 0: (index >> 8, .pairing)
      case 1: (index >> 8, .record)
      default: (index >> 8, .flow(Int(index & 0xff) - 2))
      }
    }
  }

  /// What a request in flight is about.
  enum Asked: Sendable {
    case conversation(slot: UInt64, Topic)
    case receipts(slot: UInt64, epoch: EpochNumber, signer: PublicKey)
  }

  let configuration: Configuration
  public let address: ActorAddress
  public var subscriptions: [Subscription] { [] }

  var sessions: [UInt64: Session] = [:]
  var slots: [ActivationID: UInt64] = [:]
  var flows: [FlowKey: UInt64] = [:]
  /// Oldest first.
  var finished: [UInt64] = []
  var nextSlot: UInt64 = 0
  var asked: [RequestID: Asked] = [:]
  var recalls: [RequestID: Recall] = [:]
  var numbers = RequestNumbers()

  public var receiptKey: PublicKey { configuration.receiptKey.publicKey }

  /// - Throws: ``HaltReason`` when the records are not this enclave's or do not belong together.
  public init(_ configuration: Configuration, recovering records: [StoredRecord] = []) throws(HaltReason) {
    self.configuration = configuration
    address = ActorAddress(.enclave, configuration.name)
    try recover(records)
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started:
      for slot in sessions.keys.sorted() {
        sessions[slot]?.resume(at: now)
        tick(slot, &turn)
      }
    case .request(let token, let asker, let message): answer(token, asker, message.value, &turn)
    case .response(let id, let result): response(id, result, &turn)
    case .timer(let timer):
      switch timer.purpose {
      case Purpose.tick: tick(timer.index, &turn)
      case Purpose.retry: retry(timer.index, &turn)
      default: break
      }
    case .datagrams(let datagrams): carry(datagrams, &turn)
    case .recalled(let id, let records): recalled(id, records, &turn)
    case .published, .ledger: break
    }
    return turn.effects
  }

  private mutating func answer(
    _ token: ReplyToken, _ asker: ActorAddress, _ message: Message, _ turn: inout Turn
  ) {
    switch message {
    case .openSession, .endSession, .updateBooking, .settleEpoch, .getEpochMaterial, .getEnclaveStatus:
      guard asker == configuration.customer else {
        turn.count("enclave.sessions.refused")
        return turn.refuse(token, .permissionDenied, "only \(configuration.customer) has sessions here")
      }
      ordered(token, message, &turn)
    case .pair(let opening): pair(token, opening, &turn)
    case .getReceipts(let request): giveReceipts(token, asker, request, &turn)
    case .getEnclaveIdentity:
      turn.add(
        .reply(
          token,
          .enclaveIdentity(
            EnclaveIdentity(receiptKey: receiptKey, applicationPort: configuration.applicationPort))))
    case .getStatus:
      turn.add(
        .reply(
          token,
          .status([
            StatusItem("receiptKey", receiptKey.hexadecimal), StatusItem("sessions", sessions.count - finished.count),
            StatusItem("finished", finished.count),
          ])))
    default:
      turn.refuse(token, .unimplemented, "an enclave answers its customer, the other end's enclave and status")
    }
  }

  /// Lets the oldest finished sessions go, and with them what was durable only for them.
  mutating func forgetOldest(_ turn: inout Turn) {
    var forgot = false
    while finished.count > Self.maximumFinished {
      let slot = finished.removeFirst()
      if let session = sessions.removeValue(forKey: slot) {
        slots[session.activation] = nil
        for edge in session.edges { if let opened = edge.opened { flows[FlowKey(opened)] = nil } }
      }
      forgot = true
    }
    guard forgot else { return }
    let least = sessions.keys.min() ?? nextSlot
    turn.add(.persist(.prune(stream: Stream.sessions, below: least)))
    turn.add(.persist(.prune(stream: Stream.sequences, below: least)))
    turn.add(.persist(.prune(stream: Stream.flows, below: least << 8)))
    turn.add(.persist(.prune(stream: Stream.pairings, below: least)))
    turn.add(.persist(.prune(stream: Stream.journals, below: Stream.key(slot: least, epoch: 0))))
  }
}

/// A flow as its packets name it: flow numbers are each operator's own.
struct FlowKey: Hashable, Sendable {
  let edge: DataAddress
  let flow: UInt32

  init(edge: DataAddress, flow: UInt32) {
    self.edge = edge
    self.flow = flow
  }

  init(_ opened: FlowOpened) { self.init(edge: opened.address, flow: opened.flow) }
}
