import Effects
import Messages
import Metering
import Signing

extension CustomerCore {
  /// Does what a purchase's stage asks for next. Called after every block and by the purchase's timer; doing it twice
  /// does no harm.
  mutating func advance(_ index: Int, _ turn: inout Turn) {
    guard follower.hasCaughtUp, index < purchases.count, !isAsking(index) else { return }
    switch purchases[index].stage {
    case .planned: order(index, &turn)
    case .ordered: resendOrder(index, &turn)
    case .requested, .ended, .refused: break
    case .opening(let id, let confirmation): openSession(index, id, confirmation, &turn)
    case .serving(let id, let confirmation): pollWhenOver(index, id, confirmation, &turn)
    case .settling(_, let agreement, let record): settle(index, agreement, record, &turn)
    }
  }

  private func isAsking(_ index: Int) -> Bool {
    asked.values.contains { if case .purchase(index) = $0 { true } else { false } }
  }

  private mutating func ask(_ index: Int, _ to: ActorAddress, _ message: Message, _ turn: inout Turn) {
    let id = numbers.next()
    asked[id] = .purchase(index)
    turn.add(.request(id, to: to, message, deadline: Self.requestDeadline))
  }

  private func wake(_ index: Int, at instant: Instant, _ turn: inout Turn) {
    turn.add(.setTimer(TimerID(Purpose.purchase, UInt64(index)), at: instant))
  }

  // MARK: Ordering

  private mutating func order(_ index: Int, _ turn: inout Turn) {
    let plan = purchases[index].plan
    let due = (start ?? turn.now) + plan.at
    guard turn.now >= due else { return wake(index, at: due, &turn) }
    guard deployed.contains(plan.terms.id), let enclave = enclaves.firstIndex(of: plan.enclave),
      case .registered(let receiptKey, _) = registrations[enclave]
    else { return }
    let order = ActivationOrder(
      contract: plan.terms.id, epochs: plan.epochs, earliestStart: turn.now, latestStart: turn.now + plan.startWithin,
      cell: plan.cell, peer: plan.peer, enclaves: [receiptKey])
    let transaction = sign(.activate(order), expiry: follower.height + Self.orderLifetime)
    purchases[index].order = order
    purchases[index].envelope = transaction.envelope
    let id = ActivationID(transaction.id)
    purchases[index].stage = .ordered(id)
    turn.add(.persist(.put(stream: Stream.orders, key: UInt64(index), bytes: transaction.envelope.bytes)))
    turn.add(
      .observe(
        .activation(
          id, .submitted(label: plan.label, contract: plan.terms.id, customer: configuration.name))))
    ask(index, .contract(plan.terms.id), .activate(transaction), &turn)
  }

  /// The order is not on the ledger yet: the same bytes again, until its latest start has passed on the ledger.
  private mutating func resendOrder(_ index: Int, _ turn: inout Turn) {
    guard let envelope = purchases[index].envelope, let order = purchases[index].order,
      let transaction = try? SignedTransaction(envelope)
    else { return }
    guard follower.lastTime <= order.latestStart else {
      return refuse(index, TransactionResult.deadlinePassed.name, &turn)
    }
    guard turn.now >= purchases[index].notBefore else { return }
    purchases[index].notBefore = turn.now + Self.resend
    ask(index, .contract(order.contract), .activate(transaction), &turn)
  }

  mutating func answered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    switch (purchases[index].stage, result) {
    case (.ordered, .failure(let error)) where error.code == .invalidArgument || error.code == .permissionDenied:
      refuse(index, error.description, &turn)
    case (.ordered, .success):
      purchases[index].notBefore = turn.now + Self.resend
      wake(index, at: turn.now + Self.resend, &turn)
    case (.opening(let id, let confirmation), .success):
      purchases[index].stage = .serving(id, confirmation)
      turn.add(.observe(.activation(id, .serving)))
      turn.add(.setTimer(TimerID(Purpose.traffic, UInt64(index)), at: max(turn.now, confirmation.startAt)))
      advance(index, &turn)
    case (.serving(let id, _), .success(let message)): statusArrived(index, id, message.value, &turn)
    case (.settling, .success):
      purchases[index].notBefore = turn.now + Self.resend
      wake(index, at: turn.now + Self.resend, &turn)
    case (.requested, _), (.planned, _), (.ended, _), (.refused, _): break
    case (_, .failure):
      wake(index, at: turn.now + Self.retry, &turn)
    }
  }

  // MARK: Serving

  private mutating func openSession(
    _ index: Int, _ id: ActivationID, _ confirmation: SliceConfirmation, _ turn: inout Turn
  ) {
    guard let order = purchases[index].order, let edge = configuration.edges[confirmation.edge] else { return }
    let plan = purchases[index].plan
    let session = EnclaveSession(
      activation: id, terms: plan.terms, order: order, confirmation: confirmation, edge: edge,
      host: configuration.hostPort, down: plan.down)
    ask(index, ActorAddress(.enclave, plan.enclave), .openSession(session), &turn)
  }

  /// Sends what a live source would have sent by now, at the planned rate, between the first and the last epoch.
  mutating func sendTraffic(_ index: Int, _ turn: inout Turn) {
    guard case .serving(let id, let confirmation) = purchases[index].stage else { return }
    let plan = purchases[index].plan
    guard let port = configuration.enclavePorts[plan.enclave] else { return }
    let end = confirmation.startAt + plan.terms.metering.epoch * Int64(clamping: plan.epochs)
    guard turn.now < end else { return }
    let elapsed = UInt64(max(0, (turn.now - confirmation.startAt).nanoseconds))
    let due = elapsed / 1_000 * plan.up.packetsPerSecond / 1_000_000
    let behind = due > purchases[index].packetsSent ? due - purchases[index].packetsSent : 0
    let live = max(1, UInt64(Self.trafficCatchUp.nanoseconds) / 1_000 * plan.up.packetsPerSecond / 1_000_000)
    let batch = min(behind, live, Self.trafficBatch)
    purchases[index].packetsSent = due
    if batch > 0 {
      let datagram = Datagram(
        from: configuration.hostPort, to: port,
        bytes: ApplicationDatagram(activation: id, payloadBytes: plan.up.payloadBytes).bytes)
      turn.add(.transmit(Array(repeating: datagram, count: Int(batch))))
    }
    turn.add(.setTimer(TimerID(Purpose.traffic, UInt64(index)), at: turn.now + Self.trafficInterval))
  }

  private mutating func pollWhenOver(
    _ index: Int, _ id: ActivationID, _ confirmation: SliceConfirmation, _ turn: inout Turn
  ) {
    let plan = purchases[index].plan
    let over = confirmation.startAt + plan.terms.serviceSpan(epochs: plan.epochs)
    guard turn.now >= over else { return wake(index, at: over, &turn) }
    ask(index, ActorAddress(.enclave, plan.enclave), .getEnclaveStatus(id), &turn)
  }

  private mutating func statusArrived(_ index: Int, _ id: ActivationID, _ message: Message, _ turn: inout Turn) {
    guard case .enclaveStatus(let status) = message else { return wake(index, at: turn.now + Self.retry, &turn) }
    guard status.isFinished else { return wake(index, at: turn.now + Self.pollInterval, &turn) }
    let record = try? status.record?.byEnclave.decode(JointRecord.self)
    turn.add(.observe(.activation(id, .delivered)))
    purchases[index].settlingSince = turn.now
    purchases[index].stage = .settling(id, SettlementAgreement(activation: id, record: record), status.record)
    advance(index, &turn)
  }

  // MARK: Settling

  /// Together if the operator answers, alone if it does not.
  private mutating func settle(
    _ index: Int, _ agreement: SettlementAgreement, _ record: SignedRecord?, _ turn: inout Turn
  ) {
    guard turn.now >= purchases[index].notBefore else { return }
    let plan = purchases[index].plan
    let since = purchases[index].settlingSince ?? turn.now
    if turn.now < since + Self.settlementPatience, let controller = configuration.controllers[plan.terms.operatorID] {
      let envelope = Envelope(
        signing: agreement, with: configuration.treasuryKey, network: configuration.genesis.networkID)
      turn.add(.observe(.activation(agreement.activation, .settlementProposed)))
      ask(index, controller, .proposeSettlement(SignedMessage(envelope)), &turn)
    } else {
      let transaction = sign(
        .settleByRecord(agreement.activation, record), expiry: follower.height + Self.orderLifetime)
      ask(index, configuration.validators[0], .submit(transaction), &turn)
    }
  }
}
