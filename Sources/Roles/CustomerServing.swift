import Effects
import Messages
import Signing

/// From RESERVED to the last epoch: the enclave gets its session, the application its packets through it.
extension CustomerCore {
  /// A booking may begin days from now. The enclave's session and the flow are opened this long before.
  static let sessionLead = Span.seconds(60)

  mutating func openSession(_ index: Int, _ service: Service, _ turn: inout Turn) {
    let purchase = purchases[index]
    // Too late for a session; one of an earlier life may have worked.
    guard turn.now < service.end(epochs: purchase.epochs), !purchase.isClosing else {
      return beginServing(index, service, &turn)
    }
    let opensAt = service.confirmation.startAt - Self.sessionLead
    guard turn.now >= opensAt else { return wake(index, at: opensAt, &turn) }
    guard let edge = service.edge.flatMap({ configuration.edges[$0] }) else {
      turn.note("\(purchase.part.label) is confirmed by an edge that nobody knows", .warning)
      return pause(index, max(Self.retry, service.end(epochs: purchase.epochs) - turn.now), &turn)
    }
    let session = EnclaveSession(
      activation: service.activation, terms: service.terms, order: service.order, confirmation: service.confirmation,
      end: service.end, edge: edge, peerEnclave: purchase.part.peerEnclave, maintenance: purchase.maintenance,
      host: configuration.hostPort, down: purchase.part.returning,
      attestation: service.order.enclave(at: service.end).flatMap { evidence[$0] } ?? .zero)
    ask(index, .session, enclave(of: index), .openSession(session), &turn)
  }

  func enclave(of index: Int) -> ActorAddress { ActorAddress(.enclave, purchases[index].part.enclave) }

  mutating func sessionAnswered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .opening(let service) = purchases[index].stage else { return }
    switch result {
    case .failure(let error) where error.code == .invalidArgument:
      turn.note("the enclave does not take \(purchases[index].part.label): \(error)", .warning)
      forgetRegistration(of: purchases[index].part.enclave, &turn)
      pause(index, Self.resend, &turn)
    case .failure(let error) where error.code != .failedPrecondition: pause(index, Self.retry, &turn)
    // FAILED_PRECONDITION: its session of an earlier life stands.
    case .success, .failure:
      if purchases[index].part.isPayer { turn.add(.observe(.activation(service.activation, .serving))) }
      turn.add(
        .setTimer(TimerID(Purpose.traffic, UInt64(index)), at: max(turn.now, service.confirmation.startAt)))
      beginServing(index, service, &turn)
    }
  }

  private mutating func beginServing(_ index: Int, _ service: Service, _ turn: inout Turn) {
    set(.serving(service), of: index)
    planErrands(index, service, &turn)
    advance(index, &turn)
  }

  /// Sends what a live source would have sent by now, at the planned rate, between the first and the last epoch.
  mutating func sendTraffic(_ index: Int, _ turn: inout Turn) {
    guard case .serving(let service) = purchases[index].stage,
      let port = configuration.enclavePorts[purchases[index].part.enclave]
    else { return }
    let part = purchases[index].part
    let start = service.confirmation.startAt
    guard turn.now < service.start(of: purchases[index].epochs) else { return }
    func transmit(_ traffic: Traffic, to peer: PeerNumber, _ sent: inout UInt64) {
      let batch = Self.due(traffic, since: start, at: turn.now, &sent)
      guard batch > 0 else { return }
      let datagram = Datagram(
        from: configuration.hostPort, to: port,
        bytes: ApplicationDatagram(
          activation: service.activation, peer: peer, payloadBytes: traffic.payloadBytes
        ).bytes)
      turn.add(.transmit(Array(repeating: datagram, count: Int(batch))))
    }
    transmit(
      part.sending, to: service.terms.number(ofPeer: destination(of: service)), &purchases[index].packetsSent)
    transmit(part.straying, to: .stranger, &purchases[index].strayPacketsSent)
    let next = [
      Self.nextDue(part.sending, after: purchases[index].packetsSent),
      Self.nextDue(part.straying, after: purchases[index].strayPacketsSent),
    ].compactMap { $0 }.min()
    guard let next else { return }
    turn.add(
      .setTimer(TimerID(Purpose.traffic, UInt64(index)), at: max(start + next, turn.now + Self.trafficInterval)))
  }

  /// When a stream has its next packet, after its start; nil when it never has one.
  private static func nextDue(_ traffic: Traffic, after sent: UInt64) -> Span? {
    guard traffic.packetsPerSecond > 0 else { return nil }
    let microseconds = ((sent + 1) * 1_000_000 + traffic.packetsPerSecond - 1) / traffic.packetsPerSecond
    return .microseconds(Int64(clamping: microseconds))
  }

  /// Packets of a stream that are due and not too late; counts all that were due as sent.
  private static func due(_ traffic: Traffic, since start: Instant, at now: Instant, _ sent: inout UInt64) -> UInt64 {
    let elapsed = UInt64(max(0, (now - start).nanoseconds))
    let due = elapsed / 1_000 * traffic.packetsPerSecond / 1_000_000
    let behind = due > sent ? due - sent : 0
    let live = max(1, UInt64(Self.trafficCatchUp.nanoseconds) / 1_000 * traffic.packetsPerSecond / 1_000_000)
    sent = due
    return min(behind, live, Self.trafficBatch)
  }

  /// Whom this end's packets are for. A flow has one peer, and the far end's packets carry its number back.
  private func destination(of service: Service) -> String { service.order.peer }

  // MARK: The end

  mutating func serve(_ index: Int, _ service: Service, _ turn: inout Turn) {
    let purchase = purchases[index]
    let end = service.end(epochs: purchase.epochs)
    if purchase.epochs < purchase.epochsAtEnclave {
      tellEnding(index, service, max(1, purchase.epochs), &turn)
    } else if !purchase.part.isPayer {
      // The payer settles; the ledger says when that is done.
      return
    } else if turn.now < end, !purchase.isClosing {
      wake(index, at: end, &turn)
    } else {
      let request = ReportRequest(service.activation, epochs: purchase.epochs)
      ask(index, .status, enclave(of: index), .getEnclaveStatus(request), &turn)
    }
  }

  /// A Terminate shortened the activation: the enclave accounts no further than the ledger pays.
  private mutating func tellEnding(_ index: Int, _ service: Service, _ epochs: UInt64, _ turn: inout Turn) {
    ask(
      index, .ending(epochs: epochs), enclave(of: index),
      .endSession(SessionEnding(activation: service.activation, epochs: epochs)), &turn)
  }

  mutating func endingAnswered(
    _ index: Int, _ epochs: UInt64, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .serving(let service) = purchases[index].stage else { return }
    switch result {
    // The enclave had closed that epoch before it heard: it ends with the next it can.
    case .failure(let error)
    where error.code == .failedPrecondition && epochs + 1 < purchases[index].epochsAtEnclave:
      tellEnding(index, service, epochs + 1, &turn)
    case .failure(let error) where error.isOfThisReceiver: pause(index, Self.retry, &turn)
    case .success, .failure:
      purchases[index].epochsAtEnclave = purchases[index].epochs
      advance(index, &turn)
    }
  }

  /// Settles when the enclave has its last record, and when waiting for it any longer would leave no time to settle.
  mutating func statusAnswered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    let purchase = purchases[index]
    guard case .serving(let service) = purchase.stage else { return }
    let status: EnclaveStatus? =
      if case .success(let message) = result, case .enclaveStatus(let status) = message.value { status } else { nil }
    let late = turn.now - service.end(epochs: purchase.epochs)
    let patience = purchase.patience(service.terms)
    // A Terminate that was counted while the enclave was asked makes a record beyond it worthless: there is another.
    let usable = status?.record?.usable(epochs: purchase.epochs)
    if purchase.demands.posted.map({ $0 + 1 >= purchase.epochs }) ?? false {
      // The ledger has the last record itself.
      turn.add(.observe(.activation(service.activation, .delivered)))
    } else if let status, status.isFinished, status.record == nil || usable != nil {
      turn.add(.observe(.activation(service.activation, .delivered)))
    } else if late < (status == nil ? patience * 2 : patience) {
      return pollLater(index, &turn)
    } else if let status, demandMissingRecord(index, service, status, &turn) {
      // Its record, or the operator's loss, comes by the ledger.
      return pollLater(index, &turn)
    }
    let record = try? usable?.byEnclave.decode(JointRecord.self)
    set(
      .settling(service, SettlementAgreement(activation: service.activation, record: record), usable), of: index)
    purchases[index].settlingSince = turn.now
    advance(index, &turn)
  }

  private mutating func pollLater(_ index: Int, _ turn: inout Turn) {
    let interval = Self.pollInterval * (1 << Int64(min(purchases[index].failures, 5)))
    purchases[index].failures += 1
    pause(index, min(interval, Self.longestPollInterval), &turn)
  }
}
