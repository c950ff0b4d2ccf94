import Effects
import Messages
import Metering
import Signing

/// What an enclave does by the clock: probes, receipts at the close of every epoch, and, at the near end, the far one's
/// receipts before its side of the record.
extension EnclaveCore {
  /// Closes the epochs whose grace is over, probes, asks the far enclave what is due, and sets the timer for what comes
  /// next; then asks everybody else what is to be asked.
  mutating func tick(_ slot: UInt64, _ turn: inout Turn) {
    guard var session = sessions[slot] else { return }
    while let close = session.nextClose, close <= turn.now {
      guard let journal = session.closeNext(at: turn.now) else { break }
      turn.add(.persist(session.record(journal)))
    }
    if let waiting = session.waitingForReceipts, let receipts = session.account.receipts(of: waiting.epoch) {
      session.waitingForReceipts = nil
      turn.add(.reply(waiting.token, .receipts(receipts)))
    }
    collect(&session, &turn)
    sessions[slot] = session
    let probe = probe(slot, &turn)
    if let due = [session.nextClose, probe, session.account.collectingDue].compactMap({ $0 }).min() {
      turn.add(.setTimer(TimerID(Purpose.tick, slot), at: max(due, turn.now)))
    }
    converse(slot, &turn)
    // The far end has nothing more to ask when its last receipts are signed.
    if !session.account.isAnchor, session.isOver, !finished.contains(slot) {
      finished.append(slot)
      forgetOldest(&turn)
    }
  }

  /// The near end probes: one round trip covers both directions.
  /// - Returns: when the next is due.
  private mutating func probe(_ slot: UInt64, _ turn: inout Turn) -> Instant? {
    guard let session = sessions[slot], session.end == .near else { return nil }
    let (clock, metering) = (session.clock, session.booking.parties.metering)
    guard let due = session.probes.next(clock, metering: metering), due <= turn.now else {
      return session.probes.next(clock, metering: metering)
    }
    if let packet = sessions[slot]?.sendProbe(at: turn.now) { transmit(slot, packet, &turn) }
    sessions[slot]?.probes.skip(past: turn.now, clock, metering: metering)
    return sessions[slot]?.probes.next(clock, metering: metering)
  }

  private mutating func collect(_ session: inout Session, _ turn: inout Turn) {
    for journal in session.account.stopCollecting(at: turn.now) {
      turn.count("enclave.receipts.missing")
      turn.add(.persist(session.record(journal)))
    }
    guard let peer = session.opening.peerEnclave else { return }
    for ask in session.account.takeRequests(at: turn.now) {
      let id = numbers.next()
      asked[id] = .receipts(slot: session.slot, epoch: ask.epoch, signer: ask.signer)
      let request = ReceiptsRequest(activation: session.activation, epoch: ask.epoch)
      turn.add(.request(id, to: peer, .getReceipts(request), deadline: ask.deadline))
    }
  }

  /// The far enclave answered, or did not.
  mutating func collected(
    _ slot: UInt64, _ epoch: EpochNumber, _ signer: PublicKey, _ answer: Message?, _ turn: inout Turn
  ) {
    guard var session = sessions[slot] else { return }
    do throws(ExchangeRefusal) {
      if let journal = try session.account.collected(epoch, from: signer, answer?.givenReceipts) {
        turn.add(.persist(session.record(journal)))
      }
    } catch {
      turn.count("enclave.receipts.refused")
    }
    sessions[slot] = session
    tick(slot, &turn)
  }

  /// The near enclave asks for what this one signed. Nobody else does: only one asker waits for an epoch to close.
  mutating func giveReceipts(
    _ token: ReplyToken, _ asker: ActorAddress, _ request: ReceiptsRequest, _ turn: inout Turn
  ) {
    guard let slot = slots[request.activation], let session = sessions[slot] else {
      return turn.refuse(token, .notFound, "no session is open for this activation")
    }
    guard asker == session.opening.peerEnclave else {
      turn.count("enclave.receipts.refused")
      return turn.refuse(token, .permissionDenied, "only the enclave at the other end collects receipts")
    }
    if let receipts = session.account.receipts(of: request.epoch) {
      return turn.add(.reply(token, .receipts(receipts)))
    }
    guard !session.account.isAnchor, request.epoch >= session.account.nextToClose else {
      return turn.refuse(token, .notFound, "its receipts are not kept here")
    }
    // The near one's clock is a little ahead: answered as soon as the epoch closes here. Only the latest waits.
    sessions[slot]?.waitingForReceipts = (token, request.epoch)
  }
}
