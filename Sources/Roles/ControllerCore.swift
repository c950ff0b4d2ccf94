import Effects
import Messages
import Signing
import Slicing
import Wire

/// The JIT controller of one operator (§3.2.1, Figure 1): for every order of the operator's contracts it stitches a
/// slice from its database and confirms, or nullifies with what would have been possible.
///
/// Two rules keep it honest towards itself. A slice is held, durably, before its ConfirmSlice leaves, so capacity is
/// never sold twice. A hold is released only when that ConfirmSlice can no longer become final: refused in a block,
/// or its expiry height passed. Slices and reservations are the store's rows; the calendar is rebuilt from them.
public struct ControllerCore: RoleCore {
  /// Added to the contract's lead so that the confirmation is final before the start it names.
  static let confirmationMargin = Span.milliseconds(250)
  /// Heights that a ConfirmSlice stays valid. Short: a hold is stuck that long if it never becomes final.
  static let confirmationLifetime: Height = 64
  static let resend = Span.seconds(2)
  static let retry = Span.milliseconds(250)
  static let submitDeadline = Span.seconds(5)
  static let edgeDeadline = Span.seconds(2)
  /// Tries to confirm one order before it is rejected.
  static let maximumAttempts = 5

  let configuration: Configuration
  public let address: ActorAddress
  var follower: LedgerFollower
  var numbers = RequestNumbers()
  var nonces: NonceSource
  var planner: SlicePlanner
  var calendar: ReservationCalendar
  var nextReservation: UInt64 = 1
  var jobs: [ActivationID: Job] = [:]
  /// Timers name jobs by number.
  var jobNumbers: [UInt64: ActivationID] = [:]
  var nextJobNumber: UInt64 = 0
  var deployed: Set<ContractID> = []
  /// Missing contracts are not sent again before this.
  private var nextDeployment = Instant.zero
  var served: UInt64 = 0
  var rejected: UInt64 = 0

  /// What each open request is about.
  enum Asked: Sendable {
    case submission
    case edgeOrder(ActivationID)
    case edgeClose(ActivationID)
    case report(ActivationID, SettlementPurpose)
  }

  enum SettlementPurpose: Sendable {
    /// A customer proposed this agreement and waits for the answer.
    case agreement(ReplyToken, Envelope)
    /// Nobody settled in time: by the last signed record, alone.
    case alone
  }

  var asked: [RequestID: Asked] = [:]
  /// When a transaction or question of this activation may be sent again.
  var resendAt: [ActivationID: Instant] = [:]
  /// Recovered slices by activation, until the ledger has told what became of them.
  var recovered: [ActivationID: (SliceRecord, SignedTransaction?)] = [:]

  public var subscriptions: [Subscription] { follower.subscriptions }

  /// - Throws: ``CalendarError`` when the records promise more than the substrate has: wrong directory or a changed
  ///   substrate. The user restores the old topology or starts fresh.
  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws {
    self.configuration = configuration
    address = ActorAddress(.controller, configuration.name)
    follower = LedgerFollower(genesis: configuration.genesis, sources: configuration.validators)
    nonces = NonceSource(seed: configuration.entropy)
    planner = SlicePlanner(substrate: configuration.substrate)
    var slices: [SliceRecord] = []
    var confirmations: [UInt64: SignedTransaction] = [:]
    for record in records {
      switch record.stream {
      case SliceRecord.stream: slices.append(try SliceRecord(decoding: record.bytes))
      case Stream.confirmations: confirmations[record.key] = try SignedTransaction(Envelope(bytes: record.bytes))
      default: break
      }
    }
    calendar = try ReservationCalendar(substrate: configuration.substrate, recovering: slices)
    for slice in slices {
      nextReservation = max(nextReservation, slice.id.number + 1)
      if slice.state != .released { recovered[slice.activation] = (slice, confirmations[slice.key]) }
    }
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started: follower.start(&turn, &numbers)
    case .published(_, _, let message):
      if case .ledger(let segment) = message.value { take(follower.published(segment, &turn, &numbers), &turn) }
    case .timer(let timer): timerFired(timer, &turn)
    case .request(let token, _, let message): answer(token, message.value, &turn)
    case .response(let id, let result): response(id, result, &turn)
    case .datagrams, .recalled: break
    }
    return turn.effects
  }

  private mutating func timerFired(_ timer: TimerID, _ turn: inout Turn) {
    switch timer.purpose {
    case LedgerFollower.timerPurpose: follower.timer(&turn, &numbers)
    case Purpose.deploy: deployMissing(&turn)
    case Purpose.job:
      if let activation = jobNumbers[timer.index] { advance(activation, &turn) }
    default: break
    }
  }

  private mutating func answer(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .activationRequested(let activation):
      // The ledger says the same; acknowledged once this controller has seen it there.
      if jobs[activation] != nil || follower.hasCaughtUp {
        turn.add(.reply(token, .acknowledged))
      } else {
        turn.add(.refuse(token, RemoteError(.unavailable, "still reading the ledger")))
      }
    case .proposeSettlement(let message): settlementProposed(token, message.envelope, &turn)
    case .getStatus:
      turn.add(
        .reply(
          token,
          .status([
            StatusItem("height", follower.height), StatusItem("contracts", deployed.count),
            StatusItem("reservations", calendar.count), StatusItem("activations", jobs.count),
            StatusItem("served", served), StatusItem("rejected", rejected),
          ])))
    default:
      turn.add(
        .refuse(token, RemoteError(.unimplemented, "a controller answers activationRequested, proposeSettlement, status")))
    }
  }

  // MARK: The ledger

  private mutating func take(_ blocks: [Block], _ turn: inout Turn) {
    for block in blocks {
      for notice in LedgerView.notices(of: block) { noticed(notice, &turn) }
    }
    guard follower.hasCaughtUp else { return }
    dropExpiredHolds(&turn)
    deployMissing(&turn)
    for activation in jobs.keys.sorted() { advance(activation, &turn) }
  }

  private mutating func noticed(_ notice: LedgerView.Notice, _ turn: inout Turn) {
    switch notice {
    case .deployed(let id, let terms):
      if terms.operatorID == configuration.organisation { deployed.insert(id) }
    case .ordered(let activation, let order, _):
      guard let terms = configuration.contracts.first(where: { $0.id == order.contract }) else { return }
      jobs[activation] = Job(order: order, terms: terms, stage: .requested)
      jobNumbers[nextJobNumber] = activation
      nextJobNumber += 1
      if case (let slice, let transaction?)? = recovered.removeValue(forKey: activation),
        case .confirmSlice(let confirmation) = transaction.transaction.action
      {
        jobs[activation]?.stage = .confirming(slice, confirmation, transaction)
      }
    case .transaction(let id, let result) where result != .accepted: refused(id, result, &turn)
    case .confirmed(let confirmation): confirmed(confirmation, &turn)
    case .changed(let change) where change.state.isFinal: ended(change, &turn)
    default: break
    }
  }

  /// A transaction of ours stands refused in a block: it can never be accepted any more.
  private mutating func refused(_ id: Digest, _ result: TransactionResult, _ turn: inout Turn) {
    for activation in jobs.keys.sorted() {
      guard var job = jobs[activation] else { continue }
      switch job.stage {
      case .confirming(let slice, _, let transaction) where transaction.id == id:
        turn.note("ConfirmSlice of \(activation.short) refused: \(result.name)", .warning)
        release(slice, &turn)
        job.attempts += 1
        job.stage = .requested
      case .rejecting(let transaction) where transaction.id == id: job.stage = .requested
      case .settling(let slice, let confirmation, let transaction) where transaction.id == id:
        turn.note("settlement of \(activation.short) refused: \(result.name)", .warning)
        job.stage = .serving(slice, confirmation, edgeTold: true)
      default: continue
      }
      jobs[activation] = job
    }
  }

  private mutating func confirmed(_ confirmation: SliceConfirmation, _ turn: inout Turn) {
    guard let job = jobs[confirmation.activation] else { return }
    var slice: SliceRecord?
    if case .confirming(var held, _, _) = job.stage {
      held.state = .confirmed
      turn.add(.persist(.put(stream: SliceRecord.stream, key: held.key, bytes: held.encoded)))
      try? calendar.confirm(held.id)
      slice = held
    }
    served += 1
    jobs[confirmation.activation]?.stage = .serving(slice, confirmation, edgeTold: false)
  }

  private mutating func ended(_ change: ActivationChange, _ turn: inout Turn) {
    if let (slice, _) = recovered.removeValue(forKey: change.activation) { release(slice, &turn) }
    guard let job = jobs.removeValue(forKey: change.activation) else { return }
    jobNumbers = jobNumbers.filter { $0.value != change.activation }
    switch job.stage {
    case .requested: break
    case .rejecting: rejected += 1
    case .confirming(let slice, _, _): release(slice, &turn)
    case .serving(let slice, let confirmation, _), .settling(let slice, let confirmation, _):
      if let slice { release(slice, &turn) }
      closeService(change.activation, confirmation, &turn)
    }
  }

  mutating func release(_ slice: SliceRecord, _ turn: inout Turn) {
    var released = slice
    released.state = .released
    _ = try? calendar.release(slice.id)
    turn.add(.persist(.put(stream: SliceRecord.stream, key: released.key, bytes: released.encoded)))
  }

  /// Holds whose ConfirmSlice did not become final before its expiry, and recovered ones the ledger knows nothing of.
  private mutating func dropExpiredHolds(_ turn: inout Turn) {
    for activation in recovered.keys.sorted() {
      guard let (slice, _) = recovered[activation], slice.confirmationExpiry < follower.height else { continue }
      release(slice, &turn)
      recovered[activation] = nil
    }
    for activation in jobs.keys.sorted() {
      guard case .confirming(let slice, _, _)? = jobs[activation]?.stage, slice.confirmationExpiry < follower.height
      else { continue }
      release(slice, &turn)
      jobs[activation]?.attempts += 1
      jobs[activation]?.stage = .requested
    }
  }

  private mutating func deployMissing(_ turn: inout Turn) {
    guard follower.hasCaughtUp else { return }
    let missing = configuration.contracts.filter { !deployed.contains($0.id) }
    guard !missing.isEmpty, turn.now >= nextDeployment else { return }
    nextDeployment = turn.now + Self.resend
    for terms in missing { _ = submit(.deployContract(terms), lifetime: Transaction.maximumLifetime / 2, &turn) }
    turn.add(.setTimer(TimerID(Purpose.deploy), at: nextDeployment))
  }

  // MARK: Submitting

  mutating func submit(_ action: Action, lifetime: Height, _ turn: inout Turn) -> SignedTransaction {
    let transaction = sign(action, expiry: follower.height + lifetime)
    send(transaction, &turn)
    return transaction
  }

  mutating func sign(_ action: Action, expiry: Height) -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(nonce: nonces.next(), expiry: expiry, action: action), with: configuration.key,
      network: configuration.genesis.networkID)
  }

  mutating func send(_ transaction: SignedTransaction, _ turn: inout Turn) {
    let id = numbers.next()
    asked[id] = .submission
    turn.add(
      .request(id, to: configuration.validators[0], .submit(transaction), deadline: Self.submitDeadline))
  }

  mutating func wake(_ activation: ActivationID, after span: Span, _ turn: inout Turn) {
    guard let number = jobNumbers.first(where: { $0.value == activation })?.key else { return }
    turn.add(.setTimer(TimerID(Purpose.job, number), at: turn.now + span))
  }

  private mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if let blocks = follower.response(id, result, &turn, &numbers) { return take(blocks, &turn) }
    switch asked.removeValue(forKey: id) {
    case nil: break
    case .submission:
      if case .failure(let error) = result { turn.note("a submission failed: \(error)", .warning) }
    case .edgeOrder(let activation): edgeAnswered(activation, result, &turn)
    case .edgeClose: break
    case .report(let activation, let purpose): reported(activation, purpose, result, &turn)
    }
  }
}
