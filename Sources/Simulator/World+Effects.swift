import Effects
import Messages
import Signing

/// What cores want done.
extension World {
  func perform(_ effect: Effect, by actor: Int) {
    switch effect {
    case .persist(let record):
      trace.add(effect, content: nil)
      actors[actor].disk.apply(record)
      persisted(actor)
    case .recall(let id, let stream, let from, let limit):
      trace.add(effect, content: nil)
      if let damaged = actors[actor].disk.damagedRecord, damaged.stream == stream {
        return halt(actor, Self.damaged(damaged))
      }
      let records = actors[actor].disk.records(of: stream, from: from, limit: limit)
      queue.schedule(
        .recalled(actor, life: actors[actor].life, id, records), at: now + random.delay(conditions.recallDelay))
    case .publish(let topic, let message):
      let parcel = Parcel(message)
      trace.add(effect, content: parcel.digest)
      publish(parcel, Subscription(actors[actor].address, topic))
    case .request(let id, let to, let message, let deadline):
      let parcel = Parcel(message)
      trace.add(effect, content: parcel.digest)
      request(id, from: actor, to: to, parcel, deadline: min(deadline, Self.longestDeadline))
    case .reply(let token, let message):
      let parcel = Parcel(message)
      trace.add(effect, content: parcel.digest)
      reply(token, by: actor, .success(parcel))
    case .refuse(let token, let error):
      trace.add(effect, content: nil)
      reply(token, by: actor, .failure(error))
    case .setTimer(let id, let at):
      trace.add(effect, content: nil)
      actors[actor].lastTimer += 1
      let number = actors[actor].lastTimer
      actors[actor].timers[id] = SetTimer(number: number, at: at)
      schedule(id, number: number, at: at, of: actor)
    case .cancelTimer(let id):
      trace.add(effect, content: nil)
      actors[actor].timers[id] = nil
    case .transmit(let datagrams):
      trace.add(effect, content: nil)
      transmit(datagrams, by: actor)
    case .recognise(let era):
      trace.add(effect, content: nil)
      verifier.learn(era)
    case .tell(let news):
      trace.add(effect, content: nil)
      tell(news, by: actor)
    case .observe(let observation):
      trace.add(effect, content: nil)
      observer(now, actors[actor].address, observation)
      for number in schedule.take(setOffBy: observation) { queue.schedule(.fault(number), at: now) }
    case .halt(let reason):
      trace.add(effect, content: nil)
      halt(actor, reason.description)
    }
  }

  /// Everybody at once: what a host may put off, a world need not.
  private func tell(_ news: LedgerNews, by actor: Int) {
    var shares = news.shares[...]
    for (position, reader) in news.readers.enumerated() {
      let isConcerned = shares.first?.reader == position
      let notices = isConcerned ? shares.removeFirst().notices : []
      guard let target = indexes[reader], target != actor else { continue }
      queue.schedule(.told(target, life: actors[target].life, news.tip, notices), at: now)
    }
  }

  // MARK: Publications

  private func publish(_ parcel: Parcel, _ subscription: Subscription) {
    let number = channels[subscription, default: Channel()].publish(parcel)
    guard let channel = channels[subscription] else { return }
    for stream in channel.streams { send(parcel, life: channel.life, number: number, to: stream) }
  }

  private func send(_ parcel: Parcel, life: UInt64, number: UInt64, to stream: Int) {
    var at = now + random.delay(conditions.delay)
    var arrival = SubscriptionStream.Arrival.message(parcel)
    if random.happens(perMillion: conditions.publicationLoss) {
      at = at + random.delay(conditions.fetchDelay)
      if random.happens(perMillion: conditions.gaps) { arrival = .givenUp }
    }
    if !links.isCalm, let link = link(of: stream) {
      if links.isCut(link, .bus) { return streams[stream].miss(life: life, number: number) }
      let crossing = links.cross(link, .bus, bytes: parcel.byteCount, at: now, &random)
      at = at + crossing.delay
      if crossing.isLost { at = at + random.delay(conditions.fetchDelay) }
      if crossing.isDoubled {
        queue.schedule(
          .arrival(stream: stream, life: life, number: number, arrival), at: at + random.delay(conditions.delay))
      }
    }
    queue.schedule(.arrival(stream: stream, life: life, number: number, arrival), at: at)
  }

  /// From the publisher to the subscriber; nil when nobody here publishes.
  func link(of stream: Int) -> LinkFaults.Link? {
    indexes[streams[stream].subscription.publisher].map { .init(from: $0, to: streams[stream].subscriber) }
  }

  /// From now on, and what the publisher still keeps.
  func subscribe(_ actor: Int, to subscription: Subscription) {
    let stream = streams.count
    let channel = channels[subscription, default: Channel()]
    streams.append(SubscriptionStream(subscriber: actor, subscription, to: channel))
    actors[actor].streams.append(stream)
    channels[subscription, default: Channel()].subscribe(stream)
    guard !channel.kept.isEmpty else { return }
    if !links.isCalm, let link = link(of: stream), links.isCut(link, .bus) {
      return streams[stream].miss(life: channel.life, number: channel.oldestKept)
    }
    let at = now + random.delay(conditions.fetchDelay)
    for (offset, parcel) in channel.kept.enumerated() {
      queue.schedule(
        .arrival(
          stream: stream, life: channel.life, number: channel.oldestKept + UInt64(offset), .message(parcel)), at: at)
    }
  }

  // MARK: Requests

  private func request(_ id: RequestID, from asker: Int, to address: ActorAddress, _ parcel: Parcel, deadline: Span) {
    lastRequest += 1
    let number = lastRequest
    let target = indexes[address]
    open[number] = OpenRequest(asker: asker, life: actors[asker].life, id: id, target: target ?? asker)
    queue.schedule(
      .response(number, .failure(RemoteError(.deadlineExceeded))), at: now + max(.zero, deadline))
    guard let target else {
      return answer(number, .failure(RemoteError(.notFound, "there is no \(address)")))
    }
    guard !random.happens(perMillion: conditions.requestLoss) else { return }
    send(parcel.byteCount, from: asker, to: target) { .request(number, parcel) }
  }

  private func reply(_ token: ReplyToken, by actor: Int, _ result: Result<Parcel, RemoteError>) {
    guard let request = open[token.number], request.target == actor, request.servedBy == actors[actor].life,
      !request.isAnswered
    else { return }
    open[token.number]?.isAnswered = true
    guard !random.happens(perMillion: conditions.requestLoss) else { return }
    answer(token.number, result)
  }

  /// Sends an answer on its way to the asker.
  func answer(_ number: UInt64, _ result: Result<Parcel, RemoteError>) {
    guard let request = open[number] else { return }
    let bytes = if case .success(let parcel) = result { parcel.byteCount } else { 0 }
    send(bytes, from: request.target, to: request.asker) { .response(number, result) }
  }

  /// One message over the bus, if it gets through; its number tells a second one from the first.
  private func send(_ bytes: Int, from: Int, to: Int, _ happening: () -> Happening) {
    var at = now + random.delay(conditions.delay)
    if !links.isCalm {
      let link = LinkFaults.Link(from: from, to: to)
      guard !links.isCut(link, .bus) else { return }
      let crossing = links.cross(link, .bus, bytes: bytes, at: now, &random)
      guard !crossing.isLost else { return }
      at = at + crossing.delay
      if crossing.isDoubled { queue.schedule(happening(), at: at + random.delay(conditions.delay)) }
    }
    queue.schedule(happening(), at: at)
  }

  // MARK: Datagrams

  /// Datagrams of one effect to one place travel together, so that a burst is one event.
  private func transmit(_ datagrams: [Datagram], by actor: Int) {
    var index = 0
    while index < datagrams.count {
      let destination = datagrams[index].destination
      var end = index
      while end < datagrams.count, datagrams[end].destination == destination { end += 1 }
      defer { index = end }
      guard let target = portOwners[destination] else { continue }
      if !links.isCalm {
        disturb(datagrams[index..<end], from: actor, to: target)
        continue
      }
      let at = now + random.delay(conditions.datagramDelay)
      let arriving = datagrams[index..<end].flatMap { copies(of: $0, at: at) }
      if !arriving.isEmpty { queue.schedule(.datagrams(target, arriving), at: at) }
    }
  }

  /// Over links with faults each datagram goes its own way.
  private func disturb(_ datagrams: ArraySlice<Datagram>, from: Int, to: Int) {
    let link = LinkFaults.Link(from: from, to: to)
    guard !links.isCut(link, .data) else { return }
    for datagram in datagrams {
      let crossing = links.cross(link, .data, bytes: datagram.bytes.count, at: now, &random)
      guard !crossing.isLost else { continue }
      for _ in 0..<(crossing.isDoubled ? 2 : 1) {
        let at = now + random.delay(conditions.datagramDelay) + crossing.delay
        let arriving = copies(of: datagram, at: at)
        if !arriving.isEmpty { queue.schedule(.datagrams(to, arriving), at: at) }
      }
    }
  }

  /// As the receiver gets it: not at all, once or twice.
  private func copies(of datagram: Datagram, at: Instant) -> [Datagram] {
    guard !random.happens(perMillion: conditions.datagramLoss) else { return [] }
    let received = Datagram(from: datagram.source, to: datagram.destination, at: at, bytes: datagram.bytes)
    return random.happens(perMillion: conditions.datagramDuplication) ? [received, received] : [received]
  }
}
