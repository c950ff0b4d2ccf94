import Messages
import Wire

/// When this bus next says which numbers are the latest: soon after a publication, then ever more rarely, but never
/// stopping, so that a loss at the tail or a silent break is noticed.
struct Announcing {
  static let firstMs: Int64 = 250
  static let maximumMs: Int64 = 2_000

  /// Of the timer that is set; older timers are void.
  var generation: UInt64 = 0
  var intervalMs = maximumMs
  var isSet = false
}

/// One local subscriber's interest in one publisher's topic.
struct Subscription {
  let subscriber: Mailbox
  let key: PublicationKey
  var stream: SubscriptionStream
  /// The peer whose SUB socket is subscribed for this.
  var peer: Int?
  /// The peer last asked.
  var asked: Int?
  var lastHeard: MonotonicInstant
}

extension Switchboard {
  // MARK: Publishing

  func publish(_ key: PublicationKey, _ body: [UInt8]) {
    // An actor that has left since it published is no longer numbered here.
    guard mailboxes[key.publisher] != nil else { return }
    let sequence = outlets[key, default: Outlet(key)].append(body, limits: configuration.limits)
    guard let outlet = outlets[key] else { return }
    counters.published += 1
    let header = PublicationHeader(isAnnouncement: false, incarnation: outlet.incarnation, sequence: sequence)
    broadcast(outlet, header, body, .publication, .init(of: body))
    if listeners.count > 1 { lastSent = .now() }
    if !announcing.isSet || announcing.intervalMs > Announcing.firstMs {
      scheduleAnnouncement(afterMs: Announcing.firstMs, .now())
    }
  }

  /// PUB never waits and never refuses: what a connection has no room for is dropped by libzmq, uncounted. Hence the
  /// numbers.
  private func broadcast(
    _ outlet: Outlet, _ header: PublicationHeader, _ body: [UInt8]?, _ form: TrafficKind.Form,
    _ subject: TrafficKind.Subject
  ) {
    let frame = header.frame
    let bytes = outlet.keyFrame.count + frame.count + (body?.count ?? 0)
    for (number, listener) in listeners.enumerated()
    where listener.publications.send(outlet.keyFrame, frame, body: body) == .accepted {
      counters.traffic.sent(TrafficKind(form, subject, isInside: number == Self.localListener), bytes: bytes)
    }
  }

  func announce(_ now: MonotonicInstant) {
    for (key, outlet) in outlets.sorted(by: { $0.value.keyFrame.lexicographicallyPrecedes($1.value.keyFrame) }) {
      let header = PublicationHeader(isAnnouncement: true, incarnation: outlet.incarnation, sequence: outlet.latest)
      broadcast(outlet, header, nil, .announcement, .topic(key.topic))
    }
    scheduleAnnouncement(afterMs: min(Announcing.maximumMs, announcing.intervalMs * 2), now)
  }

  private func scheduleAnnouncement(afterMs interval: Int64, _ now: MonotonicInstant) {
    announcing.generation += 1
    announcing.intervalMs = interval
    announcing.isSet = true
    deadlines.add(.announce(generation: announcing.generation), at: now.advanced(by: .milliseconds(interval)))
  }

  func serveFetch(_ header: CallHeader, _ body: [UInt8], _ asker: OpenTicket) {
    guard let query = try? FetchQuery(decoding: body) else {
      counters.malformed += 1
      return
    }
    guard mailboxes[header.to] != nil else {
      counters.refusedUnknownActor += 1
      return answer(asker, .failure(RemoteError(.notFound, "\(header.to) is not here")))
    }
    counters.fetchesServed += 1
    let key = PublicationKey(publisher: header.to, topic: query.topic)
    // Made here if need be: from now on its announcements tell the subscriber that we live.
    let outlet = outlets[key, default: Outlet(key)]
    outlets[key] = outlet
    if !announcing.isSet { scheduleAnnouncement(afterMs: Announcing.firstMs, .now()) }
    let port = listeners[asker.connection.listener].publicationPort
    answer(asker, .success(outlet.fetch(query, publicationPort: port, limits: configuration.limits).encoded))
  }

  // MARK: Subscribing

  func subscribe(_ subscriber: ActorAddress, _ key: PublicationKey, _ start: StartingPoint) throws(BusError) {
    guard let mailbox = mailboxes[subscriber] else { throw .notRegistered(subscriber) }
    // Asking twice is asking once.
    let others = subscriptionsOfKey[key, default: []]
    guard !others.contains(where: { subscriptions[$0]?.subscriber === mailbox }) else { return }
    guard subscriptions.count < configuration.limits.maximumSubscriptions else {
      throw .limitReached("maximumSubscriptions")
    }
    lastSubscription += 1
    subscriptions[lastSubscription] = Subscription(
      subscriber: mailbox, key: key, stream: SubscriptionStream(start: start, limits: configuration.limits),
      peer: nil, asked: nil, lastHeard: .now())
    subscriptionsOfKey[key] = others + [lastSubscription]
    if !isWatching {
      isWatching = true
      deadlines.add(.watch, at: .now().advanced(by: configuration.limits.silence))
    }
    advance(lastSubscription)
  }

  func endSubscriptions(of subscriber: ActorAddress) {
    for number in subscriptions.filter({ $0.value.subscriber.address == subscriber }).keys.sorted() {
      leave(number)
      guard let ended = subscriptions.removeValue(forKey: number) else { continue }
      let rest = subscriptionsOfKey[ended.key, default: []].filter { $0 != number }
      subscriptionsOfKey[ended.key] = rest.isEmpty ? nil : rest
    }
    isWatching = !subscriptions.isEmpty
  }

  /// The publisher is served elsewhere from now on: ask there for its position.
  func relocateSubscriptions(to publisher: ActorAddress) {
    for topic in Topic.allCases {
      for number in subscriptionsOfKey[PublicationKey(publisher: publisher, topic: topic), default: []]
      where subscriptions[number]?.peer != peer(serving: publisher) {
        subscriptions[number]?.stream.silenceNoticed()
        advance(number)
      }
    }
  }

  private func join(_ number: Int, _ peer: Int) {
    guard let subscription = subscriptions[number], subscription.peer != peer else { return }
    leave(number)
    if !isJoined(subscription.key, peer) { peers[peer].subscribe(subscription.key) }
    subscriptions[number]?.peer = peer
  }

  private func leave(_ number: Int) {
    guard let subscription = subscriptions[number], let peer = subscription.peer else { return }
    subscriptions[number]?.peer = nil
    if !isJoined(subscription.key, peer) { peers[peer].unsubscribe(subscription.key) }
  }

  private func isJoined(_ key: PublicationKey, _ peer: Int) -> Bool {
    subscriptionsOfKey[key, default: []].contains { subscriptions[$0]?.peer == peer }
  }

  // MARK: Receiving

  /// - Returns: false when nothing waits.
  func receivePublication(_ peer: Int) -> Bool {
    let limits = configuration.limits
    guard
      let message = peers[peer].publications.receive(
        maximumFrames: BusFrames.maximumFrames, maximumFrameBytes: limits.maximumBodyBytes)
    else { return false }
    if message.isOversize {
      counters.oversize += 1
      counters.traffic.received(TrafficKind(.unreadable, isInside: peer == Self.localPeer), bytes: message.bytes)
      return true
    }
    guard !message.isMalformed, message.frames.count >= 2, let key = PublicationKey(frame: message.frames[0]),
      let header = try? PublicationHeader(frame: message.frames[1]),
      message.frames.count == (header.isAnnouncement ? 2 : 3)
    else {
      countUnreadable(message, isInside: peer == Self.localPeer)
      return true
    }
    counters.traffic.received(
      header.isAnnouncement
        ? TrafficKind(.announcement, .topic(key.topic), isInside: peer == Self.localPeer)
        : TrafficKind(.publication, .init(of: message.frames[2]), isInside: peer == Self.localPeer),
      bytes: message.bytes)
    for number in subscriptionsOfKey[key, default: []] {
      guard let subscriber = subscriptions[number]?.subscriber.address else { continue }
      pass(from: key.publisher, to: subscriber) { [unowned self] in
        take(key, header, message.frames.last ?? [], number, peer)
      }
    }
    return true
  }

  /// One subscription hears one publication or announcement.
  private func take(
    _ key: PublicationKey, _ header: PublicationHeader, _ body: [UInt8], _ number: Int, _ peer: Int
  ) {
    // SUB has already left out what nobody here subscribed at this peer, so this is a publisher that has moved.
    guard subscriptions[number]?.peer == peer, self.peer(serving: key.publisher) == peer else {
      counters.refusedClaims += 1
      return
    }
    subscriptions[number]?.lastHeard = .now()
    let effect =
      header.isAnnouncement
      ? subscriptions[number]?.stream.heard(incarnation: header.incarnation, latest: header.sequence)
      : subscriptions[number]?.stream.received(body, incarnation: header.incarnation, sequence: header.sequence)
    note(effect)
    advance(number)
  }

  func fetchEnded(_ number: Int, _ result: Result<[UInt8], RemoteError>) {
    guard let subscription = subscriptions[number] else { return }
    let limits = configuration.limits
    let bytes = limits.maximumBodyBytes + SocketOptions.headerRoomBytes
    let wire = WireLimits(
      maximumBytes: bytes, maximumStringBytes: limits.maximumBodyBytes, maximumItems: limits.fetchedMessages,
      maximumDepth: 2)
    if case .success(let body) = result, let answer = try? FetchedMessages(decoding: body, limits: wire),
      let asked = subscription.asked, asked == peer(serving: subscription.key.publisher)
    {
      peers[asked].listenToPublications(port: answer.publicationPort)
      join(number, asked)
      subscriptions[number]?.lastHeard = .now()
      note(subscriptions[number]?.stream.fetched(answer))
    } else {
      counters.fetchesFailed += 1
      subscriptions[number]?.stream.fetchFailed()
    }
    advance(number)
  }

  func roomAvailable(_ subscriber: ActorAddress) {
    for number in subscriptions.filter({ $0.value.subscriber.address == subscriber }).keys.sorted() {
      subscriptions[number]?.stream.roomAvailable()
      advance(number)
    }
  }

  func resumeSubscription(_ number: Int) {
    subscriptions[number]?.stream.pauseEnded()
    advance(number)
  }

  func watch(_ now: MonotonicInstant) {
    for number in subscriptions.keys.sorted() {
      guard let subscription = subscriptions[number],
        now.nanoseconds(since: subscription.lastHeard) >= UInt64(configuration.limits.silence.nanoseconds)
      else { continue }
      subscriptions[number]?.stream.silenceNoticed()
      advance(number)
    }
    deadlines.add(.watch, at: now.advanced(by: configuration.limits.silence))
  }

  private func note(_ effect: SubscriptionStream.Effect?) {
    switch effect {
    case .repeated: counters.publicationsRepeated += 1
    case .restarted: counters.publisherRestarts += 1
    case .fetched(let count): counters.fetched += UInt64(count)
    case .some(.none), nil: break
    }
  }

  /// Delivers what can be delivered and starts what is needed.
  private func advance(_ number: Int) {
    guard var subscription = subscriptions[number] else { return }
    let (mailbox, key) = (subscription.subscriber, subscription.key)
    let step = subscription.stream.advance { gap, body in
      let delivery = Delivery.publication(from: key.publisher, key.topic, gap: gap, body: body)
      guard mailbox.offer(publication: delivery) != .full else {
        counters.publicationsDeferred += 1
        return false
      }
      counters.publicationsDelivered += 1
      counters.gaps += gap
      return true
    }
    subscriptions[number] = subscription
    switch step {
    case .nothing: return
    case .retry(let afterMs):
      deadlines.add(.subscription(number), at: .now().advanced(by: .milliseconds(afterMs)))
    case .fetch(let from, let count):
      subscriptions[number]?.asked = peer(serving: key.publisher)
      counters.fetchesSent += 1
      let query = FetchQuery(topic: key.topic, from: from, count: count)
      lastOwnRequest -= 1
      startRequest(
        lastOwnRequest,
        OutgoingRequest(
          kind: .fetch, from: mailbox.address, to: key.publisher, body: query.encoded,
          deadline: .now().advanced(by: configuration.limits.fetchDeadline)), .subscription(number))
    }
  }
}
