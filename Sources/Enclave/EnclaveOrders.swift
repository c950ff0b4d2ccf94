import Effects
import Messages
import Metering

/// What the customer tells its enclave, each answered the same when it is told again.
extension EnclaveCore {
  mutating func ordered(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .openSession(let opening): open(token, opening, &turn)
    case .endSession(let ending):
      change(token, ending.activation, &turn) { session in
        session.end(after: ending.epochs) ? nil : "that epoch is over, or beyond those booked"
      }
    case .updateBooking(let update):
      let now = turn.now
      change(token, update.activation, &turn) { session in
        session.update(update, at: now) ? nil : "it does not fit what is booked, or its epochs are over"
      }
    case .settleEpoch(let settling): settle(token, settling, &turn)
    case .getEpochMaterial(let request): giveMaterial(token, request, &turn)
    case .getEnclaveStatus(let request): report(token, request, &turn)
    default: turn.refuse(token, .unimplemented, "not an order")
    }
  }

  private mutating func open(_ token: ReplyToken, _ opening: EnclaveSession, _ turn: inout Turn) {
    if let slot = slots[opening.activation], var session = sessions[slot] {
      // One account per activation, ever: a second one would sign contradictory statements.
      let before = session.opening
      guard session.reopen(opening) else {
        return turn.refuse(token, .failedPrecondition, "another session is open for this activation")
      }
      if session.opening != before {
        sessions[slot] = session
        turn.add(.persist(session.record))
      }
      return turn.add(.reply(token, .acknowledged))
    }
    guard sessions.count - finished.count < Self.maximumSessions else {
      return turn.refuse(token, .tooManyRequests, "this enclave accounts for \(Self.maximumSessions) at once")
    }
    let slot = nextSlot
    guard let session = Session(slot: slot, opening, configuration, presentSince: turn.now) else {
      return turn.refuse(token, .invalidArgument, "terms, order, confirmation and this enclave do not fit together")
    }
    nextSlot += 1
    sessions[slot] = session
    slots[opening.activation] = slot
    turn.add(.persist(session.record))
    turn.add(.reply(token, .acknowledged))
    tick(slot, &turn)
  }

  /// - Parameter body: changes the session, or says why not.
  private mutating func change(
    _ token: ReplyToken, _ activation: ActivationID, _ turn: inout Turn, _ body: (inout Session) -> String?
  ) {
    guard let slot = slots[activation], var session = sessions[slot] else {
      return turn.refuse(token, .notFound, "no session for \(activation.short)")
    }
    if let refusal = body(&session) { return turn.refuse(token, .failedPrecondition, refusal) }
    sessions[slot] = session
    // An extension that came late: there is more to account for after all.
    if !session.isOver { finished.removeAll { $0 == slot } }
    turn.add(.persist(session.record))
    turn.add(.reply(token, .acknowledged))
    tick(slot, &turn)
  }

  // MARK: Demands

  /// The ledger opened both sides' receipts: the record follows, and the account goes on.
  private mutating func settle(_ token: ReplyToken, _ settling: EpochSettling, _ turn: inout Turn) {
    guard let slot = slots[settling.activation], var session = sessions[slot], var exchange = session.account.exchange
    else {
      return turn.refuse(token, .notFound, "no records are made here for \(settling.activation.short)")
    }
    do throws(ExchangeRefusal) {
      for journal in try exchange.settle(settling) { turn.add(.persist(session.record(journal))) }
    } catch {
      turn.count("enclave.exchange.refused")
      return turn.refuse(token, .failedPrecondition, "\(error)")
    }
    session.booking.recorded(settling.epoch, at: turn.now)
    session.account.exchange = exchange
    sessions[slot] = session
    turn.add(.reply(token, .acknowledged))
    goOn(slot, &turn)
  }

  private mutating func giveMaterial(_ token: ReplyToken, _ request: ReceiptsRequest, _ turn: inout Turn) {
    guard let slot = slots[request.activation], var session = sessions[slot], var exchange = session.account.exchange
    else {
      return turn.refuse(token, .notFound, "no records are made here for \(request.activation.short)")
    }
    switch exchange.answer(about: request.epoch) {
    case .afterReading(let epochs): recall(.material(token, slot: slot, epoch: request.epoch), epochs, &turn)
    case .now(let answer):
      if let journal = answer.persist { turn.add(.persist(session.record(journal))) }
      turn.add(.reply(token, .epochMaterial(answer.material)))
      session.account.exchange = exchange
      sessions[slot] = session
    }
  }
}
