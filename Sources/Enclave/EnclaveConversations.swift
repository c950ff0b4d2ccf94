import Effects
import Messages
import Metering
import Signing

/// What the enclave asks of others: edges to carry the flow, the other end's enclave to agree on a key, the anchor edge
/// to make records. Each is asked one thing at a time, again until it is answered, and none waits for another.
extension EnclaveCore {
  /// Asks whatever comes next of everybody, unless something is in flight with them.
  mutating func converse(_ slot: UInt64, _ turn: inout Turn) {
    guard let session = sessions[slot] else { return }
    let isRunning = turn.now < session.clock.end
    for (place, flow) in session.edges.enumerated() where isRunning && !flow.isConfirmed {
      ask(.flow(place), of: flow.edge, slot, &turn) { .openFlow($0) }
    }
    if let peer = session.opening.peerEnclave, session.hasPeerEnclave, session.tagKey == nil, isRunning {
      ask(.pairing, of: peer, slot, &turn) { .pair($0) }
    }
    let step: Message
    switch session.account.exchange?.ask {
    case nil: return
    case .commit(let commitment)?: step = .commit(commitment)
    case .reveal(let reveal)?: step = .reveal(reveal)
    case .submit(let record)?: step = .submitRecord(record)
    }
    ask(.record, of: session.opening.edge, slot, &turn) { _ in step }
  }

  private mutating func ask(
    _ topic: Topic, of other: ActorAddress, _ slot: UInt64, _ turn: inout Turn,
    _ message: (SignedMessage<FlowOpening>) -> Message
  ) {
    guard let session = sessions[slot], !session[topic].isBusy else { return }
    sessions[slot]?[topic].asked()
    let id = numbers.next()
    asked[id] = .conversation(slot: slot, topic)
    turn.add(
      .request(
        id, to: other, message(flowOpening(session)),
        deadline: session[topic].patience(session.booking.parties.metering)))
  }

  private func flowOpening(_ session: Session) -> SignedMessage<FlowOpening> {
    let opening = FlowOpening(
      activation: session.activation, agreementKey: configuration.agreementKey.publicKey,
      address: configuration.networkPort, down: session.opening.down)
    return SignedMessage(signing: opening, with: configuration.receiptKey, network: configuration.network)
  }

  mutating func retry(_ index: UInt64, _ turn: inout Turn) {
    let (slot, topic) = Topic.split(index)
    guard sessions[slot]?.has(topic) == true else { return }
    sessions[slot]?[topic].mayAskAgain()
    tick(slot, &turn)
  }

  // MARK: Answers

  mutating func response(_ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn) {
    switch asked.removeValue(forKey: id) {
    case nil: return
    case .receipts(let slot, let epoch, let signer)?:
      collected(slot, epoch, signer, try? result.get().value, &turn)
    case .conversation(let slot, let topic)?:
      guard sessions[slot]?.has(topic) == true else { return }
      switch (topic, result) {
      case (.flow(let place), .success(let message)): flowOpened(slot, place, message.value, &turn)
      case (.pairing, .success(let message)): paired(slot, message.value, &turn)
      case (.record, .success(let message)): exchanged(slot, message.value, &turn)
      case (.record, .failure(let error)) where error.code == .notFound && sessions[slot]?.isFinished == true:
        // Settled and closed at the edge: it has no use for the last record any more.
        over(slot, &turn)
      case (_, .failure): retryLater(slot, topic, &turn)
      }
    }
  }

  /// Something was achieved: what comes next?
  mutating func goOn(_ slot: UInt64, _ turn: inout Turn) {
    if sessions[slot]?.isOver == true { over(slot, &turn) } else { tick(slot, &turn) }
  }

  /// Nothing is left to ask: the session stays only for others to read.
  private mutating func over(_ slot: UInt64, _ turn: inout Turn) {
    guard !finished.contains(slot) else { return }
    finished.append(slot)
    forgetOldest(&turn)
  }

  private mutating func retryLater(_ slot: UInt64, _ topic: Topic, _ turn: inout Turn) {
    guard let session = sessions[slot] else { return }
    guard turn.now < session.abandonAt else {
      turn.note("\(address): \(session.activation.short): never answered about \(topic); given up", .warning)
      return over(slot, &turn)
    }
    guard let pause = sessions[slot]?[topic].failed(session.booking, at: turn.now) else { return }
    turn.add(.setTimer(TimerID(Purpose.retry, topic.index(slot: slot)), at: turn.now + pause))
  }

  private mutating func flowOpened(_ slot: UInt64, _ place: Int, _ message: Message, _ turn: inout Turn) {
    guard var session = sessions[slot] else { return }
    guard case .flowOpened(let signed) = message, signed.envelope.signer == session.edges[place].key,
      let opened = try? signed.payload(), opened.activation == session.activation, session.opened(opened, at: place)
    else {
      turn.count("enclave.flow.refused")
      return retryLater(slot, .flow(place), &turn)
    }
    // A one-customer flow ends at its anchor's endpoint, whichever edge serves: the first edge's key is that end's.
    if !session.hasPeerEnclave, place == 0, !session.agree(on: opened.agreementKey, configuration) {
      turn.count("enclave.flow.refused")
      return retryLater(slot, .flow(place), &turn)
    }
    session[.flow(place)].succeeded()
    turn.add(.persist(session.record(signed, at: place)))
    sessions[slot] = session
    flows[FlowKey(opened)] = slot
    reserveNumbers(slot, &turn)
    observeOpen(session, &turn)
    tick(slot, &turn)
  }

  private func observeOpen(_ session: Session, _ turn: inout Turn) {
    if session.isOpen(in: session.clock.epoch(at: turn.now) ?? 0) {
      turn.add(.observe(.activation(session.activation, .flowOpen)))
    }
  }

  // MARK: The other end

  /// The other end's enclave asks to agree on a key; its answer is this one's half.
  mutating func pair(_ token: ReplyToken, _ signed: SignedMessage<FlowOpening>, _ turn: inout Turn) {
    guard let opening = try? signed.payload(), let slot = slots[opening.activation], let session = sessions[slot] else {
      return turn.refuse(token, .notFound, "no session is open for this activation")
    }
    guard take(slot, signed, &turn) else {
      return turn.refuse(token, .permissionDenied, "not the enclave at the other end")
    }
    turn.add(.reply(token, .paired(flowOpening(session))))
    tick(slot, &turn)
  }

  private mutating func paired(_ slot: UInt64, _ message: Message, _ turn: inout Turn) {
    guard case .paired(let signed) = message, take(slot, signed, &turn) else {
      return retryLater(slot, .pairing, &turn)
    }
    sessions[slot]?[.pairing].succeeded()
    tick(slot, &turn)
  }

  private mutating func take(_ slot: UInt64, _ signed: SignedMessage<FlowOpening>, _ turn: inout Turn) -> Bool {
    guard var session = sessions[slot], let opening = try? signed.payload(),
      opening.activation == session.activation, let signer = signed.envelope.signer,
      signer == session.opening.order.enclave(at: session.end.other),
      session.agree(on: opening.agreementKey, configuration)
    else {
      turn.count("enclave.pairing.refused")
      return false
    }
    let isNew = sessions[slot]?.otherKey != session.otherKey
    sessions[slot] = session
    if isNew {
      turn.add(.persist(session.record(pairing: signed)))
      observeOpen(session, &turn)
    }
    return true
  }

  // MARK: Records

  private mutating func exchanged(_ slot: UInt64, _ message: Message, _ turn: inout Turn) {
    guard var session = sessions[slot], var exchange = session.account.exchange else { return }
    do throws(ExchangeRefusal) {
      switch message {
      case .commit(let answer): turn.add(.persist(session.record(try exchange.take(answer).persist)))
      case .revealed(let answer):
        let step = try exchange.take(answer)
        turn.add(.persist(session.record(step.persist)))
        if let (record, _) = step.record { turn.add(.observe(.epochRecorded(session.activation, record))) }
      case .acknowledged:
        guard let done = exchange.acknowledged() else { throw .unexpected }
        session.booking.recorded(done.epoch, at: turn.now)
        if let next = done.persist { turn.add(.persist(session.record(next))) }
      default: throw .unexpected
      }
    } catch {
      turn.count("enclave.exchange.refused")
      turn.note("\(address): \(session.activation.short): answer of the edge refused: \(error)", .warning)
      session.account.exchange = exchange
      sessions[slot] = session
      return retryLater(slot, .record, &turn)
    }
    session.account.exchange = exchange
    session[.record].succeeded()
    sessions[slot] = session
    goOn(slot, &turn)
  }
}

extension Session {
  /// Whether there still is such a thing to talk about.
  func has(_ topic: EnclaveCore.Topic) -> Bool {
    if case .flow(let place) = topic { place < edges.count } else { true }
  }

  subscript(topic: EnclaveCore.Topic) -> Conversation {
    get {
      switch topic {
      case .flow(let place): edges[place].conversation
      case .pairing: pairing
      case .record: recording
      }
    }
    set {
      switch topic {
      case .flow(let place): edges[place].conversation = newValue
      case .pairing: pairing = newValue
      case .record: recording = newValue
      }
    }
  }
}
