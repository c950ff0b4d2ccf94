import Effects
import Messages
import Signing
import Slicing

/// The JIT controller of one operator (§3.2.1, Figure 1): for every order of the operator's contracts it stitches a
/// slice from its database and confirms, or nullifies with what would have been possible.
///
/// Two rules keep it honest towards itself. A slice is held, durably, before its ConfirmSlice leaves, so capacity is
/// never sold twice. A hold is released only when that ConfirmSlice can no longer become final: refused in a block,
/// or its expiry height passed. Slices and reservations are the store's rows; the calendar is rebuilt from them. What
/// became of each activation the ledger says, read from its first block in every life: until it is read, nothing is
/// decided and nothing is sent.
///
/// A block costs what it says about this operator's activations; everything else waits for its own timer.
public struct ControllerCore: RoleCore {
  /// Added to the contract's lead so that the confirmation is final before the start it names; twice as much with
  /// every confirmation that came too late.
  static let confirmationMargin = Span.milliseconds(250)
  /// Heights that a ConfirmSlice stays valid. Short: a hold is stuck that long if it never becomes final.
  static let confirmationLifetime: Height = 64
  static let resend = Span.seconds(2)
  static let retry = Span.milliseconds(250)
  static let submitDeadline = Span.seconds(5)
  static let edgeDeadline = Span.seconds(2)
  /// Tries to confirm one order before it is rejected.
  static let maximumAttempts = 5
  /// Activations at once. The ledger returns the money of an order beyond that when its time to be confirmed is over.
  static let maximumJobs = 65_536

  let configuration: Configuration
  public let address: ActorAddress
  let contracts: [ContractID: ContractTerms]
  var follower: LedgerFollower
  var numbers = RequestNumbers()
  var nonces: NonceSource
  var members: MemberRotation
  var planner: SlicePlanner
  var calendar: ReservationCalendar
  var nextReservation: UInt64 = 1
  var jobs: [ActivationID: Job] = [:]
  var jobNumbers: [UInt64: ActivationID] = [:]
  private var nextJobNumber: UInt64 = 0
  /// Whose stage the block at hand changed.
  private var touched: [ActivationID] = []
  /// Transactions that the ledger has to answer.
  private var awaited: [Digest: ActivationID] = [:]
  private var deployed: Set<ContractID> = []
  private var deployments: [ContractID: SignedTransaction] = [:]
  private var nextDeployment = Instant.zero
  private var isReady = false
  var closings: [UInt64: Closing] = [:]
  /// Reservations whose confirmation is still kept, and the lowest that may be.
  private var kept: Set<UInt64> = []
  private var lowestKept: UInt64 = 1
  var served: UInt64 = 0
  var rejected: UInt64 = 0

  /// What each open request is about. Every one has a deadline, and a job has one at a time besides submissions.
  enum Asked: Sendable {
    case submission(ActivationID?, to: ActorAddress)
    case edgeOrder(ActivationID)
    case edgeEnding(ActivationID, epochs: UInt64)
    case edgeClosing(reservation: UInt64)
    case report(ActivationID, SettlementPurpose)
  }

  enum SettlementPurpose: Sendable {
    /// A customer proposed this agreement and waits for the answer.
    case agreement(ReplyToken, Envelope)
    /// Nobody settled in time, or CLOSING is open: by the last signed record, alone.
    case alone
  }

  var asked: [RequestID: Asked] = [:]
  /// Recovered slices by activation, until the ledger has told what became of them.
  private var recovered: [ActivationID: (slice: SliceRecord, transaction: SignedTransaction)] = [:]

  /// Recovered slices whose ConfirmSlice was not durable and so never left, or can never become final any more.
  private var neverConfirmed: [SliceRecord] = []

  public var subscriptions: [Subscription] { follower.subscriptions }

  /// - Throws: ``CalendarError`` when the records promise more than the substrate has: wrong directory or a changed
  ///   substrate. The user restores the old topology or starts fresh.
  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws {
    self.configuration = configuration
    address = ActorAddress(.controller, configuration.name)
    contracts = Dictionary(configuration.contracts.map { ($0.id, $0) }) { first, _ in first }
    follower = LedgerFollower(genesis: configuration.genesis, sources: configuration.validators)
    nonces = NonceSource(seed: configuration.entropy)
    members = MemberRotation(configuration.validators)
    planner = SlicePlanner(substrate: configuration.substrate)
    var slices: [SliceRecord] = []
    var confirmations: [UInt64: SignedTransaction] = [:]
    for record in records {
      switch record.stream {
      case SliceRecord.stream: slices.append(try SliceRecord(decoding: record.bytes))
      case Stream.confirmations where !record.bytes.isEmpty:
        confirmations[record.key] = try SignedTransaction(Envelope(bytes: record.bytes))
        kept.insert(record.key)
      default: break
      }
    }
    calendar = try ReservationCalendar(substrate: configuration.substrate, recovering: slices)
    for slice in slices {
      nextReservation = max(nextReservation, slice.id.number + 1)
      try recover(slice, confirmations[slice.key])
    }
    lowestKept = kept.min() ?? nextReservation
  }

  private mutating func recover(_ slice: SliceRecord, _ transaction: SignedTransaction?) throws {
    guard let transaction, case .confirmSlice(let confirmation) = transaction.transaction.action else {
      switch slice.state {
      case .released: return
      case .held: return neverConfirmed.append(slice)
      case .confirmed:
        throw HaltReason("\(address): slice \(slice.key) is confirmed without its ConfirmSlice. Restore the database.")
      }
    }
    if slice.state != .released {
      recovered[slice.activation] = (slice, transaction)
    } else if let place = place(confirmation.edge) {
      closings[slice.key] = Closing(activation: slice.activation, edge: place.address)
    }
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started:
      for slice in neverConfirmed { release(slice, &turn) }
      neverConfirmed = []
      follower.start(&turn, &numbers)
      for reservation in closings.keys.sorted() { askToClose(reservation, &turn) }
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
    case Purpose.closing: askToClose(timer.index, &turn)
    case Purpose.job:
      if let activation = jobNumbers[timer.index] { advance(activation, &turn) }
    default: break
    }
  }

  private mutating func answer(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .activationRequested(let activation):
      // The ledger says the same; acknowledged once this controller reads it there.
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
            StatusItem("closings", closings.count), StatusItem("served", served), StatusItem("rejected", rejected),
          ])))
    default:
      let text = "a controller answers activationRequested, proposeSettlement, status"
      turn.add(.refuse(token, RemoteError(.unimplemented, text)))
    }
  }

  // MARK: The ledger

  mutating func take(_ blocks: [Block], _ turn: inout Turn) {
    for block in blocks {
      for notice in LedgerView.notices(of: block) { noticed(notice, &turn) }
    }
    guard follower.hasCaughtUp else { return }
    if !isReady {
      isReady = true
      touched = jobs.keys.sorted()
    }
    dropExpiredHolds(&turn)
    deployMissing(&turn)
    let changed = touched
    touched = []
    for activation in changed { advance(activation, &turn) }
  }

  private mutating func noticed(_ notice: LedgerView.Notice, _ turn: inout Turn) {
    switch notice {
    case .deployed(let id, _):
      if contracts[id] != nil { deployed.insert(id) }
      deployments[id] = nil
    case .ordered(let activation, let order, let payer): ordered(activation, order, payer, &turn)
    case .transaction(let id, let result):
      if let activation = awaited.removeValue(forKey: id) { answered(activation, result, &turn) }
      if result != .accepted, !deployments.isEmpty { deploymentRefused(id, result, &turn) }
    case .confirmed(let confirmation): confirmed(confirmation, &turn)
    case .changed(let change) where change.state.isFinal: ended(change, &turn)
    case .changed(let change): changed(change)
    case .statusSet, .rejected, .evidence, .enclaveRegistered: break
    }
  }

  private mutating func ordered(
    _ activation: ActivationID, _ order: ActivationOrder, _ payer: PublicKey, _ turn: inout Turn
  ) {
    guard let terms = contracts[order.contract] else { return }
    let held = recovered.removeValue(forKey: activation)
    guard jobs.count < Self.maximumJobs || held != nil else { return turn.count("controller.tooManyActivations") }
    jobs[activation] = Job(number: nextJobNumber, order: order, terms: terms, payer: payer)
    jobNumbers[nextJobNumber] = activation
    nextJobNumber += 1
    touched.append(activation)
    if let (slice, transaction) = held, case .confirmSlice(let confirmation) = transaction.transaction.action {
      set(.confirming(slice, confirmation, transaction), of: activation)
    }
  }

  /// The one way a stage changes.
  mutating func set(_ stage: Stage, of activation: ActivationID) {
    if let old = jobs[activation]?.stage.transaction { awaited[old.id] = nil }
    if let new = stage.transaction { awaited[new.id] = activation }
    jobs[activation]?.stage = stage
    jobs[activation]?.sends = 0
    jobs[activation]?.notBefore = .zero
  }

  /// A transaction of ours stands in a block. Refused, it can never be accepted any more.
  private mutating func answered(_ activation: ActivationID, _ result: TransactionResult, _ turn: inout Turn) {
    guard let job = jobs[activation] else { return }
    touched.append(activation)
    let isRefused = result != .accepted
    switch job.stage {
    case .confirming(let slice, _, _) where isRefused:
      turn.note("ConfirmSlice of \(activation.short) refused: \(result.name)", .warning)
      release(slice, &turn)
      decideAgain(activation)
    case .rejecting where isRefused:
      set(.requested, of: activation)
      jobs[activation]?.notBefore = turn.now + Self.resend
    case .settling(let slice, let confirmation, let transaction):
      if isRefused { turn.note("settlement of \(activation.short) refused: \(result.name)", .warning) }
      set(.serving(slice, confirmation, edgeTold: true), of: activation)
      jobs[activation]?.hasPosted = job.isClosing || !isRefused
      if case .settleAgreed = transaction.transaction.action { jobs[activation]?.agreementRefused = isRefused }
      if isRefused, let pause = jobs[activation]?.settlementBackoff.failed() {
        jobs[activation]?.notBefore = turn.now + pause
      }
    case .confirming, .rejecting, .requested, .serving: break
    }
  }

  mutating func decideAgain(_ activation: ActivationID) {
    set(.requested, of: activation)
    jobs[activation]?.attempts += 1
  }

  private mutating func confirmed(_ confirmation: SliceConfirmation, _ turn: inout Turn) {
    let activation = confirmation.activation
    guard let job = jobs[activation] else { return }
    touched.append(activation)
    served += 1
    guard case .confirming(var slice, _, _) = job.stage else {
      turn.note("\(activation.short) is confirmed by a slice that this database does not have", .warning)
      return set(.serving(nil, confirmation, edgeTold: false), of: activation)
    }
    if slice.state == .held {
      slice.state = .confirmed
      turn.add(.persist(.put(stream: SliceRecord.stream, key: slice.key, bytes: slice.encoded)))
      try? calendar.confirm(slice.id)
    }
    set(.serving(slice, confirmation, edgeTold: false), of: activation)
  }

  /// Not its end yet: a Terminate shortened it, or CLOSING is open.
  private mutating func changed(_ change: ActivationChange) {
    guard jobs[change.activation] != nil else { return }
    touched.append(change.activation)
    jobs[change.activation]?.epochs = change.epochs
    jobs[change.activation]?.isClosing = change.state == .closing
  }

  private mutating func ended(_ change: ActivationChange, _ turn: inout Turn) {
    guard let job = jobs[change.activation] else { return }
    set(.requested, of: change.activation)
    jobs[change.activation] = nil
    jobNumbers[job.number] = nil
    if isReady { turn.add(.cancelTimer(TimerID(Purpose.job, job.number))) }
    if change.statusInfo == .sliceRejected { rejected += 1 }
    switch job.stage {
    case .requested, .rejecting: break
    case .confirming(let slice, _, _): release(slice, &turn)
    case .serving(let slice?, let confirmation, _), .settling(let slice?, let confirmation, _):
      release(slice, servedBy: confirmation.edge, &turn)
    // History, ended before this life.
    case .serving(nil, _, _), .settling(nil, _, _): break
    }
  }

  // MARK: Slices

  /// What was recovered and no order on the ledger explains, once its ConfirmSlice cannot become final any more.
  private mutating func dropExpiredHolds(_ turn: inout Turn) {
    guard !recovered.isEmpty else { return }
    for activation in recovered.keys.sorted() {
      guard let slice = recovered[activation]?.slice, slice.confirmationExpiry <= follower.height else { continue }
      recovered[activation] = nil
      release(slice, &turn)
    }
  }

  /// Gives the slice's resources back. An edge that served it is asked to let go until it says so.
  ///
  /// The order of the two records says after a crash between them what remains to be done: a hold without its
  /// ConfirmSlice is released, a released slice with its ConfirmSlice is closed at the edge.
  mutating func release(_ slice: SliceRecord, servedBy edge: PublicKey? = nil, _ turn: inout Turn) {
    _ = try? calendar.release(slice.id)
    if edge == nil { forget(reservation: slice.key, &turn) }
    var released = slice
    released.state = .released
    turn.add(.persist(.put(stream: SliceRecord.stream, key: released.key, bytes: released.encoded)))
    guard let edge else { return }
    guard let place = place(edge) else { return forget(reservation: slice.key, &turn) }
    closings[slice.key] = Closing(activation: slice.activation, edge: place.address)
    askToClose(slice.key, &turn)
  }

  /// Before the ConfirmSlice leaves.
  mutating func keep(_ transaction: SignedTransaction, reservation: UInt64, _ turn: inout Turn) {
    kept.insert(reservation)
    turn.add(.persist(.put(stream: Stream.confirmations, key: reservation, bytes: transaction.envelope.bytes)))
  }

  mutating func forget(reservation: UInt64, _ turn: inout Turn) {
    guard kept.remove(reservation) != nil else { return }
    guard reservation == lowestKept else {
      return turn.add(.persist(.put(stream: Stream.confirmations, key: reservation, bytes: [])))
    }
    while lowestKept < nextReservation, !kept.contains(lowestKept) { lowestKept += 1 }
    turn.add(.persist(.prune(stream: Stream.confirmations, below: lowestKept)))
  }

  func place(_ edge: PublicKey) -> EdgePlace? { configuration.edges.first { $0.key == edge } }

  // MARK: Contracts

  private mutating func deploymentRefused(_ id: Digest, _ result: TransactionResult, _ turn: inout Turn) {
    guard let terms = configuration.contracts.first(where: { deployments[$0.id]?.id == id }) else { return }
    turn.note("contract \(terms.id.short) refused: \(result.name)", .warning)
    deployments[terms.id] = nil
  }

  private mutating func deployMissing(_ turn: inout Turn) {
    guard follower.hasCaughtUp, deployed.count < contracts.count, turn.now >= nextDeployment else { return }
    nextDeployment = turn.now + Self.resend
    for terms in configuration.contracts where !deployed.contains(terms.id) {
      if let sent = deployments[terms.id], sent.transaction.expiry > follower.height {
        send(sent, for: nil, repeats: 1, &turn)
      } else {
        let transaction = sign(.deployContract(terms), expiry: follower.height + Transaction.maximumLifetime / 2)
        deployments[terms.id] = transaction
        send(transaction, for: nil, repeats: 0, &turn)
      }
    }
    turn.add(.setTimer(TimerID(Purpose.deploy), at: nextDeployment))
  }
}
