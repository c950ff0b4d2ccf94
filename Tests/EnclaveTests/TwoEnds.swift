import Effects
import Enclave
import Messages
import Metering
import Roles
import Signing

/// An enclave and an edge in virtual time, with a control link and a data link between them that lose, delay and
/// double what the story says. The customer's host and the controller are the story itself.
final class TwoEnds {
  enum End: Int, CaseIterable { case enclave, edge }

  struct Link {
    /// Parts per thousand.
    var loss: UInt64 = 0
    var duplicates: UInt64 = 0
    var delay: Span = .microseconds(500)
    /// Cut between these.
    var cut: Range<Instant>?
  }

  static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
  static let hostPort = DataAddress.loopback(port: 1)
  static let applicationPort = DataAddress.loopback(port: 2)
  static let enclavePort = DataAddress.loopback(port: 3)
  static let edgePort = DataAddress.loopback(port: 4)
  static let endpointPort = DataAddress.loopback(port: 5)
  static let customer = ActorAddress(.customer, "hospital")
  static let controller = ActorAddress(.controller, "alpha")

  var now = TwoEnds.start - .seconds(1)
  var control = Link()
  /// Between enclave and edge: the access segment.
  var access = Link(delay: .microseconds(200))
  var records: [JointRecord] = []
  var notes: [String] = []
  /// Where the customer's application is.
  var host = TwoEnds.hostPort
  var delivered = 0
  var counted: [String: UInt64] = [:]
  /// Changes what the edge answers, for a story about forgery.
  var tamper: ((Message) -> Message)?

  let terms: ContractTerms
  let order: ActivationOrder
  let confirmation: SliceConfirmation
  let activation = ActivationID(Digest(hashing: [2]))
  private let impairment: PathImpairment?
  private let context: VerificationContext
  private var random: UInt64
  private var cores: [End: any RoleCore] = [:]
  private var disks: [End: [UInt16: [UInt64: [UInt8]]]] = [.enclave: [:], .edge: [:]]
  private var lives: [End: Int] = [.enclave: 0, .edge: 0]
  private var timers: [End: [TimerID: Int]] = [.enclave: [:], .edge: [:]]
  private var open: Set<[UInt64]> = []
  private var tokens: [UInt64: (asker: End?, life: Int, id: RequestID)] = [:]
  private var nextNumber = 0
  private var agenda: [(at: Instant, number: Int, action: () throws -> Void)] = []
  private var verifier: Verifier

  static func key(_ number: UInt8) throws -> SigningKey {
    try SigningKey(seed: [UInt8](repeating: number, count: 32), scheme: .simulated)
  }

  init(_ terms: ContractTerms, epochs: UInt64 = 6, impairment: PathImpairment? = nil, seed: UInt64 = 1) throws {
    self.terms = terms
    self.impairment = impairment
    random = seed
    context = VerificationContext(network: Digest(hashing: [1]), scheme: .simulated, members: [])
    verifier = Verifier(context: context)
    order = ActivationOrder(
      contract: terms.id, epochs: epochs, earliestStart: .zero, latestStart: .distantFuture, cell: "cell", peer: "peer",
      enclaves: [try Self.key(1).publicKey])
    confirmation = SliceConfirmation(
      activation: activation, planHash: .zero, startAt: Self.start, edge: try Self.key(2).publicKey)
    try boot(.enclave)
    try boot(.edge)
  }

  // MARK: Cores

  private func boot(_ end: End) throws {
    let stored = (disks[end] ?? [:]).sorted { $0.key < $1.key }.flatMap { stream, rows in
      rows.sorted { $0.key < $1.key }.map { StoredRecord(stream: stream, key: $0.key, bytes: $0.value) }
    }
    let clock = ClockQuality(source: .common, synchronised: true, errorBound: .microseconds(50))
    switch end {
    case .enclave:
      cores[end] = try EnclaveCore(
        EnclaveCore.Configuration(
          name: "console", network: context.network, customer: Self.customer, receiptKey: try Self.key(1),
          agreementKey: try KeyAgreementKey(seed: [UInt8](repeating: 1, count: 32)),
          applicationPort: Self.applicationPort, networkPort: Self.enclavePort, clock: clock), recovering: stored)
    case .edge:
      cores[end] = try EdgeCore(
        EdgeCore.Configuration(
          name: "alpha-1", network: context.network, controller: Self.controller, key: try Self.key(2),
          agreementKey: try KeyAgreementKey(seed: [UInt8](repeating: 2, count: 32)), networkPort: Self.edgePort,
          endpointPort: Self.endpointPort, clock: clock, impairment: impairment, seed: 7), recovering: stored)
    }
    try deliver(end, .started)
  }

  /// The process dies with everything that was only in memory, and comes back after a while.
  func crash(_ end: End, for span: Span) {
    lives[end, default: 0] += 1
    cores[end] = nil
    timers[end] = [:]
    at(now + span) { try self.boot(end) }
  }

  private func deliver(_ end: End, _ event: Event) throws {
    guard let effects = cores[end]?.handle(event, at: now) else { return }
    for effect in effects { try perform(effect, of: end) }
  }

  // MARK: The story's side

  func openService(pathDelay: Span = .milliseconds(4), rate: UInt64 = 1_000_000) throws {
    let service = ServiceOrder(
      activation: activation, terms: terms, order: order, confirmation: confirmation, pathDelay: pathDelay, pathLoss: 0,
      rateUp: rate, rateDown: rate)
    try ask(.edge, from: Self.controller, .openService(service))
  }

  func openSession(
    down: Traffic = Traffic(packetsPerSecond: 200, payloadBytes: 400), attestation: Digest = .zero
  ) throws {
    let session = EnclaveSession(
      activation: activation, terms: terms, order: order, confirmation: confirmation,
      edge: ActorAddress(.edge, "alpha-1"), host: host, down: down, attestation: attestation)
    try ask(.enclave, from: Self.customer, .openSession(session))
  }

  /// Asks a core on the spot, over no network.
  func ask(_ end: End, from asker: ActorAddress, _ message: Message) throws {
    try deliver(end, .request(ReplyToken(UInt64.max), from: asker, verifier.verify(message)))
  }

  var lastReply: Result<Message, RemoteError>?

  /// A host that sends at a constant rate for the booked time.
  func send(packetsPerSecond: Int64 = 200, payloadBytes: UInt64 = 400) {
    let interval = Span(nanoseconds: 1_000_000_000 / packetsPerSecond)
    let end = Self.start + terms.metering.epoch * Int64(order.epochs)
    let datagram = ApplicationDatagram(activation: activation, payloadBytes: payloadBytes).bytes
    func next(_ time: Instant) {
      guard time < end else { return }
      at(time) {
        try self.deliver(
          .enclave, .datagrams([Datagram(from: self.host, to: Self.applicationPort, at: self.now, bytes: datagram)]))
        next(time + interval)
      }
    }
    next(Self.start)
  }

  func at(_ time: Instant, _ action: @escaping () throws -> Void) {
    nextNumber += 1
    agenda.append((max(time, now), nextNumber, action))
    var child = agenda.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      agenda.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  func run(until end: Instant) throws {
    while let first = agenda.first, first.at <= end {
      agenda.swapAt(0, agenda.count - 1)
      agenda.removeLast()
      sink()
      now = first.at
      try first.action()
    }
    now = end
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    (agenda[left].at, agenda[left].number) < (agenda[right].at, agenda[right].number)
  }

  private func sink() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < agenda.count && precedes(child, least) {
        least = child
      }
      guard least != parent else { return }
      agenda.swapAt(parent, least)
      parent = least
    }
  }

  func report(epochs: UInt64? = nil) throws -> ServiceReport? {
    try ask(.edge, from: Self.controller, .getServiceReport(ReportRequest(activation, epochs: epochs)))
    guard case .success(.serviceReport(let report))? = lastReply else { return nil }
    return report
  }

  func status(epochs: UInt64? = nil) throws -> EnclaveStatus? {
    try ask(.enclave, from: Self.customer, .getEnclaveStatus(ReportRequest(activation, epochs: epochs)))
    guard case .success(.enclaveStatus(let status))? = lastReply else { return nil }
    return status
  }

  /// What an end signed, oldest first, as it stands in its journals.
  func receipts(of end: End) throws -> [SLAReceipt] {
    let rows = disks[end]?[end == .enclave ? 0x0402 : 0x0503] ?? [:]
    return try rows.sorted { $0.key < $1.key }.flatMap { _, bytes in
      try EpochJournal(decoding: bytes).ownReceipts.receipts.map { try $0.decode(SLAReceipt.self) }
    }
  }

  // MARK: Effects

  private func below(_ limit: UInt64) -> UInt64 {
    random &+= 0x9E37_79B9_7F4A_7C15
    var mixed = random
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return (mixed ^ (mixed >> 31)) % limit
  }

  /// How many copies get through.
  private func copies(_ link: Link) -> Int {
    if let cut = link.cut, cut.contains(now) { return 0 }
    if below(1000) < link.loss { return 0 }
    return below(1000) < link.duplicates ? 2 : 1
  }

  private func pass(_ link: Link, _ action: @escaping () throws -> Void) {
    for _ in 0..<copies(link) {
      at(now + link.delay + Span(nanoseconds: Int64(below(UInt64(max(1, link.delay.nanoseconds))))), action)
    }
  }

  private func perform(_ effect: Effect, of end: End) throws {
    let life = lives[end] ?? 0
    switch effect {
    case .persist(.put(let stream, let key, let bytes)): disks[end]?[stream, default: [:]][key] = bytes
    case .persist(.prune(let stream, let below)):
      disks[end]?[stream]?.keys.filter { $0 < below }.forEach { disks[end]?[stream]?[$0] = nil }
    case .request(let id, let receiver, let message, let deadline):
      let target: End = receiver.role == .edge ? .edge : .enclave
      let verified = try verifier.verify(message)
      let mark = [UInt64(end.rawValue), UInt64(life), id.number]
      open.insert(mark)
      at(now + deadline) {
        guard self.open.remove(mark) != nil, self.lives[end] == life else { return }
        try self.deliver(end, .response(id, .failure(RemoteError(.deadlineExceeded))))
      }
      pass(control) {
        self.nextNumber += 1
        let token = UInt64(self.nextNumber)
        self.tokens[token] = (end, life, id)
        try self.deliver(target, .request(ReplyToken(token), from: ActorAddress(.enclave, "console"), verified))
      }
    case .reply(let token, let message): try answer(token, .success(tamper.map { $0(message) } ?? message))
    case .refuse(let token, let error): try answer(token, .failure(error))
    case .setTimer(let timer, let time):
      nextNumber += 1
      let number = nextNumber
      timers[end]?[timer] = number
      at(time) {
        guard self.lives[end] == life, self.timers[end]?[timer] == number else { return }
        self.timers[end]?[timer] = nil
        try self.deliver(end, .timer(timer))
      }
    case .cancelTimer(let timer): timers[end]?[timer] = nil
    case .transmit(let datagrams): for datagram in datagrams { transmit(datagram) }
    case .observe(.epochRecorded(_, let record)): if end == .edge { records.append(record) }
    case .observe(.counted(let name, let amount)): counted[name, default: 0] += amount
    case .observe(.note(_, let text)): notes.append(text)
    case .recall(let id, let stream, let from, let limit):
      let rows = (disks[end]?[stream] ?? [:]).filter { $0.key >= from }.sorted { $0.key < $1.key }.prefix(limit)
      try deliver(
        end, .recalled(id, rows.map { StoredRecord(stream: stream, key: $0.key, bytes: $0.value) }))
    case .observe, .publish, .halt: break
    }
  }

  private func answer(_ token: ReplyToken, _ result: Result<Message, RemoteError>) throws {
    guard token.number != UInt64.max else {
      lastReply = result
      return
    }
    guard let (asker, life, id) = tokens.removeValue(forKey: token.number), let asker else { return }
    let mark = [UInt64(asker.rawValue), UInt64(life), id.number]
    pass(control) {
      guard self.open.remove(mark) != nil, self.lives[asker] == life else { return }
      switch result {
      case .success(let message):
        do throws(VerificationError) {
          let verified = try self.verifier.verify(message)
          try? self.deliver(asker, .response(id, .success(verified)))
        } catch {
          try? self.deliver(asker, .response(id, .failure(RemoteError(.permissionDenied))))
        }
      case .failure(let error): try self.deliver(asker, .response(id, .failure(error)))
      }
    }
  }

  private func transmit(_ datagram: Datagram) {
    func arrive(at end: End) -> () throws -> Void {
      {
        try self.deliver(
          end,
          .datagrams([
            Datagram(from: datagram.source, to: datagram.destination, at: self.now, bytes: datagram.bytes)
          ]))
      }
    }
    switch (datagram.source, datagram.destination) {
    case (_, host): delivered += 1
    case (_, Self.hostPort): break
    case (Self.enclavePort, Self.edgePort): pass(access, arrive(at: .edge))
    case (Self.edgePort, Self.enclavePort): pass(access, arrive(at: .enclave))
    default: at(now + .microseconds(20), arrive(at: .edge))
    }
  }
}
