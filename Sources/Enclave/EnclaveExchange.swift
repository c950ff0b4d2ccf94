import Effects
import Messages
import Metering
import Signing

/// The enclave and its edge: one request at a time per session, asked again until it is answered.
extension EnclaveCore {
  /// Does what is due and asks what is to be asked.
  mutating func resume(_ slot: UInt64, _ turn: inout Turn) {
    sessions[slot]?.isAsking = false
    tick(slot, &turn)
  }

  /// What the clock asks for: close epochs whose grace is over, send probes; then set the timer for the next.
  mutating func tick(_ slot: UInt64, _ turn: inout Turn) {
    guard var session = sessions[slot] else { return }
    while let close = session.nextClose, close <= turn.now {
      guard let journal = session.closeNext() else { break }
      turn.add(.persist(session.record(journal)))
    }
    let metering = session.parties.terms.metering
    if let probe = session.probes.next(session.clock, metering: metering), probe <= turn.now {
      sendProbe(&session, &turn)
      session.probes.skip(past: turn.now, session.clock, metering: metering)
    }
    let due = [session.nextClose, session.probes.next(session.clock, metering: metering)].compactMap { $0 }.min()
    if let due { turn.add(.setTimer(TimerID(Purpose.tick, slot), at: max(due, turn.now))) }
    sessions[slot] = session
    ask(slot, &turn)
  }

  /// Asks the edge for the one thing that comes next, unless something is in flight.
  private mutating func ask(_ slot: UInt64, _ turn: inout Turn) {
    guard let session = sessions[slot], !session.isAsking else { return }
    let message: Message
    if session.flow == nil, turn.now < session.clock.end {
      let opening = FlowOpening(
        activation: session.opening.activation, agreementKey: configuration.agreementKey.publicKey,
        address: configuration.networkPort, down: session.opening.down)
      message = .openFlow(
        SignedMessage(signing: opening, with: configuration.receiptKey, network: configuration.network))
      request(.flow(slot: slot), of: session, message, &turn)
    } else {
      switch session.exchange.ask {
      case nil: return
      case .commit(let commitment)?: message = .commit(commitment)
      case .reveal(let reveal)?: message = .reveal(reveal)
      case .submit(let record)?: message = .submitRecord(record)
      }
      request(.exchange(slot: slot), of: session, message, &turn)
    }
    sessions[slot]?.isAsking = true
  }

  private mutating func request(_ about: Asked, of session: Session, _ message: Message, _ turn: inout Turn) {
    turn.add(.request(nextRequest(about), to: session.opening.edge, message, deadline: session.patience))
  }

  mutating func response(_ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn) {
    guard let about = asked.removeValue(forKey: id) else { return }
    switch (about, result) {
    case (.flow(let slot), .success(let message)): flowOpened(slot, message.value, &turn)
    case (.exchange(let slot), .success(let message)): exchanged(slot, message.value, &turn)
    case (.exchange(let slot), .failure(let error)) where error.code == .notFound && sessions[slot]?.isFinished == true:
      // Settled and closed at the edge: it has no use for the last record any more.
      over(slot, &turn)
    case (.flow(let slot), .failure), (.exchange(let slot), .failure): retryLater(slot, &turn)
    }
  }

  /// Nothing is left to ask: the session stays only for its customer to read.
  private mutating func over(_ slot: UInt64, _ turn: inout Turn) {
    finished.append(slot)
    forgetOldest(&turn)
  }

  /// Waits longer after each failure, never longer than ``longestRetry``, so that an edge that is down is not hammered,
  /// and never longer than a quarter of an epoch: an edge that comes to know of the activation late, or returns, must
  /// not wait for its enclave on top.
  private func pause(_ session: Session) -> Span {
    let longest = min(Self.longestRetry, max(Self.firstRetry, session.parties.terms.metering.epoch / 4))
    return min(Self.firstRetry * (1 << Int64(min(session.failures, 10))), longest)
  }

  private mutating func retryLater(_ slot: UInt64, _ turn: inout Turn) {
    guard let session = sessions[slot] else { return }
    guard turn.now < session.abandonAt else {
      turn.note("\(address): \(session.opening.activation.short): the edge never answered; given up", .warning)
      return over(slot, &turn)
    }
    sessions[slot]?.failures += 1
    turn.add(.setTimer(TimerID(Purpose.retry, slot), at: turn.now + pause(session)))
  }

  private mutating func flowOpened(_ slot: UInt64, _ message: Message, _ turn: inout Turn) {
    guard var session = sessions[slot] else { return }
    let activation = session.opening.activation
    guard case .flowOpened(let signed) = message, signed.envelope.signer == session.parties.edge,
      let opened = try? signed.payload(), opened.activation == activation,
      let key = PacketTag.Key(
        agreement: configuration.agreementKey, peer: opened.agreementKey, activation: activation)
    else {
      turn.count("enclave.flow.refused")
      return retryLater(slot, &turn)
    }
    session.opened(opened, key: key)
    session.failures = 0
    reserveSequences(&session, &turn)
    sessions[slot] = session
    if let key = session.flowKey { flows[key] = slot }
    turn.add(.observe(.activation(activation, .flowOpen)))
    resume(slot, &turn)
  }

  private mutating func exchanged(_ slot: UInt64, _ message: Message, _ turn: inout Turn) {
    guard var session = sessions[slot] else { return }
    do throws(ExchangeRefusal) {
      switch message {
      case .commit(let answer): turn.add(.persist(session.record(try session.exchange.take(answer).persist)))
      case .revealed(let answer):
        let step = try session.exchange.take(answer)
        turn.add(.persist(session.record(step.persist)))
        if let (record, _) = step.record {
          turn.add(.observe(.epochRecorded(session.opening.activation, record)))
        }
      case .acknowledged:
        guard let done = session.exchange.acknowledged() else { throw .unexpected }
        session.gate.recorded(done.epoch, at: turn.now)
        if let next = done.persist { turn.add(.persist(session.record(next))) }
      default: throw .unexpected
      }
    } catch {
      turn.count("enclave.exchange.refused")
      turn.note("\(address): \(session.opening.activation.short): answer of the edge refused: \(error)", .warning)
      sessions[slot] = session
      return retryLater(slot, &turn)
    }
    session.failures = 0
    sessions[slot] = session
    if session.isOver { over(slot, &turn) } else { resume(slot, &turn) }
  }
}
