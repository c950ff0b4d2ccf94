import Effects
import Messages
import Signing

/// A customer: registers its enclaves, activates what its plan says when it says, hands each RESERVED activation to
/// its enclave, sends the application's packets through it, and settles by the last joint record. The signed order is
/// durable before it leaves, so a restart sends the same bytes and never buys twice. It acts only once it has read the
/// ledger up to now; the ledger, not its own memory, says how far each purchase has come, and what it read of an
/// earlier life is told once, as it stands, not as news.
///
/// A block costs what it says about this customer's purchases; everything else waits for its own timer.
public struct CustomerCore: RoleCore {
  static let resend = Span.seconds(2)
  static let retry = Span.milliseconds(200)
  /// Short: what is bought is wanted within seconds, everything asked is answered at once, and asking again is safe.
  static let requestDeadline = Span.seconds(1)
  /// Between two looks at an enclave that should have finished: at first, and later.
  static let pollInterval = Span.milliseconds(100)
  static let longestPollInterval = Span.seconds(2)
  /// Between two batches of application packets.
  static let trafficInterval = Span.milliseconds(10)
  /// What a stall or a crash delays beyond this is skipped, as a live source would: a burst sent to catch up would wait
  /// in the slice's queue, and the operator would pay for that delay.
  static let trafficCatchUp = Span.milliseconds(20)
  /// Application packets in one batch.
  static let trafficBatch: UInt64 = 256
  /// Heights that a transaction stays valid.
  static let transactionLifetime: Height = 1000
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
    case registration(to: ActorAddress)
    case purchase(Int, Question, of: ActorAddress)
  }

  enum Question: Sendable {
    case order
    case session
    case ending(epochs: UInt64)
    case status
    case agreement
    case settlement
  }

  /// What the ledger has to answer.
  enum Awaited: Sendable {
    case order(Int)
    case registration(enclave: Int)
    case settlement(Int)
  }

  let configuration: Configuration
  public let address: ActorAddress
  let organisation: OrganisationID?
  var follower: LedgerFollower
  var numbers = RequestNumbers()
  var nonces: NonceSource
  var members: MemberRotation
  var start: Instant?
  var purchases: [Purchase]
  private var indexes: [ActivationID: Int] = [:]
  /// Enclave names in order of first use, and their registrations.
  let enclaves: [String]
  var registrations: [Registration]
  var registrationBackoffs: [Backoff]
  /// Own registrations seen on the ledger.
  var attested: [PublicKey: Instant] = [:]
  /// Digest of the evidence that each of them stands on: receipts name it.
  var evidence: [PublicKey: Digest] = [:]
  /// Evidence accepted in the block that is being read, whoever's: its event says whose.
  private var evidenceInBlock: [PublicKey: Digest] = [:]
  private let planned: Set<ContractID>
  var deployed: Set<ContractID> = []
  var asked: [RequestID: Asked] = [:]
  var awaited: [Digest: Awaited] = [:]
  /// Whose stage the block at hand changed.
  private var touched: [Int] = []
  /// Due, and waiting for a contract or a registration.
  var blocked: Set<Int> = []
  private var isReady = false
  var lastBlock: Digest
  private var received: UInt64 = 0

  public var subscriptions: [Subscription] { follower.subscriptions }

  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws {
    self.configuration = configuration
    address = ActorAddress(.customer, configuration.name)
    let key = configuration.treasuryKey.publicKey
    organisation = configuration.genesis.organisations.first { $0.keys.contains { $0.key == key } }?.id
    follower = LedgerFollower(genesis: configuration.genesis, sources: configuration.validators)
    nonces = NonceSource(seed: configuration.entropy)
    members = MemberRotation(configuration.validators)
    purchases = configuration.plan.map { Purchase(plan: $0) }
    planned = Set(configuration.plan.map(\.terms.id))
    var names: [String] = []
    for plan in configuration.plan where !names.contains(plan.enclave) { names.append(plan.enclave) }
    enclaves = names
    registrations = names.map { _ in .none }
    registrationBackoffs = names.map { _ in Backoff() }
    lastBlock = configuration.genesis.networkID
    for record in records {
      switch record.stream {
      case Stream.scenario: start = try Instant(decoding: record.bytes)
      case Stream.orders:
        let envelope = try Envelope(bytes: record.bytes)
        guard record.key < UInt64(purchases.count),
          case .activate(let order) = try envelope.decode(Transaction.self).action
        else { continue }
        ordered(Int(record.key), order, envelope)
      default: break
      }
    }
  }

  /// The order is durable.
  mutating func ordered(_ index: Int, _ order: ActivationOrder, _ envelope: Envelope) {
    let id = ActivationID(envelope.digest)
    purchases[index].envelope = envelope
    purchases[index].order = order
    indexes[id] = index
    awaited[envelope.digest] = .order(index)
    set(.ordered(id), of: index)
  }

  /// The one way a stage changes. What was asked for the old one does not count for the new.
  mutating func set(_ stage: Stage, of index: Int) {
    purchases[index].stage = stage
    purchases[index].question = nil
    purchases[index].failures = 0
    purchases[index].notBefore = .zero
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
    case Purpose.purchase where timer.index < purchases.count: advance(Int(timer.index), &turn)
    case Purpose.traffic where timer.index < purchases.count: sendTraffic(Int(timer.index), &turn)
    case Purpose.enclave where timer.index < enclaves.count: registerEnclave(Int(timer.index), &turn)
    default: break
    }
  }

  private func answer(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    guard case .getStatus = message else {
      return turn.add(.refuse(token, RemoteError(.unimplemented, "a customer answers getStatus")))
    }
    var items = [StatusItem("height", follower.height), StatusItem("packetsReceived", received)]
    for purchase in purchases.prefix(StatusItem.maximumItems - items.count) {
      items.append(StatusItem("purchase.\(purchase.plan.label)", purchase.stage.name))
    }
    turn.add(.reply(token, .status(items)))
  }

  private mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if let blocks = follower.response(id, result, &turn, &numbers) { return take(blocks, &turn) }
    guard let about = asked.removeValue(forKey: id) else { return }
    switch about {
    case .evidence(let enclave): evidenceArrived(enclave, result, &turn)
    case .registration(let member): submitted(to: member, result)
    case .purchase(let index, let question, let asked):
      if case .order = question { submitted(to: asked, result) }
      if case .settlement = question { submitted(to: asked, result) }
      guard purchases[index].question == id else { return }
      purchases[index].question = nil
      answered(index, question, result, &turn)
    }
  }

  private mutating func submitted(to member: ActorAddress, _ result: Result<Verified<Message>, RemoteError>) {
    if case .failure(let error) = result, error.isOfThisReceiver { members.failed(member) }
  }

  // MARK: The ledger

  private mutating func take(_ blocks: [Block], _ turn: inout Turn) {
    for block in blocks {
      lastBlock = block.hash
      evidenceInBlock = [:]
      for notice in LedgerView.notices(of: block) { noticed(notice, &turn) }
    }
    guard follower.hasCaughtUp else { return }
    if !isReady {
      isReady = true
      touched = Array(purchases.indices)
      for index in purchases.indices { tell(index, &turn) }
      for enclave in enclaves.indices { registerEnclave(enclave, &turn) }
    }
    let changed = touched
    touched = []
    for index in changed { advance(index, &turn) }
  }

  private mutating func noticed(_ notice: LedgerView.Notice, _ turn: inout Turn) {
    switch notice {
    case .deployed(let id, _):
      if planned.contains(id) { deployed.insert(id) }
      unblock()
    case .evidence(let key, let digest): evidenceInBlock[key] = digest
    case .enclaveRegistered(let key, let owner, let expires):
      guard owner == organisation else { return }
      evidence[key] = evidenceInBlock[key]
      registered(key, expires)
    case .transaction(let id, let result):
      if let about = awaited.removeValue(forKey: id) { decided(about, result, &turn) }
    case .ordered(let activation, _, _): reached(activation, .requested(activation), &turn)
    case .confirmed(let confirmation):
      reached(confirmation.activation, .opening(confirmation.activation, confirmation), &turn)
    case .changed(let change): changed(change, &turn)
    case .statusSet, .rejected: break
    }
  }

  private mutating func reached(_ activation: ActivationID, _ stage: Stage, _ turn: inout Turn) {
    guard let index = indexes[activation] else { return }
    set(stage, of: index)
    touched.append(index)
    if isReady { tell(index, &turn) }
  }

  private mutating func changed(_ change: ActivationChange, _ turn: inout Turn) {
    guard let index = indexes[change.activation] else { return }
    purchases[index].epochs = change.epochs
    purchases[index].isClosing = change.state == .closing
    touched.append(index)
    guard change.state.isFinal else { return }
    if let settlement = purchases[index].settlement { awaited[settlement.id] = nil }
    purchases[index].settlement = nil
    indexes[change.activation] = nil
    ended(index, change, &turn)
  }

  private mutating func ended(_ index: Int, _ change: ActivationChange, _ turn: inout Turn) {
    set(.ended(change), of: index)
    guard isReady else { return }
    turn.add(.cancelTimer(TimerID(Purpose.traffic, UInt64(index))))
    turn.add(.cancelTimer(TimerID(Purpose.purchase, UInt64(index))))
    tell(index, &turn)
  }

  /// A transaction of this customer stands in a block.
  private mutating func decided(_ about: Awaited, _ result: TransactionResult, _ turn: inout Turn) {
    switch about {
    case .order(let index):
      guard result != .accepted else { return }
      if let id = purchases[index].activation { indexes[id] = nil }
      if isReady, result == .attestationRejected { forgetRegistration(of: purchases[index].plan.enclave, &turn) }
      refuse(index, result.name, &turn)
    case .registration(let enclave):
      if result != .accepted { registrationRefused(enclave, result, &turn) }
    case .settlement(let index):
      purchases[index].settlement = nil
      purchases[index].hasPosted = result == .accepted || purchases[index].isClosing
      purchases[index].notBefore = turn.now + Self.resend
      touched.append(index)
    }
  }

  mutating func refuse(_ index: Int, _ reason: String, _ turn: inout Turn) {
    set(.refused(reason), of: index)
    if isReady { tell(index, &turn) }
  }

  mutating func unblock() {
    touched += blocked.sorted()
    blocked = []
  }

  mutating func advanceUnblocked(_ turn: inout Turn) {
    let waiting = blocked.sorted()
    blocked = []
    for index in waiting { advance(index, &turn) }
  }

  /// Where a purchase stands on the ledger.
  private func tell(_ index: Int, _ turn: inout Turn) {
    let purchase = purchases[index]
    guard let id = purchase.activation else { return }
    let step: ActivationStep? =
      switch purchase.stage {
      case .planned, .ordered, .serving, .settling: nil
      case .requested: .requested
      case .opening(_, let confirmation): .reserved(startAt: confirmation.startAt)
      case .ended(let change): .ended(change)
      case .refused(let reason): .refused(reason)
      }
    if let step { turn.add(.observe(.activation(id, step))) }
  }

  mutating func sign(_ action: Action) -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(
        nonce: nonces.next(), expiry: follower.height + Self.transactionLifetime, action: action),
      with: configuration.treasuryKey, network: configuration.genesis.networkID)
  }
}
