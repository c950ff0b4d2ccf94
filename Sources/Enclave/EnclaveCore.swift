import Effects
import Messages
import Metering
import Signing

/// The customer's enclave (§3.3): it stamps and counts what the customer sends and receives, signs a receipt for every
/// epoch and point, and makes the joint record with the operator's edge monitor. The customer's host carries its
/// packets and can withhold service from it, but cannot make it sign what it did not count.
///
/// One enclave serves many activations at once. Each is a ``Session``: opened by the customer, told to the edge, then
/// one epoch after another until the booked ones are over or the activation is ended early.
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
  /// Records of earlier epochs that are read back at once.
  public static let maximumRecalls = 64
  static let leastPatience: Span = .milliseconds(100)
  static let longestPatience: Span = .seconds(2)
  static let firstRetry: Span = .milliseconds(50)
  static let longestRetry: Span = .seconds(2)

  enum Stream {
    /// By slot: the session as its customer opened it, and as it was ended.
    static let sessions: UInt16 = 0x0401
    /// By slot and epoch: ``EpochJournal``.
    static let journals: UInt16 = 0x0402
    /// By slot: sequence numbers below this may have been used.
    static let sequences: UInt16 = 0x0403

    static func key(slot: UInt64, epoch: EpochNumber) -> UInt64 { slot << 32 | epoch }
  }

  enum Purpose {
    /// The next thing due by the clock: a probe, an epoch to close.
    static let tick: UInt16 = 1
    /// Something asked of the edge must be asked again.
    static let retry: UInt16 = 2
  }

  /// What a request in flight is about.
  enum Asked: Sendable {
    case flow(slot: UInt64)
    case exchange(slot: UInt64)
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
  /// Status answers that wait for the record of an earlier epoch.
  var recalls: [RequestID: Recall] = [:]
  /// Sequence numbers being reserved, by slot: at most one range of each session at a time.
  var reservations: [RequestID: UInt64] = [:]
  private var lastRequest: UInt64 = 0

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
        sessions[slot]?.presentSince = now
        resume(slot, &turn)
      }
    case .request(let token, let asker, let message): answer(token, asker, message.value, &turn)
    case .response(let id, let result): response(id, result, &turn)
    case .timer(let timer): timerFired(timer, &turn)
    case .datagrams(let datagrams): carry(datagrams, &turn)
    case .recalled(let id, let records): recalled(id, records, &turn)
    case .published: break
    }
    return turn.effects
  }

  mutating func nextRequest(_ about: Asked) -> RequestID {
    let id = nextNumber()
    asked[id] = about
    return id
  }

  mutating func nextNumber() -> RequestID {
    lastRequest += 1
    return RequestID(lastRequest)
  }

  private mutating func timerFired(_ timer: TimerID, _ turn: inout Turn) {
    switch timer.purpose {
    case Purpose.tick: tick(timer.index, &turn)
    case Purpose.retry: resume(timer.index, &turn)
    default: break
    }
  }

  // MARK: The customer

  private mutating func answer(
    _ token: ReplyToken, _ asker: ActorAddress, _ message: Message, _ turn: inout Turn
  ) {
    switch message {
    case .openSession where asker != configuration.customer, .endSession where asker != configuration.customer:
      turn.count("enclave.sessions.refused")
      turn.add(.refuse(token, RemoteError(.permissionDenied, "only \(configuration.customer) has sessions here")))
    case .openSession(let opening): open(token, opening, &turn)
    case .endSession(let ending): end(token, ending, &turn)
    case .getEnclaveStatus(let request): report(token, request, &turn)
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
      turn.add(.refuse(token, RemoteError(.unimplemented, "an enclave answers its customer's sessions and status")))
    }
  }

  private mutating func open(_ token: ReplyToken, _ opening: EnclaveSession, _ turn: inout Turn) {
    if let slot = slots[opening.activation], var session = sessions[slot] {
      // One account per activation, ever: a second one would sign contradictory statements.
      let before = session.opening
      guard session.reopen(opening) else {
        return turn.add(.refuse(token, RemoteError(.failedPrecondition, "another session is open for this activation")))
      }
      if session.opening != before {
        sessions[slot] = session
        turn.add(.persist(session.record))
      }
      return turn.add(.reply(token, .acknowledged))
    }
    guard sessions.count - finished.count < Self.maximumSessions else {
      return turn.add(
        .refuse(token, RemoteError(.tooManyRequests, "this enclave accounts for \(Self.maximumSessions) at once")))
    }
    let slot = nextSlot
    guard let session = Session(slot: slot, opening, configuration, presentSince: turn.now) else {
      return turn.add(
        .refuse(token, RemoteError(.invalidArgument, "terms, order, confirmation and this enclave do not fit together"))
      )
    }
    nextSlot += 1
    sessions[slot] = session
    slots[opening.activation] = slot
    turn.add(.persist(session.record))
    turn.add(.reply(token, .acknowledged))
    resume(slot, &turn)
  }

  private mutating func end(_ token: ReplyToken, _ ending: SessionEnding, _ turn: inout Turn) {
    guard let slot = slots[ending.activation], var session = sessions[slot] else {
      return turn.add(.refuse(token, RemoteError(.notFound, "no session for \(ending.activation.short)")))
    }
    guard session.end(after: ending.epochs) else {
      return turn.add(.refuse(token, RemoteError(.failedPrecondition, "that epoch is over, or beyond those booked")))
    }
    sessions[slot] = session
    turn.add(.persist(session.record))
    turn.add(.reply(token, .acknowledged))
    tick(slot, &turn)
  }

  /// Lets the oldest finished sessions go, and with them what was durable only for them.
  mutating func forgetOldest(_ turn: inout Turn) {
    var forgot = false
    while finished.count > Self.maximumFinished {
      let slot = finished.removeFirst()
      if let session = sessions.removeValue(forKey: slot) {
        slots[session.opening.activation] = nil
        if let key = session.flowKey { flows[key] = nil }
      }
      forgot = true
    }
    guard forgot else { return }
    let least = sessions.keys.min() ?? nextSlot
    turn.add(.persist(.prune(stream: Stream.sessions, below: least)))
    turn.add(.persist(.prune(stream: Stream.sequences, below: least)))
    turn.add(.persist(.prune(stream: Stream.journals, below: Stream.key(slot: least, epoch: 0))))
  }
}

/// A flow as its packets name it: flow numbers are each edge's own.
struct FlowKey: Hashable, Sendable {
  let edge: DataAddress
  let flow: UInt32
}

/// One call of `handle`: the time it runs at and the effects so far, in order. Datagrams of one turn leave together.
struct Turn {
  let now: Instant
  private(set) var effects: [Effect] = []

  init(at now: Instant) { self.now = now }

  mutating func add(_ effect: Effect) { effects.append(effect) }
  mutating func count(_ name: String, by amount: UInt64 = 1) { effects.append(.observe(.counted(name, by: amount))) }
  mutating func note(_ text: String, _ severity: Observation.Severity = .information) {
    effects.append(.observe(.note(severity, text)))
  }
}
