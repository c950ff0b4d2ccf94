import Effects
import Enclave
import Messages
import Metering
import Roles
import Signing
import Testing

/// Enclaves and edges in virtual time, with control links and data links between them that lose, delay and double what
/// the story says. The customers' hosts and the controller are the story itself.
final class FlowWorld {
  enum Actor: Int, CaseIterable {
    case enclave, edge, farEnclave, farEdge, newEdge

    var isEdge: Bool { self == .edge || self == .farEdge || self == .newEdge }

    var address: ActorAddress {
      switch self {
      case .enclave: ActorAddress(.enclave, "console")
      case .farEnclave: ActorAddress(.enclave, "truck")
      case .edge: ActorAddress(.edge, "alpha-1")
      case .farEdge: ActorAddress(.edge, "alpha-2")
      case .newEdge: ActorAddress(.edge, "alpha-3")
      }
    }

    /// Signs its receipts, and agrees on keys.
    var number: UInt8 { UInt8(rawValue + 1) }

    var key: SigningKey {
      get throws { try FlowWorld.key(number) }
    }

    /// Towards the network.
    var port: DataAddress { .loopback(port: UInt16(100 * (rawValue + 1))) }
    /// Of an enclave towards its application, of an edge its endpoint's.
    var innerPort: DataAddress { .loopback(port: UInt16(100 * (rawValue + 1) + 1)) }
    /// An enclave's customer.
    var customer: ActorAddress { ActorAddress(.customer, self == .enclave ? "hospital" : "haulier") }

    static func behind(_ address: ActorAddress) -> Actor? { allCases.first { $0.address == address } }
    static func at(_ port: DataAddress) -> Actor? { allCases.first { $0.port == port || $0.innerPort == port } }
  }

  struct Link {
    /// Parts per thousand.
    var loss: UInt64 = 0
    var duplicates: UInt64 = 0
    var delay: Span = .microseconds(500)
    /// Cut between these.
    var cut: Range<Instant>?
  }

  static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)
  static let controller = ActorAddress(.controller, "alpha")
  static let network = Digest(hashing: [1])

  var now = FlowWorld.start - .seconds(1)
  var control = Link()
  /// What these are asked, and answer, is lost on the way.
  var silent: Set<Actor> = []
  /// Data from an enclave to its edge, and back; between edges.
  var ascent: [Actor: Link] = [:]
  var descent: [Actor: Link] = [:]
  var core = Link(delay: .microseconds(100))
  var records: [JointRecord] = []
  var notes: [String] = []
  /// Where the customers' applications are.
  var hosts: [Actor: DataAddress] = [.enclave: .loopback(port: 1), .farEnclave: .loopback(port: 2)]
  var delivered: [Actor: Int] = [:]
  var counted: [String: UInt64] = [:]
  /// Changes what is answered, for a story about forgery.
  var tamper: ((Message) -> Message)?
  var lastReply: Result<Message, RemoteError>?

  let terms: ContractTerms
  let maintenance: [TimeWindow]
  let order: ActivationOrder
  let confirmation: SliceConfirmation
  let activation = ActivationID(Digest(hashing: [2]))
  private let impairments: [Actor: PathImpairment]
  private var random: UInt64
  private var cores: [Actor: any RoleCore] = [:]
  private(set) var disks: [Actor: [UInt16: [UInt64: [UInt8]]]] = [:]
  private var lives: [Actor: Int] = [:]
  private var timers: [Actor: [TimerID: Int]] = [:]
  private var open: Set<[UInt64]> = []
  private var tokens: [UInt64: (asker: Actor, target: Actor, life: Int, id: RequestID)] = [:]
  private var agenda = Agenda()
  private var nextNumber = 0
  private var verifier: Verifier

  static func key(_ number: UInt8) throws -> SigningKey {
    try SigningKey(seed: [UInt8](repeating: number, count: 32), scheme: .simulated)
  }

  /// - Parameter isForTwo: a flow between two customers; else one that ends at the operator's endpoint.
  init(
    _ terms: ContractTerms, epochs: UInt64 = 6, isForTwo: Bool = false, impairments: [Actor: PathImpairment] = [:],
    maintenance: [TimeWindow] = [], seed: UInt64 = 1
  ) throws {
    self.terms = terms
    self.maintenance = maintenance
    self.impairments = impairments
    random = seed
    verifier = Verifier(context: VerificationContext(network: Self.network, scheme: .simulated, members: []))
    order = ActivationOrder(
      contract: terms.id, epochs: epochs, earliestStart: .zero, latestStart: .distantFuture, cell: "cell", peer: "peer",
      enclaves: try [Actor.enclave.key.publicKey] + (isForTwo ? [Actor.farEnclave.key.publicKey] : []),
      peerCell: isForTwo ? "far cell" : nil)
    confirmation = SliceConfirmation(
      activation: activation, planHash: .zero, startAt: Self.start, edge: try Actor.edge.key.publicKey,
      peerEdge: isForTwo ? try Actor.farEdge.key.publicKey : nil)
    for actor in Actor.allCases { try boot(actor) }
  }

  var isForTwo: Bool { order.ends.contains(.far) }
  var enclaves: [Actor] { isForTwo ? [.enclave, .farEnclave] : [.enclave] }
  var edges: [Actor] { isForTwo ? [.edge, .farEdge] : [.edge] }
  var peer: PeerNumber { terms.number(ofPeer: order.peer) }

  // MARK: Cores

  private func boot(_ actor: Actor) throws {
    let stored = (disks[actor] ?? [:]).sorted { $0.key < $1.key }.flatMap { stream, rows in
      rows.sorted { $0.key < $1.key }.map { StoredRecord(stream: stream, key: $0.key, bytes: $0.value) }
    }
    let clock = ClockQuality(source: .common, synchronised: true, errorBound: .microseconds(50))
    let agreementKey = try KeyAgreementKey(seed: [UInt8](repeating: actor.number, count: 32))
    if actor.isEdge {
      cores[actor] = try EdgeCore(
        EdgeCore.Configuration(
          name: actor.address.name, network: Self.network, controller: Self.controller, key: try actor.key,
          agreementKey: agreementKey, networkPort: actor.port, endpointPort: actor.innerPort, clock: clock,
          impairment: impairments[actor], seed: 7), recovering: stored)
    } else {
      cores[actor] = try EnclaveCore(
        EnclaveCore.Configuration(
          name: actor.address.name, network: Self.network, customer: actor.customer, receiptKey: try actor.key,
          agreementKey: agreementKey, applicationPort: actor.innerPort, networkPort: actor.port, clock: clock),
        recovering: stored)
    }
    try deliver(actor, .started)
  }

  /// The process dies with everything that was only in memory, and comes back after a while.
  func crash(_ actor: Actor, for span: Span) {
    lives[actor, default: 0] += 1
    cores[actor] = nil
    timers[actor] = [:]
    at(now + span) { try self.boot(actor) }
  }

  func deliver(_ actor: Actor, _ event: Event) throws {
    guard let effects = cores[actor]?.handle(event, at: now) else { return }
    // Packets never wait for a disk.
    for (effect, next) in zip(effects, effects.dropFirst()) {
      if case .transmit = next { Issue.record("\(actor) sends after \(effect)") }
    }
    for effect in effects { try perform(effect, of: actor) }
  }

  /// Asks a core on the spot, over no network.
  @discardableResult
  func ask(_ actor: Actor, from asker: ActorAddress, _ message: Message) throws -> Result<Message, RemoteError>? {
    lastReply = nil
    try deliver(actor, .request(ReplyToken(UInt64.max), from: asker, verifier.verify(message)))
    return lastReply
  }

  // MARK: Time

  func at(_ time: Instant, _ action: @escaping () throws -> Void) { agenda.add(max(time, now), action) }

  func run(until end: Instant) throws {
    while let (time, action) = agenda.take(dueBy: end) {
      now = time
      try action()
    }
    now = end
  }

  // MARK: Links

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

  // MARK: Effects

  private func perform(_ effect: Effect, of actor: Actor) throws {
    let life = lives[actor] ?? 0
    switch effect {
    case .persist(.put(let stream, let key, let bytes)):
      disks[actor, default: [:]][stream, default: [:]][key] = bytes
    case .persist(.prune(let stream, let below)):
      disks[actor]?[stream]?.keys.filter { $0 < below }.forEach { disks[actor]?[stream]?[$0] = nil }
    case .request(let id, let receiver, let message, let deadline):
      try request(id, of: actor, life, to: receiver, message, deadline)
    case .reply(let token, let message): try answer(token, .success(tamper.map { $0(message) } ?? message))
    case .refuse(let token, let error): try answer(token, .failure(error))
    case .setTimer(let timer, let time):
      nextNumber += 1
      let number = nextNumber
      timers[actor, default: [:]][timer] = number
      at(time) {
        guard self.lives[actor, default: 0] == life, self.timers[actor]?[timer] == number else { return }
        self.timers[actor]?[timer] = nil
        try self.deliver(actor, .timer(timer))
      }
    case .cancelTimer(let timer): timers[actor]?[timer] = nil
    case .transmit(let datagrams): for datagram in datagrams { transmit(datagram) }
    case .observe(.epochRecorded(_, let record)): if actor == .edge { records.append(record) }
    case .observe(.counted(let name, let amount)): counted[name, default: 0] += amount
    case .observe(.note(_, let text)): notes.append(text)
    case .recall(let id, let stream, let from, let limit):
      let rows = (disks[actor]?[stream] ?? [:]).filter { $0.key >= from }.sorted { $0.key < $1.key }.prefix(limit)
      try deliver(
        actor, .recalled(id, rows.map { StoredRecord(stream: stream, key: $0.key, bytes: $0.value) }))
    // Nothing here reads the ledger or publishes; what is retired is read no more, and may stay.
    case .persist(.retire), .observe, .publish, .recognise, .tell, .halt: break
    }
  }

  private func request(
    _ id: RequestID, of actor: Actor, _ life: Int, to receiver: ActorAddress, _ message: Message, _ deadline: Span
  ) throws {
    guard let target = Actor.behind(receiver) else { return }
    let verified = try verifier.verify(message)
    let mark = [UInt64(actor.rawValue), UInt64(life), id.number]
    open.insert(mark)
    at(now + deadline) {
      guard self.open.remove(mark) != nil, self.lives[actor, default: 0] == life else { return }
      try self.deliver(actor, .response(id, .failure(RemoteError(.deadlineExceeded))))
    }
    guard silent.isDisjoint(with: [actor, target]) else { return }
    pass(control) {
      self.nextNumber += 1
      let token = UInt64(self.nextNumber)
      self.tokens[token] = (actor, target, life, id)
      try self.deliver(target, .request(ReplyToken(token), from: actor.address, verified))
    }
  }

  private func answer(_ token: ReplyToken, _ result: Result<Message, RemoteError>) throws {
    guard token.number != UInt64.max else {
      lastReply = result
      return
    }
    guard let (asker, target, life, id) = tokens.removeValue(forKey: token.number),
      silent.isDisjoint(with: [asker, target])
    else { return }
    let mark = [UInt64(asker.rawValue), UInt64(life), id.number]
    pass(control) {
      guard self.open.remove(mark) != nil, self.lives[asker, default: 0] == life else { return }
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
    guard let source = Actor.at(datagram.source) else { return }
    guard let target = Actor.at(datagram.destination) else {
      if let enclave = hosts.first(where: { $0.value == datagram.destination })?.key {
        delivered[enclave, default: 0] += 1
      }
      return
    }
    let arrive = {
      try self.deliver(
        target,
        .datagrams([
          Datagram(from: datagram.source, to: datagram.destination, at: self.now, bytes: datagram.bytes)
        ]))
    }
    let access = Link(delay: .microseconds(200))
    switch (source.isEdge, target.isEdge) {
    case (false, _): pass(ascent[source] ?? access, arrive)
    case (true, false): pass(descent[target] ?? access, arrive)
    case (true, true) where source == target: at(now + .microseconds(20), arrive)
    case (true, true): pass(core, arrive)
    }
  }
}

/// What happens when, in order; of one moment in the order in which it was added.
struct Agenda {
  private var heap: [(at: Instant, number: Int, action: () throws -> Void)] = []
  private var nextNumber = 0

  mutating func add(_ time: Instant, _ action: @escaping () throws -> Void) {
    nextNumber += 1
    heap.append((time, nextNumber, action))
    var child = heap.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func take(dueBy end: Instant) -> (at: Instant, action: () throws -> Void)? {
    guard let first = heap.first, first.at <= end else { return nil }
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, least) { least = child }
      guard least != parent else { return (first.at, first.action) }
      heap.swapAt(parent, least)
      parent = least
    }
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    (heap[left].at, heap[left].number) < (heap[right].at, heap[right].number)
  }
}
