import Effects
import Messages
import Signing

extension CustomerCore {
  /// Does what a purchase's stage asks for next. Called when the ledger said something about it, when a question was
  /// answered and by the purchase's timer; doing it twice does no harm.
  mutating func advance(_ index: Int, _ turn: inout Turn) {
    guard follower.hasCaughtUp, purchases[index].question == nil else { return }
    let purchase = purchases[index]
    if turn.now < purchase.notBefore { return wake(index, at: purchase.notBefore, &turn) }
    switch purchase.stage {
    case .planned: order(index, &turn)
    case .ordered: resendOrder(index, &turn)
    case .requested, .ended, .refused: break
    case .opening(let id, let confirmation): openSession(index, id, confirmation, &turn)
    case .serving(let id, let confirmation): serve(index, id, confirmation, &turn)
    case .settling(let id, let agreement, let record): settle(index, id, agreement, record, &turn)
    }
  }

  mutating func ask(_ index: Int, _ question: Question, _ to: ActorAddress, _ message: Message, _ turn: inout Turn) {
    let id = numbers.next()
    asked[id] = .purchase(index, question, of: to)
    purchases[index].question = id
    turn.add(.request(id, to: to, message, deadline: Self.requestDeadline))
  }

  func wake(_ index: Int, at instant: Instant, _ turn: inout Turn) {
    turn.add(.setTimer(TimerID(Purpose.purchase, UInt64(index)), at: max(instant, turn.now)))
  }

  mutating func pause(_ index: Int, _ span: Span, _ turn: inout Turn) {
    purchases[index].notBefore = turn.now + span
    wake(index, at: turn.now + span, &turn)
  }

  mutating func answered(
    _ index: Int, _ question: Question, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if case .failure = result { purchases[index].failures += 1 }
    switch question {
    case .order: orderAnswered(index, result, &turn)
    case .session: sessionAnswered(index, result, &turn)
    case .ending(let epochs): endingAnswered(index, epochs, result, &turn)
    case .status: statusAnswered(index, result, &turn)
    case .agreement, .settlement:
      if case .success = result { pause(index, Self.resend, &turn) } else { pause(index, Self.retry, &turn) }
    }
  }

  // MARK: Ordering

  private mutating func order(_ index: Int, _ turn: inout Turn) {
    let plan = purchases[index].plan
    let due = (start ?? turn.now) + plan.at
    guard turn.now >= due else { return wake(index, at: due, &turn) }
    guard deployed.contains(plan.terms.id), let receiptKey = receiptKey(of: plan.enclave, &turn) else {
      blocked.insert(index)
      return
    }
    let order = ActivationOrder(
      contract: plan.terms.id, epochs: plan.epochs, earliestStart: turn.now, latestStart: turn.now + plan.startWithin,
      cell: plan.cell, peer: plan.peer, enclaves: [receiptKey])
    let transaction = sign(.activate(order))
    turn.add(.persist(.put(stream: Stream.orders, key: UInt64(index), bytes: transaction.envelope.bytes)))
    ordered(index, order, transaction.envelope)
    turn.add(
      .observe(
        .activation(
          ActivationID(transaction.id),
          .submitted(label: plan.label, contract: plan.terms.id, customer: configuration.name))))
    resendOrder(index, &turn)
  }

  /// The order is not on the ledger yet: the same bytes again, until they can no longer be accepted. Every other time
  /// past the contract's actor, in case that is down.
  private mutating func resendOrder(_ index: Int, _ turn: inout Turn) {
    let purchase = purchases[index]
    guard let envelope = purchase.envelope, let order = purchase.order,
      let transaction = try? SignedTransaction(envelope)
    else { return }
    guard follower.lastTime <= order.latestStart, transaction.transaction.expiry > follower.height else {
      return refuse(index, TransactionResult.deadlinePassed.name, &turn)
    }
    if purchase.failures.isMultiple(of: 2) {
      ask(index, .order, .contract(order.contract), .activate(transaction), &turn)
    } else {
      ask(index, .order, members.member(repeats: purchase.failures / 2), .submit(transaction), &turn)
    }
  }

  private mutating func orderAnswered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    switch result {
    case .success:
      // Taken, not on the ledger: if this has to be repeated, then by another way.
      purchases[index].failures += 1
      pause(index, Self.resend, &turn)
    case .failure(let error) where error.code == .invalidArgument || error.code == .permissionDenied:
      refuse(index, error.description, &turn)
    case .failure: pause(index, Self.retry, &turn)
    }
  }

  // MARK: Serving

  private mutating func openSession(
    _ index: Int, _ id: ActivationID, _ confirmation: SliceConfirmation, _ turn: inout Turn
  ) {
    let purchase = purchases[index]
    // Too late for a session; one of an earlier life may have worked.
    guard turn.now < purchase.end(confirmation), !purchase.isClosing else {
      set(.serving(id, confirmation), of: index)
      return advance(index, &turn)
    }
    guard let order = purchase.order, let edge = configuration.edges[confirmation.edge] else {
      turn.note("\(purchase.plan.label) is confirmed by an edge that nobody knows", .warning)
      return pause(index, max(Self.retry, purchase.end(confirmation) - turn.now), &turn)
    }
    let plan = purchase.plan
    let session = EnclaveSession(
      activation: id, terms: plan.terms, order: order, confirmation: confirmation, edge: edge,
      host: configuration.hostPort, down: plan.down,
      attestation: order.enclaves.first.flatMap { evidence[$0] } ?? .zero)
    ask(index, .session, ActorAddress(.enclave, plan.enclave), .openSession(session), &turn)
  }

  private mutating func sessionAnswered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .opening(let id, let confirmation) = purchases[index].stage else { return }
    switch result {
    case .failure(let error) where error.code == .invalidArgument:
      turn.note("the enclave does not take \(purchases[index].plan.label): \(error)", .warning)
      forgetRegistration(of: purchases[index].plan.enclave, &turn)
      pause(index, Self.resend, &turn)
    case .failure(let error) where error.code != .failedPrecondition: pause(index, Self.retry, &turn)
    // FAILED_PRECONDITION: its session of an earlier life stands.
    case .success, .failure:
      set(.serving(id, confirmation), of: index)
      turn.add(.observe(.activation(id, .serving)))
      turn.add(.setTimer(TimerID(Purpose.traffic, UInt64(index)), at: max(turn.now, confirmation.startAt)))
      advance(index, &turn)
    }
  }

  /// Sends what a live source would have sent by now, at the planned rate, between the first and the last epoch.
  mutating func sendTraffic(_ index: Int, _ turn: inout Turn) {
    guard case .serving(let id, let confirmation) = purchases[index].stage else { return }
    let plan = purchases[index].plan
    guard let port = configuration.enclavePorts[plan.enclave] else { return }
    let end = confirmation.startAt + plan.terms.metering.epoch * Int64(clamping: purchases[index].epochs)
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

  private mutating func serve(
    _ index: Int, _ id: ActivationID, _ confirmation: SliceConfirmation, _ turn: inout Turn
  ) {
    let purchase = purchases[index]
    let end = purchase.end(confirmation)
    if purchase.epochs < purchase.epochsAtEnclave {
      tellEnding(index, id, max(1, purchase.epochs), &turn)
    } else if turn.now < end, !purchase.isClosing {
      wake(index, at: end, &turn)
    } else {
      let request = ReportRequest(id, epochs: purchase.epochs)
      ask(index, .status, ActorAddress(.enclave, purchase.plan.enclave), .getEnclaveStatus(request), &turn)
    }
  }

  /// A Terminate shortened the activation: the enclave accounts no further than the ledger pays.
  private mutating func tellEnding(_ index: Int, _ id: ActivationID, _ epochs: UInt64, _ turn: inout Turn) {
    ask(
      index, .ending(epochs: epochs), ActorAddress(.enclave, purchases[index].plan.enclave),
      .endSession(SessionEnding(activation: id, epochs: epochs)), &turn)
  }

  private mutating func endingAnswered(
    _ index: Int, _ epochs: UInt64, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .serving(let id, _) = purchases[index].stage else { return }
    switch result {
    // The enclave had closed that epoch before it heard: it ends with the next it can.
    case .failure(let error) where error.code == .failedPrecondition && epochs + 1 < purchases[index].plan.epochs:
      tellEnding(index, id, epochs + 1, &turn)
    case .failure(let error) where error.isOfThisReceiver: pause(index, Self.retry, &turn)
    case .success, .failure:
      purchases[index].epochsAtEnclave = purchases[index].epochs
      advance(index, &turn)
    }
  }

  /// Settles when the enclave has its last record, and when waiting for it any longer would leave no time to settle.
  private mutating func statusAnswered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    let purchase = purchases[index]
    guard case .serving(let id, let confirmation) = purchase.stage else { return }
    let status: EnclaveStatus? =
      if case .success(let message) = result, case .enclaveStatus(let status) = message.value { status } else { nil }
    let late = turn.now - purchase.end(confirmation)
    // A Terminate that was counted while the enclave was asked makes a record beyond it worthless: there is another.
    let usable = status?.record?.usable(epochs: purchase.epochs)
    if let status, status.isFinished, status.record == nil || usable != nil {
      turn.add(.observe(.activation(id, .delivered)))
    } else if late < (status == nil ? purchase.patience * 2 : purchase.patience) {
      let interval = Self.pollInterval * (1 << Int64(min(purchase.failures, 5)))
      purchases[index].failures += 1
      return pause(index, min(interval, Self.longestPollInterval), &turn)
    }
    let record = try? usable?.byEnclave.decode(JointRecord.self)
    set(.settling(id, SettlementAgreement(activation: id, record: record), usable), of: index)
    purchases[index].settlingSince = turn.now
    advance(index, &turn)
  }

  // MARK: Settling

  /// Together if the operator answers, alone if it does not or has opened CLOSING by itself.
  private mutating func settle(
    _ index: Int, _ id: ActivationID, _ agreement: SettlementAgreement, _ record: SignedRecord?, _ turn: inout Turn
  ) {
    let purchase = purchases[index]
    if purchase.isClosing {
      // Its end comes with the end of the window, or with a record of a higher epoch.
      guard !purchase.hasPosted, record != nil else { return }
      return settleAlone(index, id, record, &turn)
    }
    let since = purchase.settlingSince ?? turn.now
    guard turn.now < since + purchase.patience,
      let controller = configuration.controllers[purchase.plan.terms.operatorID]
    else { return settleAlone(index, id, record, &turn) }
    if turn.now == since { turn.add(.observe(.activation(id, .settlementProposed))) }
    let envelope = Envelope(
      signing: agreement, with: configuration.treasuryKey, network: configuration.genesis.networkID)
    ask(index, .agreement, controller, .proposeSettlement(SignedMessage(envelope)), &turn)
  }

  /// The same bytes again until they stand in a block or have expired.
  private mutating func settleAlone(_ index: Int, _ id: ActivationID, _ record: SignedRecord?, _ turn: inout Turn) {
    let transaction: SignedTransaction
    if let sent = purchases[index].settlement, sent.transaction.expiry > follower.height {
      transaction = sent
    } else {
      if let expired = purchases[index].settlement { awaited[expired.id] = nil }
      transaction = sign(.settleByRecord(id, record))
      purchases[index].settlement = transaction
      awaited[transaction.id] = .settlement(index)
      purchases[index].failures = 0
    }
    let member = members.member(repeats: purchases[index].failures)
    purchases[index].failures += 1
    ask(index, .settlement, member, .submit(transaction), &turn)
  }
}
