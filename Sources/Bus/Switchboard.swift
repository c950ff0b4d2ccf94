import CZeroMQ
import Glibc
import Messages

/// Everything the socket thread knows, and its loop: take commands, see what is due, poll, read. Lives on that thread
/// alone. What it does about requests is in `Switchboard+Requests.swift`, about publications in
/// `Switchboard+Publications.swift`.
///
/// The thread sleeps in `zmq_poll` until a socket, the command queue's eventfd or the next deadline wakes it, and does
/// everything that is ready before it sleeps again.
final class Switchboard {
  let configuration: BusConfiguration
  let queue: CommandQueue
  let context: SocketContext
  let authenticator: Authenticator
  var counters = BusCounters()
  private var isStopping = false

  /// The first serves this process itself.
  var listeners: [Listener]
  /// The first is this process itself.
  var peers: [Peer]
  private var peerNumbers: [PeerRoute: Int] = [:]
  /// Which peer serves an actor that is not registered here.
  private var directory: [ActorAddress: Int] = [:]
  var mailboxes: [ActorAddress: Mailbox] = [:]

  var pending: [UInt64: PendingRequest] = [:]
  var tickets: [UInt64: OpenTicket] = [:]
  var ticketsOfConnection: [Connection: Int] = [:]
  var lastTicket: UInt64 = 0
  /// Requests of the bus itself count down from the top, callers' count up: they never meet.
  var lastOwnRequest = UInt64.max

  var outlets: [PublicationKey: Outlet] = [:]
  var subscriptions: [Int: Subscription] = [:]
  var subscriptionsOfKey: [PublicationKey: [Int]] = [:]
  var lastSubscription = 0
  var announcing = Announcing()
  var isWatching = false

  var obstructions: [Obstruction] = []
  /// Messages that are made to come late.
  var held: [UInt64: () -> Void] = [:]
  var lastHeld: UInt64 = 0

  var deadlines = DeadlineQueue()
  /// When something last left through a bound endpoint.
  var lastSent = MonotonicInstant(nanoseconds: 0)

  static let localPeer = 0
  static let localListener = 0

  init(configuration: BusConfiguration, queue: CommandQueue) throws(BusError) {
    self.configuration = configuration
    self.queue = queue
    let context = try SocketContext()
    self.context = context
    authenticator = try Authenticator(context, configuration)
    listeners = [try Listener.local(context, configuration)]
    peers = [try Peer.local(context, configuration)]
  }

  // MARK: The loop

  func run() {
    var commands: [Command] = []
    var sources: [Source] = []
    var polled = PollSet()
    while true {
      queue.drain(into: &commands)
      for command in commands { perform(command) }
      if isStopping { break }
      let now = MonotonicInstant.now()
      handleDue(now)
      for number in peers.indices where !peers[number].queue.isEmpty { flush(number, now) }
      listSources(&sources, &polled)
      polled.wait(timeoutMs: queue.prepareToSleep() ? timeoutMs() : 0)
      queue.wokeUp(isSignalled: polled.isReadable(0))
      for (index, source) in sources.enumerated() where polled.isReadable(index) { handle(source) }
    }
    tearDown()
  }

  private enum Source { case wake, authentication, listener(Int), answers(Int), publications(Int) }

  private func listSources(_ sources: inout [Source], _ polled: inout PollSet) {
    sources.removeAll(keepingCapacity: true)
    polled.removeAll()
    sources.append(.wake)
    polled.add(descriptor: queue.wakeDescriptor)
    sources.append(.authentication)
    polled.add(authenticator.socket)
    for (number, listener) in listeners.enumerated() {
      sources.append(.listener(number))
      polled.add(listener.requests)
    }
    for (number, peer) in peers.enumerated() {
      sources.append(.answers(number))
      // Room is asked for only while something waits, else the poll would never sleep.
      polled.add(peer.requests, alsoWritable: !peer.queue.isEmpty)
      sources.append(.publications(number))
      polled.add(peer.publications)
    }
  }

  /// Milliseconds until something falls due, rounded up so that it is due then; -1 for never.
  private func timeoutMs() -> Int {
    while let (at, due) = deadlines.next {
      guard isWanted(due) else {
        deadlines.removeNext()
        continue
      }
      return Int(clamping: (at.nanoseconds(since: .now()) + 999_999) / 1_000_000)
    }
    return -1
  }

  private func handle(_ source: Source) {
    let budget = configuration.limits.messagesPerTurn
    switch source {
    case .wake: break
    case .authentication:
      for _ in 0..<budget {
        guard let isAdmitted = authenticator.answerOne() else { return }
        if !isAdmitted { counters.refusedKeys += 1 }
      }
    case .listener(let number):
      for _ in 0..<budget { guard receiveRequest(number) else { return } }
    case .answers(let number):
      for _ in 0..<budget { guard receiveAnswer(number) else { return } }
    case .publications(let number):
      for _ in 0..<budget { guard receivePublication(number) else { return } }
    }
  }

  // MARK: Deadlines

  private func handleDue(_ now: MonotonicInstant) {
    while let (at, due) = deadlines.next, at <= now {
      deadlines.removeNext()
      guard isWanted(due) else { continue }
      switch due {
      case .request(let id): expireRequest(id)
      case .ticket(let number): expireTicket(number)
      case .subscription(let number): resumeSubscription(number)
      case .held(let number): release(number)
      case .announce: announce(now)
      case .watch: watch(now)
      }
    }
    let live = pending.count + tickets.count + subscriptions.count + held.count + 2
    if deadlines.count > 1024, deadlines.count > 4 * live { deadlines.compact { isWanted($0) } }
  }

  private func isWanted(_ due: Due) -> Bool {
    switch due {
    case .request(let id): pending[id] != nil
    case .ticket(let number): tickets[number] != nil
    case .subscription(let number): subscriptions[number] != nil
    case .held(let number): held[number] != nil
    case .announce(let generation): generation == announcing.generation
    case .watch: isWatching
    }
  }

  // MARK: Commands

  private func perform(_ command: Command) {
    switch command {
    case .bind(let endpoint, let port, let claims, let answer):
      answer.resume(returning: Result { () throws(BusError) in try bind(endpoint, publicationPort: port, claims) })
    case .admit(let admission, let answer):
      answer.resume(returning: Result { () throws(BusError) in try authenticator.admit(admission) })
    case .revoke(let key, let answer):
      authenticator.revoke(key)
      answer.resume(returning: .success(()))
    case .register(let mailbox, let answer):
      answer.resume(returning: Result { () throws(BusError) in try register(mailbox) })
    case .unregister(let address, let answer):
      answer.resume(returning: Result { () throws(BusError) in try unregister(address) })
    case .route(let address, let route, let answer):
      answer.resume(returning: Result { () throws(BusError) in try self.route(address, route) })
    case .subscribe(let subscriber, let key, let start, let answer):
      answer.resume(returning: Result { () throws(BusError) in try subscribe(subscriber, key, start) })
    case .request(let id, let request, let completion): startRequest(id, request, completion)
    case .cancel(let id): cancelRequest(id)
    case .reply(let ticket, let result): reply(ticket.number, result)
    case .publish(let key, let body): publish(key, body)
    case .roomAvailable(let address): roomAvailable(address)
    case .obstruct(let obstructions): self.obstructions = obstructions
    case .readCounters(let continuation): continuation.resume(returning: counters)
    case .shutdown: isStopping = true
    }
  }

  private func bind(
    _ endpoint: BusEndpoint, publicationPort: UInt16, _ claims: Claims
  ) throws(BusError) -> BusEndpoint {
    let (listener, bound) = try Listener.bind(
      endpoint, publicationPort: publicationPort, claims, context, configuration)
    listeners.append(listener)
    return bound
  }

  private func register(_ mailbox: Mailbox) throws(BusError) {
    guard mailboxes[mailbox.address] == nil else { throw .alreadyRegistered(mailbox.address) }
    guard mailboxes.count < configuration.limits.maximumActors else { throw .limitReached("maximumActors") }
    mailboxes[mailbox.address] = mailbox
  }

  private func unregister(_ address: ActorAddress) throws(BusError) {
    guard let mailbox = mailboxes.removeValue(forKey: address) else { throw .notRegistered(address) }
    mailbox.close()
    endSubscriptions(of: address)
    for topic in Topic.allCases { outlets[PublicationKey(publisher: address, topic: topic)] = nil }
    for number in tickets.filter({ $0.value.servedBy == address }).keys.sorted() {
      reply(number, .failure(RemoteError(.unavailable, "\(address) has left")))
    }
  }

  private func route(_ address: ActorAddress, _ route: PeerRoute) throws(BusError) {
    // A key that is not needed must not make two peers of one endpoint.
    let isTCP = if case .tcp = route.endpoint { true } else { false }
    let route = isTCP ? route : PeerRoute(endpoint: route.endpoint, serverKey: nil)
    if let number = peerNumbers[route] {
      directory[address] = number
    } else {
      guard peers.count < configuration.limits.maximumPeers else { throw .limitReached("maximumPeers") }
      guard directory.count < configuration.limits.maximumSubscriptions else { throw .limitReached("routes") }
      peers.append(try Peer.connect(route, context, configuration))
      peerNumbers[route] = peers.count - 1
      directory[address] = peers.count - 1
    }
    relocateSubscriptions(to: address)
  }

  /// - Returns: nil for an actor that is neither here nor routed.
  func peer(serving address: ActorAddress) -> Int? {
    mailboxes[address] != nil ? Self.localPeer : directory[address]
  }

  // MARK: The end

  /// See ``Bus/shutdown()`` for what this promises.
  func tearDown() {
    let leftOver = queue.close()
    for number in tickets.keys.sorted() {
      reply(number, .failure(RemoteError(.unavailable, "the bus of this actor is shut down")))
    }
    for id in pending.keys.sorted() { cancelRequest(id) }
    for mailbox in mailboxes.values { mailbox.close() }
    for command in leftOver { abandon(command) }
    settle()
    let serving = listeners.flatMap { [$0.requests, $0.publications] }
    for socket in serving + peers.flatMap({ [$0.requests, $0.publications] }) {
      try? socket.set(ZMQ_LINGER, configuration.socketOptions.flushMs)
      socket.close()
    }
    authenticator.socket.close()
    context.terminate()
    for listener in listeners { listener.removeFiles() }
    queue.finish(with: counters)
  }

  /// See ``SocketOptions/settleMs``.
  private func settle() {
    let end = lastSent.advanced(by: .milliseconds(configuration.socketOptions.settleMs))
    while true {
      let left = end.nanoseconds(since: .now())
      guard left > 0 else { return }
      var nothing = PollSet()
      nothing.wait(timeoutMs: Int(clamping: (left + 999_999) / 1_000_000))
    }
  }

  private func abandon(_ command: Command) {
    switch command {
    case .bind(_, _, _, let answer): answer.resume(returning: .failure(.closed))
    case .register(_, let answer), .unregister(_, let answer), .route(_, _, let answer), .admit(_, let answer),
      .revoke(_, let answer),
      .subscribe(_, _, _, let answer):
      answer.resume(returning: .failure(.closed))
    case .request(_, _, let completion):
      complete(completion, .failure(RemoteError(.cancelled, "the bus is shut down")))
    case .readCounters(let continuation): continuation.resume(returning: counters)
    case .cancel, .reply, .publish, .roomAvailable, .obstruct, .shutdown: break
    }
  }
}
