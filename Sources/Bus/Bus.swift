import Messages
import Synchronization

/// One process's place on the bus: requests and answers between actors, and publications, over real ZeroMQ sockets
/// whether the other actor lives in this process (`inproc://`), on this host (`ipc://`) or elsewhere (`tcp://` with
/// CURVE). Bodies are opaque here; the grammar of the frames around them is in ``BusFrames``.
///
/// All sockets belong to one thread (``SocketThread``). Every call below only queues a command for it, so calls never
/// block, may be made from anywhere, and take effect in the order one caller makes them. A bus runs until
/// ``shutdown()``: forgetting the last reference does not stop it.
///
/// Delivery is at most once. What becomes of a request is always told (`RemoteError`); lost publications are counted.
public final class Bus: Sendable {
  private let queue: CommandQueue
  private let limits: BusLimits
  private let lastRequest = Atomic<UInt64>(0)

  /// Starts the socket thread.
  /// - Throws: ``BusError/system(_:)``.
  public init(configuration: BusConfiguration = BusConfiguration()) throws(BusError) {
    limits = configuration.limits
    queue = try CommandQueue(capacity: configuration.limits.maximumQueuedCommands)
    try SocketThread.start(configuration: configuration, queue: queue)
  }

  // MARK: Setting up

  /// Listens on an endpoint. A socket file left by a crashed process is replaced; a live one is not.
  /// - Parameter publicationPort: for `tcp://`, where publications leave; 0 lets the system choose. Subscribers ask
  ///   for it. With a fixed one, they come back faster after a restart of this process.
  /// - Parameter claims: for `ipc://`, whom those who connect there may speak for: processes of this user, which the
  ///   kernel vouches for, and no more is known of them. Over `tcp://` that hangs on the key, see ``Admission``.
  /// - Returns: the endpoint with the port the system chose.
  /// - Throws: `addressInUse`, `cannotBind`, `illegalEndpoint`, `needsKeys`, `closed`.
  @discardableResult
  public func bind(
    _ endpoint: BusEndpoint, publicationPort: UInt16 = 0, claims: Claims = .anybody
  ) async throws(BusError) -> BusEndpoint {
    try await ask { .bind(endpoint, publicationPort: publicationPort, claims, $0) }
  }

  /// Enrols a CURVE key, or changes whom an enrolled one may speak for: from the next message on, also over connections
  /// that it has.
  /// - Throws: `limitReached`, `closed`.
  public func admit(_ admission: Admission) async throws(BusError) { try await ask { .admit(admission, $0) } }

  /// From now on the key gets no connection, and requests over those it has are refused. Publications, which anybody
  /// enrolled may hear, still reach a connection that it has: libzmq cuts none.
  /// - Throws: `closed`.
  public func revoke(_ key: CurvePublicKey) async throws(BusError) { try await ask { .revoke(key, $0) } }

  /// Makes an actor reachable under its address.
  /// - Parameter mailboxCapacity: deliveries; see ``Mailbox`` for what happens beyond.
  /// - Throws: `alreadyRegistered`, `limitReached`, `closed`.
  public func register(_ address: ActorAddress, mailboxCapacity: Int) async throws(BusError) -> Mailbox {
    let mailbox = Mailbox(address: address, capacity: mailboxCapacity) { [queue] address in
      _ = queue.post(.roomAvailable(address))
    }
    try await ask { .register(mailbox, $0) }
    return mailbox
  }

  /// Takes an actor off the bus: its mailbox closes, its subscriptions end, who asked it gets `.unavailable`. What it
  /// has published is forgotten; subscribers see a successor under the same address as a restarted publisher.
  public func unregister(_ address: ActorAddress) async throws(BusError) {
    try await ask { .unregister(address, $0) }
  }

  /// Says at which endpoint an actor is served; a later route for the same actor replaces it. An actor registered
  /// here is reached here, whatever its route.
  /// - Parameter serverKey: the CURVE key of the bus there; needed for `tcp://`, ignored otherwise.
  /// - Throws: `needsKeys`, `illegalEndpoint`, `cannotConnect`, `limitReached`, `closed`.
  public func route(
    _ address: ActorAddress, to endpoint: BusEndpoint, serverKey: CurvePublicKey? = nil
  ) async throws(BusError) {
    try await ask { .route(address, PeerRoute(endpoint: endpoint, serverKey: serverKey), $0) }
  }

  /// Delivers a publisher's messages under a topic into the subscriber's mailbox, in order, from now until the
  /// subscriber is unregistered. The publisher need not be there yet, nor routed.
  /// - Throws: `notRegistered`, `limitReached`, `closed`.
  public func subscribe(
    _ subscriber: ActorAddress, to publisher: ActorAddress, topic: Topic, startingAt start: StartingPoint = .oldestKept
  ) async throws(BusError) {
    try await ask { .subscribe(subscriber, PublicationKey(publisher: publisher, topic: topic), start, $0) }
  }

  // MARK: Requests

  /// Asks and waits for the answer.
  /// - Parameter deadline: from now; cut to ``BusLimits/maximumDeadline``.
  /// - Throws: the answering actor's error, or `.deadlineExceeded`, `.unavailable` (no connection before the
  ///   deadline), `.notFound` (no such actor or no route), `.tooManyRequests`, `.cancelled` (this task, or the bus),
  ///   `.permissionDenied` (this bus may not speak for `from`), `.invalidArgument` (body too long).
  public func request(
    from: ActorAddress, to: ActorAddress, body: [UInt8], deadline: Span, isolation: isolated (any Actor)? = #isolation
  ) async throws(RemoteError) -> [UInt8] {
    let id = nextRequest()
    let request = outgoing(from: from, to: to, body: body, deadline: deadline)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<Result<[UInt8], RemoteError>, Never>) in
        if let error = post(id, request, .caller(continuation)) {
          return continuation.resume(returning: .failure(error))
        }
        // A cancellation before the request was queued has found nothing to cancel.
        if Task.isCancelled { _ = queue.post(.cancel(id: id)) }
      }
    } onCancel: {
      _ = queue.post(.cancel(id: id))
    }
    return try result.get()
  }

  /// Asks; the answer, or why there is none, comes into the asker's mailbox as `.response(number, …)`, exactly once.
  /// - Parameter number: chosen by the asker to recognise the response; not seen by the other side.
  /// - Throws: `.tooManyRequests` when the mailbox has no place for another response, `.cancelled` when the bus is
  ///   shut down. Then nothing was sent and no response will come.
  public func send(
    _ number: UInt64, from mailbox: Mailbox, to: ActorAddress, body: [UInt8], deadline: Span
  ) throws(RemoteError) {
    guard mailbox.reserveResponse() else {
      throw RemoteError(.tooManyRequests, "\(mailbox.address) has \(mailbox.capacity) requests open")
    }
    let request = outgoing(from: mailbox.address, to: to, body: body, deadline: deadline)
    if let error = post(nextRequest(), request, .mailbox(mailbox, number: number)) {
      mailbox.releaseResponse()
      throw error
    }
  }

  /// Answers a request. An answer to a ticket that has expired or was answered before is counted and dropped.
  public func reply(_ ticket: Ticket, _ result: Result<[UInt8], RemoteError>) {
    _ = queue.post(.reply(ticket, result))
  }

  // MARK: Publications

  /// Numbers the message and sends it to whoever subscribes; keeps it among the topic's recent messages.
  /// - Throws: `oversize`, `limitReached`, `notRegistered`, `closed`: then it was not numbered and nobody will miss it.
  public func publish(from mailbox: Mailbox, topic: Topic, body: [UInt8]) throws(BusError) {
    guard !mailbox.isClosed else { throw .notRegistered(mailbox.address) }
    guard body.count <= limits.maximumBodyBytes else {
      throw .oversize(bytes: body.count, maximum: limits.maximumBodyBytes)
    }
    let key = PublicationKey(publisher: mailbox.address, topic: topic)
    switch queue.post(.publish(key, body: body), isBounded: true) {
    case .accepted: return
    case .full: throw .limitReached("maximumQueuedCommands")
    case .closed: throw .closed
    }
  }

  // MARK: Faults

  /// From now on these obstructions are in force, and no others.
  public func obstruct(_ obstructions: [Obstruction]) {
    _ = queue.post(.obstruct(Array(obstructions.prefix(Obstruction.maximum))))
  }

  // MARK: Watching and ending

  /// The counts at the moment the thread reaches this question, or the final ones after shutdown.
  public func counters() async -> BusCounters {
    await withCheckedContinuation { continuation in
      if queue.post(.readCounters(continuation)) == .closed { continuation.resume(returning: queue.finalCounters) }
    }
  }

  /// Closes mailboxes, fails pending requests with `.cancelled`, tells askers `.unavailable`, lets what was sent leave
  /// and arrive (``SocketOptions/flushMs``, ``SocketOptions/settleMs``), closes all sockets, ends the thread and
  /// removes socket files. Returns when all that is done; a second call waits for the first.
  public func shutdown() async {
    _ = queue.post(.shutdown)
    await withCheckedContinuation { queue.whenFinished($0) }
  }

  // MARK: -

  private func nextRequest() -> UInt64 { lastRequest.add(1, ordering: .relaxed).newValue }

  private func outgoing(from: ActorAddress, to: ActorAddress, body: [UInt8], deadline: Span) -> OutgoingRequest {
    let span = max(Span.zero, min(deadline, limits.maximumDeadline))
    return OutgoingRequest(
      kind: .call, from: from, to: to, body: body, deadline: MonotonicInstant.now().advanced(by: span))
  }

  private func post(_ id: UInt64, _ request: OutgoingRequest, _ completion: Completion) -> RemoteError? {
    switch queue.post(.request(id: id, request, completion), isBounded: true) {
    case .accepted: nil
    case .full: RemoteError(.tooManyRequests, "the bus has too many commands queued")
    case .closed: RemoteError(.cancelled, "the bus is shut down")
    }
  }

  private func ask<Value: Sendable>(
    _ command: (Command.Answer<Value>) -> Command
  ) async throws(BusError) -> Value {
    let result: Result<Value, BusError> = await withCheckedContinuation { continuation in
      if queue.post(command(continuation)) == .closed { continuation.resume(returning: .failure(.closed)) }
    }
    return try result.get()
  }
}
