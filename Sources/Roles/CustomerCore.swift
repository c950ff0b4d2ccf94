import Effects
import Messages
import Signing
import Wire

/// A customer: registers its enclaves, activates what its plan says when it says, hands each RESERVED activation to
/// its enclave, sends the application's packets through it, and settles by the last joint record. The signed order is
/// durable before it leaves, so a restart sends the same bytes and never buys twice. It acts only once it has read the
/// ledger up to now; the ledger, not its own memory, says how far each purchase has come.
public struct CustomerCore: RoleCore {
  static let resend = Span.seconds(2)
  static let retry = Span.milliseconds(200)
  /// Short: what is bought is wanted within seconds, everything asked is answered at once, and asking again is safe.
  static let requestDeadline = Span.seconds(1)
  /// Between two looks at an enclave that should have finished.
  static let pollInterval = Span.milliseconds(100)
  /// Between two batches of application packets.
  static let trafficInterval = Span.milliseconds(10)
  /// What a stall or a crash delays beyond this is skipped, as a live source would: a burst sent to catch up would wait
  /// in the slice's queue, and the operator would pay for that delay.
  static let trafficCatchUp = Span.milliseconds(20)
  /// Application packets in one batch.
  static let trafficBatch: UInt64 = 256
  /// Heights that an Activate stays valid.
  static let orderLifetime: Height = 1000
  /// A customer whose operator does not settle with it settles alone after this.
  static let settlementPatience = Span.seconds(10)

  enum Purpose {
    static let purchase: UInt16 = 2
    static let traffic: UInt16 = 3
    static let enclave: UInt16 = 4
  }

  /// Durable: when the scenario began, and the signed orders by position in the plan.
  public enum Stream {
    public static let scenario: UInt16 = 1
    public static let orders: UInt16 = 2
  }

  /// What each open request is about.
  enum Asked: Sendable {
    case evidence(enclave: Int)
    case registration(enclave: Int)
    case purchase(Int)
  }

  let configuration: Configuration
  public let address: ActorAddress
  var follower: LedgerFollower
  var numbers = RequestNumbers()
  var nonces: NonceSource
  var start: Instant?
  var purchases: [Purchase]
  /// Enclave names in order of first use, and their registrations.
  let enclaves: [String]
  var registrations: [Registration]
  /// Registrations seen on the ledger.
  var attested: [PublicKey: Instant] = [:]
  var deployed: Set<ContractID> = []
  var asked: [RequestID: Asked] = [:]
  var lastBlock: Digest
  var received: UInt64 = 0

  public var subscriptions: [Subscription] { follower.subscriptions }

  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws {
    self.configuration = configuration
    address = ActorAddress(.customer, configuration.name)
    follower = LedgerFollower(genesis: configuration.genesis, sources: configuration.validators)
    nonces = NonceSource(seed: configuration.entropy)
    purchases = configuration.plan.map { Purchase(plan: $0) }
    var names: [String] = []
    for plan in configuration.plan where !names.contains(plan.enclave) { names.append(plan.enclave) }
    enclaves = names
    registrations = names.map { _ in .none }
    lastBlock = configuration.genesis.networkID
    for record in records {
      switch record.stream {
      case Stream.scenario: start = try Instant(decoding: record.bytes)
      case Stream.orders:
        let envelope = try Envelope(bytes: record.bytes)
        guard record.key < UInt64(purchases.count),
          case .activate(let order) = try envelope.decode(Transaction.self).action
        else { continue }
        purchases[Int(record.key)].envelope = envelope
        purchases[Int(record.key)].order = order
        purchases[Int(record.key)].stage = .ordered(ActivationID(envelope.digest))
      default: break
      }
    }
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started: started(&turn)
    case .published(_, _, let message):
      if case .ledger(let segment) = message.value { take(follower.published(segment, &turn, &numbers), &turn) }
    case .timer(let timer): timerFired(timer, &turn)
    case .request(let token, _, let message): answer(token, message.value, &turn)
    case .response(let id, let result): response(id, result, &turn)
    case .datagrams(let datagrams): received += UInt64(datagrams.count)
    case .recalled: break
    }
    return turn.effects
  }

  private mutating func started(_ turn: inout Turn) {
    if start == nil {
      start = turn.now
      turn.add(.persist(.put(stream: Stream.scenario, key: 0, bytes: turn.now.encoded)))
    }
    follower.start(&turn, &numbers)
  }

  private mutating func timerFired(_ timer: TimerID, _ turn: inout Turn) {
    switch timer.purpose {
    case LedgerFollower.timerPurpose: follower.timer(&turn, &numbers)
    case Purpose.purchase: advance(Int(timer.index), &turn)
    case Purpose.traffic: sendTraffic(Int(timer.index), &turn)
    case Purpose.enclave: registerEnclave(Int(timer.index), &turn)
    default: break
    }
  }

  private func answer(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    guard case .getStatus = message else {
      turn.add(.refuse(token, RemoteError(.unimplemented, "a customer answers getStatus")))
      return
    }
    var items = [StatusItem("height", follower.height), StatusItem("packetsReceived", received)]
    for purchase in purchases {
      items.append(StatusItem("purchase.\(purchase.plan.label)", purchase.stage.name))
    }
    turn.add(.reply(token, .status(Array(items.prefix(StatusItem.maximumItems)))))
  }

  private mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if let blocks = follower.response(id, result, &turn, &numbers) { return take(blocks, &turn) }
    switch asked.removeValue(forKey: id) {
    case nil: break
    case .evidence(let enclave): evidenceArrived(enclave, result, &turn)
    case .registration(let enclave):
      turn.add(.setTimer(TimerID(Purpose.enclave, UInt64(enclave)), at: turn.now + Self.resend))
    case .purchase(let index): answered(index, result, &turn)
    }
  }

  // MARK: The ledger

  private mutating func take(_ blocks: [Block], _ turn: inout Turn) {
    for block in blocks {
      lastBlock = block.hash
      for notice in LedgerView.notices(of: block) { noticed(notice, &turn) }
    }
    guard follower.hasCaughtUp else { return }
    for enclave in enclaves.indices {
      if case .none = registrations[enclave] { registerEnclave(enclave, &turn) }
    }
    for index in purchases.indices { advance(index, &turn) }
  }

  private mutating func noticed(_ notice: LedgerView.Notice, _ turn: inout Turn) {
    switch notice {
    case .deployed(let id, _): deployed.insert(id)
    case .enclaveRegistered(let key, _, let expires):
      attested[key] = expires
      for enclave in registrations.indices where registrations[enclave].key == key {
        registrations[enclave] = .registered(key, expires: expires)
      }
    case .transaction(let id, let result) where result != .accepted:
      if let index = index(of: ActivationID(id)) { refuse(index, result.name, &turn) }
    case .ordered(let activation, _, _):
      guard let index = index(of: activation) else { return }
      purchases[index].stage = .requested(activation)
      turn.add(.observe(.activation(activation, .requested)))
    case .confirmed(let confirmation):
      guard let index = index(of: confirmation.activation) else { return }
      purchases[index].stage = .opening(confirmation.activation, confirmation)
      turn.add(.observe(.activation(confirmation.activation, .reserved(startAt: confirmation.startAt))))
    case .changed(let change) where change.state.isFinal:
      guard let index = index(of: change.activation) else { return }
      purchases[index].stage = .ended(change)
      turn.add(.cancelTimer(TimerID(Purpose.traffic, UInt64(index))))
      turn.add(.observe(.activation(change.activation, .ended(change))))
    case .changed, .transaction, .statusSet, .rejected: break
    }
  }

  func index(of activation: ActivationID) -> Int? {
    purchases.firstIndex { $0.stage.activation == activation && !$0.stage.isOver }
  }

  mutating func refuse(_ index: Int, _ reason: String, _ turn: inout Turn) {
    let id = purchases[index].stage.activation ?? ActivationID(.zero)
    purchases[index].stage = .refused(reason)
    turn.add(.observe(.activation(id, .refused(reason))))
  }

  // MARK: Enclaves

  /// Asks the launcher for evidence over a fresh nonce and puts it on the ledger, unless it stands there already.
  private mutating func registerEnclave(_ enclave: Int, _ turn: inout Turn) {
    if case .registered = registrations[enclave] { return }
    if case .asking = registrations[enclave] { return }
    registrations[enclave] = .asking
    let id = numbers.next()
    asked[id] = .evidence(enclave: enclave)
    turn.add(
      .request(
        id, to: ActorAddress(.platform, enclaves[enclave]), .getEvidence(nonce: lastBlock),
        deadline: Self.requestDeadline))
  }

  private mutating func evidenceArrived(
    _ enclave: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .success(let message) = result, case .evidence(let envelope) = message.value,
      let evidence = try? envelope.decode(AttestationEvidence.self)
    else {
      registrations[enclave] = .none
      turn.add(.setTimer(TimerID(Purpose.enclave, UInt64(enclave)), at: turn.now + Self.retry))
      return
    }
    if let expires = attested[evidence.receiptKey], expires > turn.now + .seconds(60) {
      registrations[enclave] = .registered(evidence.receiptKey, expires: expires)
      for index in purchases.indices { advance(index, &turn) }
      return
    }
    let transaction = sign(.registerEnclave(envelope), expiry: follower.height + Self.orderLifetime)
    registrations[enclave] = .submitted(evidence.receiptKey, transaction)
    let id = numbers.next()
    asked[id] = .registration(enclave: enclave)
    turn.add(
      .request(id, to: configuration.validators[0], .submit(transaction), deadline: Self.requestDeadline))
  }

  mutating func sign(_ action: Action, expiry: Height) -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(nonce: nonces.next(), expiry: expiry, action: action), with: configuration.treasuryKey,
      network: configuration.genesis.networkID)
  }
}

extension CustomerCore.Stage {
  /// For people.
  var name: String {
    switch self {
    case .planned: "planned"
    case .ordered: "ordered"
    case .requested: "requested"
    case .opening: "opening"
    case .serving: "serving"
    case .settling: "settling"
    case .ended(let change): change.state.name
    case .refused(let reason): "refused: \(reason)"
    }
  }
}
