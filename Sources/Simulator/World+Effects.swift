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
      let records = actors[actor].disk.records(of: stream, from: from, limit: limit)
      queue.schedule(
        .recalled(actor, life: actors[actor].life, id, records), at: now + random.delay(conditions.recallDelay))
    case .publish(let topic, let message):
      let parcel = pack(message, by: actor)
      trace.add(effect, content: parcel.digest)
      publish(parcel, Subscription(actors[actor].address, topic))
    case .request(let id, let to, let message, let deadline):
      let parcel = pack(message, by: actor)
      trace.add(effect, content: parcel.digest)
      request(id, from: actor, to: to, parcel, deadline: min(deadline, Self.longestDeadline))
    case .reply(let token, let message):
      let parcel = pack(message, by: actor)
      trace.add(effect, content: parcel.digest)
      reply(token, by: actor, .success(parcel))
    case .refuse(let token, let error):
      trace.add(effect, content: nil)
      reply(token, by: actor, .failure(error))
    case .setTimer(let id, let at):
      trace.add(effect, content: nil)
      actors[actor].lastTimer += 1
      let number = actors[actor].lastTimer
      actors[actor].timers[id] = number
      queue.schedule(.timer(actor, life: actors[actor].life, id, number: number), at: max(now, at))
    case .cancelTimer(let id):
      trace.add(effect, content: nil)
      actors[actor].timers[id] = nil
    case .transmit(let datagrams):
      trace.add(effect, content: nil)
      transmit(datagrams, by: actor)
    case .recognise(let era):
      trace.add(effect, content: nil)
      verifier.learn(era)
    case .observe(let observation):
      trace.add(effect, content: nil)
      observer(now, actors[actor].address, observation)
    case .halt(let reason):
      trace.add(effect, content: nil)
      halt(actor, reason.description)
    }
  }

  /// Every message crosses as bytes, also between two actors of one world.
  private func pack(_ message: Message, by actor: Int) -> Parcel {
    let parcel = Parcel(message, &verifier)
    if case .failure(let error) = parcel.content {
      refusals["message \(message.number) of \(actors[actor].address): \(error)", default: 0] += 1
    }
    return parcel
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
    let subscription = streams[stream].subscription
    if let end = isolationEnd(indexes[subscription.publisher], streams[stream].subscriber) {
      at = max(at, end + random.delay(conditions.fetchDelay))
    }
    queue.schedule(.arrival(stream: stream, life: life, number: number, arrival), at: at)
  }

  /// From now on, and what the publisher still keeps.
  func subscribe(_ actor: Int, to subscription: Subscription) {
    let stream = streams.count
    let channel = channels[subscription, default: Channel()]
    streams.append(SubscriptionStream(subscriber: actor, subscription, to: channel))
    actors[actor].streams.append(stream)
    channels[subscription, default: Channel()].subscribe(stream)
    guard !channel.kept.isEmpty else { return }
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
    guard !random.happens(perMillion: conditions.requestLoss), isolationEnd(asker, target) == nil else { return }
    queue.schedule(.request(number, parcel), at: now + random.delay(conditions.delay))
  }

  private func reply(_ token: ReplyToken, by actor: Int, _ result: Result<Parcel, RemoteError>) {
    guard let request = open[token.number], request.target == actor, request.servedBy == actors[actor].life,
      !request.isAnswered
    else { return }
    open[token.number]?.isAnswered = true
    guard !random.happens(perMillion: conditions.requestLoss), isolationEnd(request.asker, actor) == nil else { return }
    answer(token.number, result)
  }

  /// Sends an answer on its way to the asker.
  func answer(_ number: UInt64, _ result: Result<Parcel, RemoteError>) {
    queue.schedule(.response(number, result), at: now + random.delay(conditions.delay))
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
      guard let target = portOwners[destination], isolationEnd(actor, target) == nil else { continue }
      let at = now + random.delay(conditions.datagramDelay)
      var arriving: [Datagram] = []
      for datagram in datagrams[index..<end] where !random.happens(perMillion: conditions.datagramLoss) {
        let copies = random.happens(perMillion: conditions.datagramDuplication) ? 2 : 1
        let received = Datagram(from: datagram.source, to: datagram.destination, at: at, bytes: datagram.bytes)
        arriving.append(contentsOf: repeatElement(received, count: copies))
      }
      if !arriving.isEmpty { queue.schedule(.datagrams(target, arriving), at: at) }
    }
  }

  /// When an isolation of either ends; nil when they can talk.
  private func isolationEnd(_ one: Int?, _ other: Int) -> Instant? {
    let ends = [one, other].compactMap { $0.flatMap { actors[$0].isolationEnd(at: now) } }
    return ends.max()
  }
}
