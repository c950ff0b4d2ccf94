import Messages
import Wire

/// Requests and answers: our own on their way out and back, and those that others ask of local actors.
extension Switchboard {
  // MARK: Asking

  func startRequest(_ id: UInt64, _ request: OutgoingRequest, _ completion: Completion) {
    let limits = configuration.limits
    guard request.body.count <= limits.maximumBodyBytes else {
      let text = "\(request.body.count) bytes are above the limit of \(limits.maximumBodyBytes)"
      return complete(completion, .failure(RemoteError(.invalidArgument, text)))
    }
    guard let peer = peer(serving: request.to) else {
      counters.unavailable += 1
      return complete(completion, .failure(RemoteError(.notFound, "no route to \(request.to)")))
    }
    guard pending.count < limits.maximumPendingRequests else {
      return complete(completion, .failure(RemoteError(.tooManyRequests, "too many own requests are open")))
    }
    pending[id] = PendingRequest(
      from: request.from, to: request.to, peer: peer, deadline: request.deadline, completion: completion,
      traffic: kind(of: request.kind, request.body, from: request.from, isInside: peer == Self.localPeer),
      hasLeft: false)
    deadlines.add(.request(id), at: request.deadline)
    if peers[peer].queue.isEmpty, transmit(id, request, peer, .now()) { return }
    guard pending[id] != nil else { return }
    if peers[peer].queue.count >= limits.maximumQueuedPerPeer { dropEndedRequests(of: peer) }
    guard peers[peer].queue.count < limits.maximumQueuedPerPeer else {
      counters.unavailable += 1
      return finish(id, .failure(RemoteError(.unavailable, "too many requests wait for the connection")))
    }
    peers[peer].queue.append(Peer.Queued(id: id, request: request))
  }

  /// Sends what waits for a peer, oldest first, until its connection takes no more.
  func flush(_ peer: Int, _ now: MonotonicInstant) {
    while let queued = peers[peer].queue.first {
      let isWaiting = pending[queued.id] != nil && !transmit(queued.id, queued.request, peer, now)
      // A request that has just expired waits no more.
      if isWaiting, pending[queued.id] != nil { return }
      peers[peer].queue.popFirst()
    }
  }

  /// - Returns: false when the connection takes nothing now, or the deadline has passed.
  private func transmit(_ id: UInt64, _ request: OutgoingRequest, _ peer: Int, _ now: MonotonicInstant) -> Bool {
    guard now < request.deadline else {
      expireRequest(id)
      return false
    }
    let header = CallHeader(
      kind: request.kind, id: id, from: request.from, to: request.to,
      budgetNanoseconds: request.deadline.nanoseconds(since: now))
    let frame = header.frame
    guard peers[peer].requests.send(frame, body: request.body) == .accepted else { return false }
    if let kind = pending[id]?.traffic { counters.traffic.sent(kind, bytes: frame.count + request.body.count) }
    pending[id]?.hasLeft = true
    counters.requestsSent += 1
    return true
  }

  /// Takes requests that have ended while waiting for a connection out of the queue.
  private func dropEndedRequests(of peer: Int) {
    peers[peer].queue.removeAll { pending[$0.id] == nil }
  }

  func expireRequest(_ id: UInt64) {
    guard let request = pending[id] else { return }
    if request.hasLeft {
      counters.deadlinesExceeded += 1
      finish(id, .failure(RemoteError(.deadlineExceeded)))
    } else {
      counters.unavailable += 1
      let place = peers[request.peer].endpoint?.description ?? "this process"
      finish(id, .failure(RemoteError(.unavailable, "no connection to \(place)")))
    }
  }

  func cancelRequest(_ id: UInt64) {
    guard pending[id] != nil else { return }
    counters.cancelled += 1
    finish(id, .failure(RemoteError(.cancelled)))
  }

  private func finish(_ id: UInt64, _ result: Result<[UInt8], RemoteError>) {
    guard let request = pending.removeValue(forKey: id) else { return }
    complete(request.completion, result)
  }

  func complete(_ completion: Completion, _ result: Result<[UInt8], RemoteError>) {
    switch completion {
    case .caller(let continuation): continuation.resume(returning: result)
    case .mailbox(let mailbox, let number): mailbox.deliver(response: number, result)
    case .subscription(let number): fetchEnded(number, result)
    }
  }

  /// - Returns: false when nothing waits.
  func receiveAnswer(_ peer: Int) -> Bool {
    let maximum = configuration.limits.maximumBodyBytes + SocketOptions.headerRoomBytes
    guard let message = peers[peer].requests.receive(maximumFrames: 2, maximumFrameBytes: maximum) else { return false }
    guard !message.isMalformed, message.frames.count == 2, let header = try? AnswerHeader(frame: message.frames[0])
    else {
      countUnreadable(message, isInside: peer == Self.localPeer)
      return true
    }
    let request = pending[header.id]
    counters.traffic.received(
      .answer(to: request?.traffic, header, message.frames[1], isInside: peer == Self.localPeer), bytes: message.bytes)
    guard let request, request.peer == peer else {
      counters.lateReplies += 1
      return true
    }
    let result: Result<[UInt8], RemoteError>
    if message.isOversize {
      counters.oversize += 1
      result = .failure(RemoteError(.invalidArgument, "the answer is above the size limit"))
    } else if !header.isError {
      result = .success(message.frames[1])
    } else if let error = try? RemoteError(decoding: message.frames[1]) {
      result = .failure(error)
    } else {
      counters.malformed += 1
      return true
    }
    pass(from: request.to, to: request.from) { [unowned self] in
      counters.answersReceived += 1
      finish(header.id, result)
    }
    return true
  }

  // MARK: Being asked

  /// - Returns: false when nothing waits.
  func receiveRequest(_ number: Int) -> Bool {
    let limits = configuration.limits
    let listener = listeners[number]
    guard
      let message = listener.requests.receive(
        maximumFrames: BusFrames.maximumFrames, maximumFrameBytes: limits.maximumBodyBytes)
    else { return false }
    guard !message.isMalformed, message.frames.count == 3, let header = try? CallHeader(frame: message.frames[1])
    else {
      countUnreadable(message, isInside: number == Self.localListener)
      return true
    }
    let kind = kind(of: header.kind, message.frames[2], from: header.from, isInside: number == Self.localListener)
    counters.traffic.received(kind, bytes: message.bytes)
    let asker = OpenTicket(
      connection: Connection(listener: number, identity: message.frames[0]), id: header.id, servedBy: header.to,
      asked: kind)
    let claims =
      switch listener.claims {
      case .of(let claims): claims
      case .ofKey: authenticator.claims(message.userID)
      }
    if claims?.permit(header.from) != true {
      counters.refusedClaims += 1
      answer(asker, .failure(RemoteError(.permissionDenied, "this connection may not speak for \(header.from)")))
    } else if message.isOversize {
      counters.oversize += 1
      answer(asker, .failure(RemoteError(.invalidArgument, "above the limit of \(limits.maximumBodyBytes) bytes")))
    } else {
      pass(from: header.from, to: header.to) { [unowned self] in
        switch header.kind {
        case .call: deliver(header, message.frames[2], asker)
        case .fetch: serveFetch(header, message.frames[2], asker)
        }
      }
    }
    return true
  }

  private func deliver(_ header: CallHeader, _ body: [UInt8], _ asker: OpenTicket) {
    guard let mailbox = mailboxes[header.to] else {
      counters.refusedUnknownActor += 1
      return answer(asker, .failure(RemoteError(.notFound, "\(header.to) is not here")))
    }
    lastTicket += 1
    guard hasRoomForTicket(of: asker.connection),
      mailbox.offer(request: Ticket(lastTicket), from: header.from, body: body) == .taken
    else {
      counters.refusedMailboxFull += 1
      return answer(asker, .failure(RemoteError(.tooManyRequests, "\(header.to) has no room")))
    }
    counters.requestsDelivered += 1
    tickets[lastTicket] = asker
    ticketsOfConnection[asker.connection, default: 0] += 1
    let budget = min(Int64(clamping: header.budgetNanoseconds), configuration.limits.maximumDeadline.nanoseconds)
    deadlines.add(.ticket(lastTicket), at: .now().advanced(by: Span(nanoseconds: budget)))
  }

  /// The actors of this process share one connection and trust one another.
  private func hasRoomForTicket(of connection: Connection) -> Bool {
    let limits = configuration.limits
    guard tickets.count < limits.maximumOpenTickets else { return false }
    guard connection.listener != Self.localListener else { return true }
    return ticketsOfConnection[connection, default: 0] < limits.maximumTicketsPerConnection
  }

  private func takeTicket(_ number: UInt64) -> OpenTicket? {
    guard let ticket = tickets.removeValue(forKey: number) else { return nil }
    let left = ticketsOfConnection[ticket.connection, default: 1] - 1
    ticketsOfConnection[ticket.connection] = left == 0 ? nil : left
    return ticket
  }

  func expireTicket(_ number: UInt64) {
    _ = takeTicket(number)
    counters.unanswered += 1
  }

  func reply(_ number: UInt64, _ result: Result<[UInt8], RemoteError>) {
    guard let asker = takeTicket(number) else {
      counters.repliesWithoutTicket += 1
      return
    }
    if case .success(let body) = result, body.count > configuration.limits.maximumBodyBytes {
      return answer(asker, .failure(RemoteError(.invalidArgument, "the answer is above the size limit")))
    }
    answer(asker, result)
  }

  func answer(_ asker: OpenTicket, _ result: Result<[UInt8], RemoteError>) {
    let header: AnswerHeader
    let body: [UInt8]
    switch result {
    case .success(let answer): (header, body) = (AnswerHeader(isError: false, id: asker.id), answer)
    case .failure(let error): (header, body) = (AnswerHeader(isError: true, id: asker.id), error.bounded.encoded)
    }
    let (connection, frame) = (asker.connection, header.frame)
    if listeners[connection.listener].requests.send(connection.identity, frame, body: body) == .accepted {
      counters.answersSent += 1
      counters.traffic.sent(
        .answer(to: asker.asked, header, body, isInside: connection.listener == Self.localListener),
        bytes: frame.count + body.count)
    } else {
      counters.answersDropped += 1
    }
    if asker.connection.listener != Self.localListener { lastSent = .now() }
  }
}

extension RemoteError {
  /// With a text that the other side accepts.
  fileprivate var bounded: RemoteError {
    guard text.utf8.count > Self.maximumTextBytes else { return self }
    // Three bytes less, because cutting inside a character leaves a replacement character of three bytes.
    return RemoteError(code, String(decoding: text.utf8.prefix(Self.maximumTextBytes - 3), as: UTF8.self))
  }
}
