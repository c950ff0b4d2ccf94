import Effects
import Messages
import Signing
import Slicing

/// The JIT controller of one operator (§3.2.1, Figure 1): for every order of the operator's contracts it stitches a
/// slice from its database and confirms, or nullifies with what would have been possible. While the activation runs it
/// stitches anew where an end moves, prolongs and alters it with the customer's signature, and answers for it on the
/// ledger.
///
/// Two rules keep it honest towards itself. A slice is held, durably, before the transaction that names it leaves, so
/// capacity is never sold twice. A hold is released only when that transaction can no longer become final: refused in
/// a block, its expiry height passed, or never sent. Slices and reservations are the store's rows; the calendar is
/// rebuilt from them. What became of each activation the ledger says, read from its first block in every life: until
/// it is read, nothing is decided and nothing is sent.
///
/// A block costs what it says about this operator's activations; everything else waits for its own timer.
public struct ControllerCore: RoleCore {
  /// Added to the contract's lead so that a transaction is final before the start it names; twice as much with every
  /// confirmation that came too late.
  static let confirmationMargin = Span.milliseconds(250)
  /// Heights that a slice's transaction stays valid. Short: a hold is stuck that long if it never becomes final.
  static let carrierLifetime: Height = 64
  static let resend = Span.seconds(2)
  static let retry = Span.milliseconds(250)
  static let submitDeadline = Span.seconds(5)
  /// Records and receipts are read back from the edge's disk.
  static let questionDeadline = Span.seconds(2)
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
  var nextJobNumber: UInt64 = 0
  /// What the block at hand says something about.
  var touched: [ActivationID] = []
  /// Transactions that the ledger has to answer.
  var awaited: [Digest: ActivationID] = [:]
  /// The ledger is read.
  var isReady = false
  var announcements = Announcements()

  var closings: [UInt64: Closing] = [:]
  var releasing: [UInt64: Releasing] = [:]
  /// Reservations whose transaction is kept, and the lowest that may be.
  var kept: Set<UInt64> = []
  var lowestKept: UInt64 = 1
  /// Recovered slices by activation, ascending, until the ledger has told what became of them.
  var recovered: [ActivationID: [KeptSlice]] = [:]
  /// Recovered slices whose transaction was not durable and so never left.
  private var neverSigned: [SliceRecord] = []

  var served: UInt64 = 0
  var rejected: UInt64 = 0

  /// What each open request is about. Every one has a deadline.
  enum Asked: Sendable {
    case submission(Digest, ActivationID?, to: ActorAddress)
    case allocation(ActivationID, ReservationID, ResourceDomain)
    case subnetRelease(reservation: UInt64, ResourceDomain)
    case duty(ActivationID, ActorAddress)
    case closing(reservation: UInt64)
    case report(ActivationID, ReportPurpose)
    case material(ActivationID, EpochNumber, MaterialPurpose)
  }

  var asked: [RequestID: Asked] = [:]

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
    var carriers: [UInt64: SignedTransaction] = [:]
    for record in records {
      switch record.stream {
      case SliceRecord.stream: slices.append(try SliceRecord(decoding: record.bytes))
      case Stream.carriers where !record.bytes.isEmpty:
        carriers[record.key] = try SignedTransaction(Envelope(bytes: record.bytes))
        kept.insert(record.key)
      default: break
      }
    }
    calendar = try ReservationCalendar(substrate: configuration.substrate, recovering: slices)
    for slice in slices {
      nextReservation = max(nextReservation, slice.id.number + 1)
      try recover(slice, carriers[slice.key])
    }
    lowestKept = kept.min() ?? nextReservation
  }

  private mutating func recover(_ slice: SliceRecord, _ carrier: SignedTransaction?) throws {
    if slice.state == .released, slice.subSlices.contains(where: { $0.phase == .releasing }) {
      releasing[slice.key] = Releasing(slice: slice, parts: [])
    }
    if let carrier, carrier.transaction.action.carried != nil {
      recovered[slice.activation, default: []].append(KeptSlice(slice: slice, carrier: carrier))
    } else if slice.state == .held {
      neverSigned.append(slice)
    } else if slice.state == .confirmed {
      throw HaltReason("\(address): slice \(slice.key) is confirmed without its transaction. Restore the database.")
    }
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started: start(&turn)
    case .published(_, _, let message):
      if case .ledger(let segment) = message.value { take(follower.published(segment, &turn, &numbers), &turn) }
    case .timer(let timer): timerFired(timer, &turn)
    case .request(let token, let asker, let message): answer(token, asker, message.value, &turn)
    case .response(let id, let result): response(id, result, &turn)
    case .datagrams, .recalled, .ledger: break
    }
    return turn.effects
  }

  private mutating func start(_ turn: inout Turn) {
    for key in releasing.keys.sorted() {
      if let slice = releasing.removeValue(forKey: key)?.slice { startReleasing(slice, &turn) }
    }
    for slice in neverSigned {
      forget(reservation: slice.key, &turn)
      release(slice, &turn)
    }
    neverSigned = []
    follower.start(&turn, &numbers)
  }

  private mutating func timerFired(_ timer: TimerID, _ turn: inout Turn) {
    switch timer.purpose {
    case LedgerFollower.timerPurpose: follower.timer(&turn, &numbers)
    case Purpose.announce: announceMissing(&turn)
    case Purpose.closing: askToClose(timer.index, &turn)
    case Purpose.releasing: askToRelease(timer.index, &turn)
    case Purpose.job:
      if let activation = jobNumbers[timer.index] { advance(activation, &turn) }
    default: break
    }
  }

  /// Does what the activation needs next, and sets its timer. Called when the ledger, an edge or a domain said
  /// something about it and by the timer; doing it twice does no harm.
  mutating func advance(_ activation: ActivationID, _ turn: inout Turn) {
    guard isReady, jobs[activation] != nil else { return }
    var wake = decideIfDue(activation, &turn)
    wake = earliest(wake, advanceStitching(activation, &turn))
    wake = earliest(wake, advanceErrands(activation, &turn))
    wake = earliest(wake, releaseSuperseded(activation, &turn))
    // An edge is given what the ledger shows before it is asked what it holds.
    wake = earliest(wake, advanceLines(activation, &turn))
    wake = earliest(wake, advanceDemands(activation, &turn))
    wake = earliest(wake, advanceSettlement(activation, &turn))
    guard let wake, let job = jobs[activation] else { return }
    turn.add(.setTimer(TimerID(Purpose.job, job.number), at: max(turn.now, wake)))
  }

  // MARK: Requests and answers

  private mutating func answer(_ token: ReplyToken, _ asker: ActorAddress, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .activationRequested(let activation):
      // The ledger says the same; acknowledged once this controller reads it there.
      if jobs[activation] != nil || follower.hasCaughtUp {
        turn.add(.reply(token, .acknowledged))
      } else {
        turn.add(.refuse(token, RemoteError(.unavailable, "still reading the ledger")))
      }
    case .proposeSettlement(let message): settlementProposed(token, message.envelope, &turn)
    case .requestHandover(let request): handoverRequested(token, asker, request, &turn)
    case .proposeSegment(let message): segmentProposed(token, message.envelope, &turn)
    case .getStatus:
      turn.add(
        .reply(
          token,
          .status([
            StatusItem("height", follower.height), StatusItem("contracts", announcements.deployed.count),
            StatusItem("reservations", calendar.count), StatusItem("activations", jobs.count),
            StatusItem("closings", closings.count), StatusItem("releases", releasing.count),
            StatusItem("served", served), StatusItem("rejected", rejected),
          ])))
    default:
      let text = "a controller answers activationRequested, settlements, handovers, segments and status"
      turn.add(.refuse(token, RemoteError(.unimplemented, text)))
    }
  }

  private mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if let blocks = follower.response(id, result, &turn, &numbers) { return take(blocks, &turn) }
    guard let about = asked.removeValue(forKey: id) else { return }
    switch about {
    case .submission(let transaction, let activation, let member):
      submitted(transaction, activation, member, result, &turn)
    case .allocation(let activation, let reservation, let domain):
      allocationAnswered(id, activation, reservation, domain, result, &turn)
    case .subnetRelease(let reservation, let domain): releaseAnswered(reservation, domain, result, &turn)
    case .duty(let activation, let edge): dutyAnswered(id, activation, edge, result, &turn)
    case .closing(let reservation): closed(reservation, result, &turn)
    case .report(let activation, let purpose):
      closeQuestion(id, activation)
      reported(activation, purpose, result, &turn)
    case .material(let activation, let epoch, let purpose):
      closeQuestion(id, activation)
      materialArrived(activation, epoch, purpose, result, &turn)
    }
  }

  // MARK: Questions to the anchor edge

  /// One at a time and activation; it has a deadline, so an answer always comes.
  mutating func ask(_ about: Asked, _ message: Message, of activation: ActivationID, _ turn: inout Turn) {
    guard let anchor = jobs[activation]?.service?.parties.anchorEdge, let place = place(anchor) else { return }
    let id = numbers.next()
    asked[id] = about
    jobs[activation]?.question = id
    turn.add(.request(id, to: place.address, message, deadline: Self.questionDeadline))
  }

  private mutating func closeQuestion(_ id: RequestID, _ activation: ActivationID) {
    if jobs[activation]?.question == id { jobs[activation]?.question = nil }
  }

  /// Asks again, later and later.
  mutating func askLater(_ activation: ActivationID, _ turn: inout Turn) {
    let pause = jobs[activation]?.questionBackoff.failed() ?? Backoff.longest
    jobs[activation]?.notBefore = turn.now + pause
    advance(activation, &turn)
  }
}
