import Effects
import Messages
import Signing

/// One JIT contract as an actor, `contract/<id>`: anyone may read its terms, a quote and its history, and activate
/// it (§3.1). It holds no money and decides nothing; the ledger does. It passes orders on to a member, its operator's
/// first, and tells its owner, the operator's controller, when one is FINAL. Nothing depends on its telling: the
/// controller reads the same ledger.
public struct ContractCore: RoleCore {
  public struct Configuration: Sendable {
    public var genesis: Genesis
    public var terms: ContractTerms
    /// Members to follow and to submit to, its operator's first.
    public var validators: [ActorAddress]
    public var owner: ActorAddress

    public init(genesis: Genesis, terms: ContractTerms, validators: [ActorAddress], owner: ActorAddress) {
      self.genesis = genesis
      self.terms = terms
      self.validators = validators
      self.owner = owner
    }
  }

  /// Activations in the history an actor keeps; the ledger keeps them all.
  public static let historyLimit = 4096
  /// How long an activation may take to be accepted by the member: less than the customer waits.
  static let submitDeadline = Span.milliseconds(800)
  /// Customers waiting at once; more are refused.
  static let maximumSubmissions = 4096
  static let notifyDeadline = Span.seconds(2)
  static let renotify: UInt16 = 2
  /// Orders the owner may still have to be told of; of more the oldest are left to what it reads itself.
  static let maximumUnacknowledged = 4096

  private let configuration: Configuration
  public let address: ActorAddress
  private var follower: LedgerFollower
  private var numbers = RequestNumbers()
  private var members: MemberRotation
  private var status: ContractStatus?
  /// Final states by order of their ending, oldest first; live activations by id.
  private var ended: [ActivationChange] = []
  private var live: [ActivationID: ActivationChange] = [:]
  /// Customers waiting for a member's answer.
  private var submissions: [RequestID: (asker: ReplyToken, member: ActorAddress)] = [:]
  /// Orders the owner has not acknowledged yet, oldest first from `nextToTell` on; those that ended are passed over.
  private var unacknowledged: [ActivationID] = []
  private var nextToTell = 0
  private var notifying: RequestID?
  private var notifyBackoff = Backoff()

  public var subscriptions: [Subscription] { follower.subscriptions }

  public init(_ configuration: Configuration) {
    self.configuration = configuration
    address = .contract(configuration.terms.id)
    follower = LedgerFollower(genesis: configuration.genesis, sources: configuration.validators)
    members = MemberRotation(configuration.validators)
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started: follower.start(&turn, &numbers)
    case .published(_, _, let message):
      if case .ledger(let segment) = message.value {
        take(follower.published(segment, &turn, &numbers), &turn)
      }
    case .timer(let timer) where timer.purpose == LedgerFollower.timerPurpose: follower.timer(&turn, &numbers)
    case .timer: notifyOwner(&turn)
    case .request(let token, _, let message): answer(token, message.value, &turn)
    case .response(let id, let result): response(id, result, &turn)
    case .datagrams, .recalled, .ledger: break
    }
    return turn.effects
  }

  private mutating func answer(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .getTerms:
      turn.add(.reply(token, .terms(ContractDescription(terms: configuration.terms, status: status))))
    case .getQuote(let epochs): quote(token, epochs, &turn)
    case .getHistory:
      let running = live.values.sorted { $0.activation < $1.activation }
      turn.add(.reply(token, .history((ended + running).suffix(Self.historyLimit))))
    case .activate(let transaction): activate(token, transaction, &turn)
    case .getStatus:
      turn.add(
        .reply(
          token,
          .status([
            StatusItem("contract", configuration.terms.id.hexadecimal),
            StatusItem("profile", configuration.terms.service.profile),
            StatusItem("status", status.map { "\($0)" } ?? "not deployed"), StatusItem("height", follower.height),
            StatusItem("live", live.count), StatusItem("ended", ended.count),
          ])))
    default:
      let text = "a contract answers terms, quote, history, activate, status"
      turn.add(.refuse(token, RemoteError(.unimplemented, text)))
    }
  }

  private func quote(_ token: ReplyToken, _ epochs: UInt64, _ turn: inout Turn) {
    let terms = configuration.terms
    let (least, most) = (terms.context.minimumEpochs, terms.context.maximumEpochs)
    guard least <= epochs, epochs <= most, let escrow = try? terms.escrow(epochs: epochs),
      let bond = try? terms.bond(epochs: epochs)
    else {
      let text = "epochs: this contract sells \(least) to \(most), not \(epochs)"
      turn.add(.refuse(token, RemoteError(.invalidArgument, text)))
      return
    }
    turn.add(.reply(token, .quote(Quote(contract: terms.id, epochs: epochs, escrow: escrow, bond: bond))))
  }

  private mutating func activate(_ token: ReplyToken, _ transaction: SignedTransaction, _ turn: inout Turn) {
    guard case .activate(let order) = transaction.transaction.action, order.contract == configuration.terms.id else {
      turn.add(.refuse(token, RemoteError(.invalidArgument, "not an activation of this contract")))
      return
    }
    guard submissions.count < Self.maximumSubmissions else {
      turn.add(.refuse(token, RemoteError(.tooManyRequests, "\(Self.maximumSubmissions) orders are under way")))
      return
    }
    let id = numbers.next()
    let member = members.member()
    submissions[id] = (token, member)
    turn.add(.request(id, to: member, .submit(transaction), deadline: Self.submitDeadline))
  }

  private mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if let blocks = follower.response(id, result, &turn, &numbers) {
      take(blocks, &turn)
    } else if let (asker, member) = submissions.removeValue(forKey: id) {
      switch result {
      case .success(let message): turn.add(.reply(asker, message.value))
      case .failure(let error):
        if error.isOfThisReceiver { members.failed(member) }
        turn.add(.refuse(asker, error))
      }
    } else if id == notifying {
      notifying = nil
      switch result {
      case .success:
        notifyBackoff.succeeded()
        nextToTell += 1
        notifyOwner(&turn)
      case .failure: turn.add(.setTimer(TimerID(Self.renotify), at: turn.now + notifyBackoff.failed()))
      }
    }
  }

  private mutating func take(_ blocks: [Block], _ turn: inout Turn) {
    let id = configuration.terms.id
    for block in blocks {
      for notice in LedgerView.notices(of: block, where: concerns) {
        switch notice {
        case .deployed(id, _): status = .active
        case .statusSet(id, let new): status = new
        case .ordered(let activation, let order, _, _) where order.contract == id:
          live[activation] = ActivationChange(
            activation: activation, state: .requested, statusInfo: nil, settlement: nil, money: ActivationMoney(),
            epochs: order.epochs)
          mustTell(activation)
        case .changed(let change) where live[change.activation] != nil: changed(change)
        default: break
        }
      }
    }
    notifyOwner(&turn)
  }

  /// Its own deployment and status, and the orders that name it.
  private func concerns(_ glance: LedgerView.Glance) -> Bool {
    switch glance.kind {
    case .deployContract: status == nil
    case .setContractStatus, .activate: glance.subject == configuration.terms.id.value
    case .extend, .renegotiate, .demandRecord, .announceMaintenance, nil: false
    }
  }

  private mutating func changed(_ change: ActivationChange) {
    guard change.state.isFinal else {
      live[change.activation] = change
      return
    }
    live[change.activation] = nil
    ended.append(change)
    if ended.count > Self.historyLimit * 2 { ended.removeFirst(Self.historyLimit) }
  }

  /// One at a time, in order, until the owner has acknowledged each. What is read of the past is nobody's news.
  private mutating func notifyOwner(_ turn: inout Turn) {
    guard follower.hasCaughtUp, notifying == nil else { return }
    while nextToTell < unacknowledged.count, live[unacknowledged[nextToTell]] == nil { nextToTell += 1 }
    guard nextToTell < unacknowledged.count else {
      unacknowledged.removeAll(keepingCapacity: true)
      nextToTell = 0
      return
    }
    let id = numbers.next()
    notifying = id
    turn.add(
      .request(
        id, to: configuration.owner, .activationRequested(unacknowledged[nextToTell]), deadline: Self.notifyDeadline))
  }

  private mutating func mustTell(_ activation: ActivationID) {
    if unacknowledged.count - nextToTell >= Self.maximumUnacknowledged, notifying == nil { nextToTell += 1 }
    if nextToTell >= Self.maximumUnacknowledged {
      unacknowledged.removeFirst(nextToTell)
      nextToTell = 0
    }
    unacknowledged.append(activation)
  }
}
