import Effects
import Messages
import Signing

/// A customer: registers its enclaves, chooses among offers, activates what its plan says when it says, hands each
/// RESERVED activation to its enclave, sends the application's packets through it, takes part in those flows of other
/// customers that it agreed to, moves, extends, demands what it is owed, and settles by the last joint record.
///
/// The signed order is durable before it leaves, so a restart sends the same bytes and never buys twice. It acts only
/// once it knows the ledger up to now; the ledger, not its own memory, says how far each purchase has come, and what
/// it read of an earlier life is told once, as it stands, not as news.
///
/// A block costs what it says about this customer's purchases, and nothing when it says nothing: one of the customers
/// of a process reads for all. Everything else waits for its own timer.
public struct CustomerCore: RoleCore {
  static let resend = Span.seconds(2)
  static let retry = Span.milliseconds(200)
  /// Short: what is bought is wanted within seconds, everything asked is answered at once, and asking again is safe.
  static let requestDeadline = Span.seconds(1)
  /// Between two looks at an enclave that should have finished: at first, and later.
  static let pollInterval = Span.milliseconds(100)
  static let longestPollInterval = Span.seconds(2)
  /// Between two batches of application packets at least.
  static let trafficInterval = Span.milliseconds(10)
  /// What a stall or a crash delays beyond this is skipped, as a live source would: a burst sent to catch up would wait
  /// in the slice's queue, and the operator would pay for that delay.
  static let trafficCatchUp = Span.milliseconds(20)
  /// Application packets in one batch.
  static let trafficBatch: UInt64 = 256
  /// Heights that a transaction stays valid.
  static let transactionLifetime = Transaction.orderLifetime
  /// A customer whose operator does not settle with it settles alone after this.
  static let settlementPatience = Span.seconds(10)

  enum Purpose {
    static let purchase: UInt16 = 2
    static let traffic: UInt16 = 3
    static let enclave: UInt16 = 4
    static let errands: UInt16 = 5
  }

  /// Durable: when the scenario began; by position in the plan the signed orders, the terms of offers that were
  /// searched for and the invitations sent; by ``GuestKey`` the orders this customer consented to.
  public enum Stream {
    public static let scenario: UInt16 = 1
    public static let orders: UInt16 = 2
    public static let offers: UInt16 = 3
    public static let invitations: UInt16 = 4
    public static let consents: UInt16 = 5
  }

  /// What each open request is about.
  enum Asked: Sendable {
    case evidence(enclave: Int)
    case registration(to: ActorAddress)
    case purchase(Int, Question, of: ActorAddress)
    case errand(Int, Errand, of: ActorAddress)
  }

  enum Question: Sendable {
    case offers
    case invitation
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
    case errand(Int, Errand)
  }

  let configuration: Configuration
  public let address: ActorAddress
  let key: PublicKey
  let directory: Directory
  /// Nil where another role of this process reads.
  var feed: LedgerFeed?
  /// What the ledger said up to here is known.
  var tip: LedgerTip
  var numbers = RequestNumbers()
  var nonces: NonceSource
  var members: MemberRotation
  var promises: MemberPromises
  var start: Instant?
  /// Those of the plan in its order, then the flows taken part in.
  var purchases: [Purchase]
  var indexes: [ActivationID: Int] = [:]
  /// Guests' consents that no order has used yet, by who will sign it.
  var consents: [PublicKey: [Int]] = [:]
  /// Enclave names in order of first use, and their registrations.
  let enclaves: [String]
  var registrations: [Registration]
  var registrationBackoffs: [Backoff]
  /// Own registrations seen on the ledger.
  var attested: [PublicKey: Instant] = [:]
  /// Digest of the evidence that each of them stands on: receipts name it.
  var evidence: [PublicKey: Digest] = [:]
  /// Evidence accepted in the block that is being read, whoever's: its event says whose.
  var evidenceInBlock: [PublicKey: Digest] = [:]
  /// Contracts of the plan that are not deployed yet.
  var undeployed: Set<ContractID>
  /// Interruptions announced so far.
  var announcements = Announcements()
  var asked: [RequestID: Asked] = [:]
  var awaited: [Digest: Awaited] = [:]
  /// Whose stage the block at hand changed.
  var touched: [Int] = []
  /// Due, and waiting for a contract or a registration.
  var blocked: Set<Int> = []
  var isReady = false
  private var received: UInt64 = 0

  public var subscriptions: [Subscription] { feed?.subscriptions ?? [] }

  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws {
    self.configuration = configuration
    address = ActorAddress(.customer, configuration.name)
    key = configuration.treasuryKey.publicKey
    directory = configuration.directory
    feed = configuration.feed
    tip = LedgerTip(height: 0, hash: configuration.genesis.networkID, time: configuration.genesis.time)
    nonces = NonceSource(seed: configuration.entropy)
    members = MemberRotation(configuration.validators)
    promises = MemberPromises(genesis: configuration.genesis, validators: configuration.validators)
    purchases = configuration.plan.map { Purchase(part: .payer($0)) }
    undeployed = Set(configuration.plan.compactMap(\.offer.terms?.id))
    var names: [String] = []
    for name in configuration.plan.map(\.enclave) + configuration.acceptances.map(\.enclave)
    where !names.contains(name) { names.append(name) }
    enclaves = names
    registrations = names.map { _ in .none }
    registrationBackoffs = names.map { _ in Backoff() }
    try recover(records)
  }

  private mutating func recover(_ records: [StoredRecord]) throws {
    var offers: [UInt64: ContractTerms] = [:]
    for record in records where record.stream == Stream.offers {
      offers[record.key] = try ContractTerms(decoding: record.bytes)
    }
    // In this order: an invitation that became an order is one.
    for record in records where record.stream == Stream.invitations {
      recoverInvitation(Int(record.key), try FlowInvitation(decoding: record.bytes), offers[record.key])
    }
    for record in records {
      switch record.stream {
      case Stream.scenario: start = try Instant(decoding: record.bytes)
      case Stream.orders: try recoverOrder(Int(record.key), Envelope(bytes: record.bytes), offers[record.key])
      case Stream.consents: recoverConsent(GuestKey(record.key), try FlowInvitation(decoding: record.bytes))
      default: break
      }
    }
  }

  private mutating func recoverOrder(_ index: Int, _ envelope: Envelope, _ found: ContractTerms?) throws {
    guard configuration.plan.indices.contains(index),
      case .activate(let order) = try envelope.decode(Transaction.self).action,
      let terms = found ?? configuration.plan[index].offer.terms, terms.id == order.contract
    else { return }
    ordered(index, Booking(terms: terms, order: order, envelope: envelope))
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started: started(&turn)
    case .published(_, _, let message):
      if case .ledger(let segment) = message.value {
        take(feed?.published(segment, &turn, &numbers) ?? [], &turn)
      }
    case .ledger(let tip, let notices):
      take(notices, at: tip, &turn)
      act(&turn)
    case .timer(let timer): timerFired(timer, &turn)
    case .request(let token, let from, let message): answer(token, from, message.value, &turn)
    case .response(let id, let result): response(id, result, &turn)
    case .datagrams(let datagrams): received += UInt64(datagrams.count)
    case .recalled: break
    }
    for effect in promises.sending(turn.effects, &numbers) { turn.add(effect) }
    return turn.effects
  }

  private mutating func started(_ turn: inout Turn) {
    if start == nil {
      start = turn.now
      turn.add(.persist(.put(stream: Stream.scenario, key: 0, bytes: turn.now.encoded)))
    }
    feed?.start(&turn, &numbers)
  }

  private mutating func timerFired(_ timer: TimerID, _ turn: inout Turn) {
    let index = Int(clamping: timer.index)
    switch timer.purpose {
    case LedgerFollower.timerPurpose: feed?.timer(&turn, &numbers)
    case Purpose.purchase where index < purchases.count: advance(index, &turn)
    case Purpose.traffic where index < purchases.count: sendTraffic(index, &turn)
    case Purpose.errands where index < purchases.count: runErrands(index, &turn)
    case Purpose.enclave where index < enclaves.count: registerEnclave(index, &turn)
    default: break
    }
  }

  private mutating func answer(
    _ token: ReplyToken, _ from: ActorAddress, _ message: Message, _ turn: inout Turn
  ) {
    switch message {
    case .getStatus: turn.add(.reply(token, .status(status(at: turn.now))))
    case .inviteToFlow(let invitation): invited(token, from, invitation, &turn)
    default:
      turn.add(.refuse(token, RemoteError(.unimplemented, "a customer answers invitations and getStatus")))
    }
  }

  private func status(at now: Instant) -> [StatusItem] {
    var items = [StatusItem("height", tip.height), StatusItem("packetsReceived", received)]
    for purchase in purchases.prefix(StatusItem.maximumItems - items.count) {
      let text = "\(purchase.availability(at: now)) (\(purchase.stage.name))"
      items.append(StatusItem("purchase.\(purchase.part.label)", text))
    }
    // Which activation of the ledger each order became: nobody else knows the plan's names.
    for progress in progress.prefix(StatusItem.maximumItems - items.count) {
      if let refusal = progress.refusal {
        items.append(StatusItem("refusal.\(progress.label)", String(refusal.prefix(200))))
      } else if let activation = progress.activation {
        items.append(StatusItem("activation.\(progress.label)", activation.hexadecimal))
      }
    }
    return items
  }

  private mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if let news = feed?.response(id, result, &turn, &numbers) { return take(news, &turn) }
    if case .worthless(let member) = promises.answered(id, result) {
      // Refused, counted; what was submitted goes to somebody else next.
      turn.count("customer.acknowledgementRefused")
      turn.note("\(member) acknowledged something else than what was submitted to it", .warning)
      members.failed(member)
    }
    guard let about = asked.removeValue(forKey: id) else { return }
    switch about {
    case .evidence(let enclave): evidenceArrived(enclave, result, &turn)
    case .registration(let member): submitted(to: member, result)
    case .purchase(let index, let question, let asked):
      submitted(to: asked, result)
      guard purchases[index].question == id else { return }
      purchases[index].question = nil
      answered(index, question, result, of: asked, &turn)
    case .errand(let index, let errand, let asked):
      submitted(to: asked, result)
      errandAnswered(index, errand, id, result, &turn)
    }
  }

  /// A member that did not answer is passed over by everything that goes to members.
  private mutating func submitted(to member: ActorAddress, _ result: Result<Verified<Message>, RemoteError>) {
    if case .failure(let error) = result, error.isOfThisReceiver { members.failed(member) }
  }

  /// - Parameter identity: where somebody else has countersigned it already.
  mutating func sign(_ action: Action, as identity: (nonce: UInt64, expiry: Height)? = nil) -> SignedTransaction {
    let (nonce, expiry) = identity ?? (nonces.next(), tip.height + Self.transactionLifetime)
    return SignedTransaction(
      signing: Transaction(nonce: nonce, expiry: expiry, action: action),
      with: configuration.treasuryKey, network: configuration.genesis.networkID)
  }
}

extension OfferChoice {
  var terms: ContractTerms? {
    switch self {
    case .contract(let terms): terms
    case .cheapest: nil
    }
  }
}

/// Who the organisations of the genesis are; one for all customers of a process. Keys enrolled later are the ledger's
/// to judge: what this party signs or pays, it checks again.
public struct Directory: Sendable {
  private let organisations: [PublicKey: OrganisationID]
  private let names: [OrganisationID: String]

  public init(_ genesis: Genesis) {
    var organisations: [PublicKey: OrganisationID] = [:]
    var names: [OrganisationID: String] = [:]
    for organisation in genesis.organisations {
      names[organisation.id] = organisation.name
      for enrolment in organisation.keys { organisations[enrolment.key] = organisation.id }
    }
    (self.organisations, self.names) = (organisations, names)
  }

  func organisation(of key: PublicKey) -> OrganisationID? { organisations[key] }
  func name(of organisation: OrganisationID) -> String? { names[organisation] }
}
