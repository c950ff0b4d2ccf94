import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

/// Drives one core by hand: carries out its effects in order, keeps its disk, remembers what it asked, and answers its
/// ledger follower from a chain.
struct Driver<Core: RoleCore> {
  struct Request {
    let id: RequestID
    let to: ActorAddress
    let message: Message
  }

  let make: ([StoredRecord]) throws -> Core
  var core: Core
  private(set) var now: Instant
  private(set) var disk: [UInt16: [UInt64: [UInt8]]] = [:]
  /// Open requests, oldest first.
  private(set) var requests: [Request] = []
  private(set) var replies: [ReplyToken: Result<Message, RemoteError>] = [:]
  private(set) var timers: [TimerID: Instant] = [:]
  private(set) var steps: [ActivationStep] = []
  private(set) var recalls: [RequestID] = []
  private(set) var halts: [HaltReason] = []
  private(set) var counts: [String: UInt64] = [:]
  /// What it read for others.
  private(set) var told: [LedgerNews] = []
  /// Asked about every request as it leaves, with the disk as it is then.
  var inspect: (Message, [UInt16: [UInt64: [UInt8]]]) -> Void = { _, _ in }
  private var lastToken: UInt64 = 0

  init(at now: Instant, _ make: @escaping ([StoredRecord]) throws -> Core) throws {
    self.make = make
    self.now = now
    core = try make([])
  }

  // MARK: Life

  mutating func start(_ chain: Chain) {
    handle(.started)
    readLedger(chain)
  }

  /// The core dies; its disk does not. The next life reads the ledger from its first block.
  mutating func restart(_ chain: Chain, after span: Span = .zero) throws {
    var records: [StoredRecord] = []
    for stream in disk.keys.sorted() {
      for (key, bytes) in (disk[stream] ?? [:]).sorted(by: { $0.key < $1.key }) {
        records.append(StoredRecord(stream: stream, key: key, bytes: bytes))
      }
    }
    now = now + span
    core = try make(records)
    (requests, timers, steps) = ([], [:], [])
    start(chain)
  }

  // MARK: Events

  mutating func handle(_ event: Event) {
    for effect in core.handle(event, at: now) { perform(effect) }
  }

  private mutating func perform(_ effect: Effect) {
    switch effect {
    case .persist(.put(let stream, let key, let bytes)): disk[stream, default: [:]][key] = bytes
    case .persist(.prune(let stream, let below)): disk[stream] = disk[stream]?.filter { $0.key >= below }
    case .request(let id, let to, let message, _):
      inspect(message, disk)
      requests.append(Request(id: id, to: to, message: message))
    case .reply(let token, let message): replies[token] = .success(message)
    case .refuse(let token, let error): replies[token] = .failure(error)
    case .setTimer(let timer, let at): timers[timer] = at
    case .cancelTimer(let timer): timers[timer] = nil
    case .observe(.activation(_, let step)): steps.append(step)
    case .observe(.counted(let name, let amount)): counts[name, default: 0] += amount
    case .halt(let reason): halts.append(reason)
    case .recall(let id, _, _, _): recalls.append(id)
    case .tell(let news): told.append(news)
    case .persist(.retire), .observe, .publish, .recognise, .transmit: break
    }
  }

  /// Answers every open question for segments until none is open.
  mutating func readLedger(_ chain: Chain, by answer: Result<Message, RemoteError>? = nil) {
    while let index = requests.firstIndex(where: { $0.message.isSegmentQuestion }) {
      let request = requests.remove(at: index)
      guard case .consensus(.getSegments(let from)) = request.message else { continue }
      let segments = chain.segments.filter { ($0.blocks.last?.header.height ?? 0) >= from }
      deliver(answer ?? .success(.consensus(.segments(segments))), to: request)
      if answer != nil { return }
    }
  }

  /// The chain's last block, as a member publishes it; the clock goes with it.
  mutating func publish(_ segment: LedgerSegment, by publisher: ActorAddress = Chain.validators[0]) {
    if let time = segment.blocks.last?.header.time { now = max(now, time) }
    handle(.published(Subscription(publisher, .ledger), gap: 0, Verified(.ledger(segment))))
  }

  mutating func takeTold() -> [LedgerNews] {
    defer { told = [] }
    return told
  }

  /// What another core has read for this one; the clock goes with it.
  mutating func hear(_ news: [LedgerNews]) {
    for news in news {
      now = max(now, news.tip.time)
      let share = news.shares.first { news.readers[$0.reader] == core.address }
      handle(.ledger(news.tip, share?.notices ?? []))
    }
  }

  mutating func deliver(_ result: Result<Message, RemoteError>, to request: Request) {
    handle(.response(request.id, result.map { Verified($0) }))
  }

  mutating func clear(_ timer: TimerID) { timers[timer] = nil }

  /// The oldest open request whose message `matches`; it is open no longer.
  mutating func takeRequest(where matches: (Message) -> Bool) -> Request? {
    requests.firstIndex { matches($0.message) }.map { requests.remove(at: $0) }
  }

  /// Answers the oldest open request that `matches`.
  /// - Returns: whether there was one.
  @discardableResult
  mutating func answer(_ result: Result<Message, RemoteError>, _ matches: (Request) -> Bool) -> Bool {
    guard let index = requests.firstIndex(where: matches) else { return false }
    deliver(result, to: requests.remove(at: index))
    return true
  }

  mutating func ask(_ message: Message, by asker: ActorAddress = ActorAddress(.client, "test")) -> ReplyToken {
    lastToken += 1
    let token = ReplyToken(lastToken)
    handle(.request(token, from: asker, Verified(message)))
    return token
  }

  /// Lets time pass: due timers fire in order.
  mutating func wait(_ span: Span) {
    let end = now + span
    while let (timer, at) = timers.min(by: { Self.order($0) < Self.order($1) }), at <= end {
      timers[timer] = nil
      now = max(now, at)
      handle(.timer(timer))
    }
    now = end
  }

  private static func order(_ timer: (key: TimerID, value: Instant)) -> (Instant, UInt16, UInt64) {
    (timer.value, timer.key.purpose, timer.key.index)
  }

  // MARK: What was asked

  /// Takes the open submissions out, oldest first.
  mutating func takeSubmissions() -> [(to: ActorAddress, transaction: SignedTransaction)] {
    var taken: [(ActorAddress, SignedTransaction)] = []
    requests.removeAll { request in
      guard case .submit(let transaction) = request.message else { return false }
      taken.append((request.to, transaction))
      return true
    }
    return taken
  }

  func count(_ matches: (Message) -> Bool) -> Int { requests.count { matches($0.message) } }
}

extension Message {
  var isSegmentQuestion: Bool { if case .consensus(.getSegments) = self { true } else { false } }
  var isOpenService: Bool { if case .openService = self { true } else { false } }
  var isCloseService: Bool { if case .closeService = self { true } else { false } }
  var isEndSession: Bool { if case .endSession = self { true } else { false } }
  var isServiceReportQuestion: Bool { if case .getServiceReport = self { true } else { false } }
  var isOpenSession: Bool { if case .openSession = self { true } else { false } }
  var isEnclaveStatusQuestion: Bool { if case .getEnclaveStatus = self { true } else { false } }
  var isEvidenceQuestion: Bool { if case .getEvidence = self { true } else { false } }
  var isActivate: Bool { if case .activate = self { true } else { false } }
  var isProposal: Bool { if case .proposeSettlement = self { true } else { false } }
}
