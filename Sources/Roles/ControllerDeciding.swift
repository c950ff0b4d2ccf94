import Effects
import Messages
import Signing
import Slicing

extension ControllerCore {
  /// Does what an activation's stage asks for next. Called after every block and by the job's timer; doing it twice
  /// does no harm.
  mutating func advance(_ activation: ActivationID, _ turn: inout Turn) {
    guard follower.hasCaughtUp, let job = jobs[activation] else { return }
    switch job.stage {
    case .requested: decide(activation, job, &turn)
    case .confirming(_, _, let transaction), .rejecting(let transaction), .settling(_, _, let transaction):
      resend(transaction, activation, &turn)
    case .serving(_, let confirmation, edgeTold: false): orderService(activation, job, confirmation, &turn)
    case .serving(_, let confirmation, edgeTold: true): settleIfLate(activation, job, confirmation, &turn)
    }
  }

  /// The bytes that were sent are sent again until the ledger has answered: a lost message costs time, nothing else.
  private mutating func resend(_ transaction: SignedTransaction, _ activation: ActivationID, _ turn: inout Turn) {
    guard turn.now >= resendAt[activation, default: .zero] else { return }
    send(transaction, &turn)
    resendAt[activation] = turn.now + Self.resend
    wake(activation, after: Self.resend, &turn)
  }

  // MARK: Feasibility and reservation

  private mutating func decide(_ activation: ActivationID, _ job: Job, _ turn: inout Turn) {
    let startAt = max(turn.now + job.terms.deadlines.startLead + Self.confirmationMargin, job.order.earliestStart)
    guard startAt <= job.order.latestStart, job.attempts < Self.maximumAttempts else {
      return reject(activation, .policy, nil, &turn)
    }
    guard let edge = edge(for: job.order) else { return reject(activation, .areaNotServed, nil, &turn) }
    let request = sliceRequest(job, startAt: startAt)
    do throws(Infeasible) {
      let plan = try planner.plan(request, in: calendar)
      confirm(activation, plan, startAt: startAt, edge: edge, &turn)
    } catch {
      reject(activation, error.rejectionReason, error.recommended?.recommendation, &turn)
    }
  }

  private func edge(for order: ActivationOrder) -> EdgePlace? {
    configuration.edges.first { $0.cells.contains(order.cell) && $0.peers.contains(order.peer) }
  }

  private func sliceRequest(_ job: Job, startAt: Instant) -> SliceRequest {
    let terms = job.terms
    return SliceRequest(
      cell: job.order.cell, endpoint: job.order.peer, functionChain: terms.service.functionChain,
      sharing: terms.service.sharing,
      requirements: SliceRequirements(
        throughputUp: terms.service.guaranteedUp, throughputDown: terms.service.guaranteedDown,
        maximumDelay: terms.sliceDelay, maximumLoss: terms.sliceLoss,
        window: TimeWindow(from: startAt, to: startAt + terms.serviceSpan(epochs: job.order.epochs))))
  }

  /// Hold, durably, then confirm: the persist stands before the request in the effects.
  private mutating func confirm(
    _ activation: ActivationID, _ plan: SlicePlan, startAt: Instant, edge: EdgePlace, _ turn: inout Turn
  ) {
    let expiry = follower.height + Self.confirmationLifetime
    let slice = SliceRecord(
      id: ReservationID(nextReservation), activation: activation, state: .held, confirmationExpiry: expiry, plan: plan)
    do throws(CalendarError) {
      try calendar.hold(slice.id, plan)
    } catch {
      turn.note("the plan for \(activation.short) cannot be held: \(error)", .warning)
      return reject(activation, .capacity, nil, &turn)
    }
    nextReservation += 1
    let confirmation = SliceConfirmation(
      activation: activation, planHash: plan.hash, startAt: startAt, edge: edge.key)
    let transaction = sign(.confirmSlice(confirmation), expiry: expiry)
    turn.add(.persist(.put(stream: SliceRecord.stream, key: slice.key, bytes: slice.encoded)))
    turn.add(.persist(.put(stream: Stream.confirmations, key: slice.key, bytes: transaction.envelope.bytes)))
    turn.add(.observe(.activation(activation, .sliceFound(plan.hash))))
    jobs[activation]?.stage = .confirming(slice, confirmation, transaction)
    resend(transaction, activation, &turn)
  }

  private mutating func reject(
    _ activation: ActivationID, _ reason: RejectionReason, _ recommended: RecommendedRequirements?, _ turn: inout Turn
  ) {
    let rejection = SliceRejection(activation: activation, reason: reason, recommended: recommended)
    let transaction = sign(.rejectSlice(rejection), expiry: follower.height + Self.confirmationLifetime)
    turn.add(.observe(.activation(activation, .sliceRejected(reason, recommended))))
    jobs[activation]?.stage = .rejecting(transaction)
    resend(transaction, activation, &turn)
  }

  // MARK: The edge

  private mutating func orderService(
    _ activation: ActivationID, _ job: Job, _ confirmation: SliceConfirmation, _ turn: inout Turn
  ) {
    guard let place = configuration.edges.first(where: { $0.key == confirmation.edge }) else { return }
    guard !asked.values.contains(where: { if case .edgeOrder(activation) = $0 { true } else { false } }) else { return }
    let id = numbers.next()
    asked[id] = .edgeOrder(activation)
    turn.add(.request(id, to: place.address, .openService(serviceOrder(activation, job, confirmation)), deadline: Self.edgeDeadline))
  }

  private func serviceOrder(_ activation: ActivationID, _ job: Job, _ confirmation: SliceConfirmation) -> ServiceOrder {
    var delay = Span.zero
    var loss: UInt32 = 0
    if case .serving(let slice?, _, _) = job.stage {
      delay = slice.plan.predictedDelay
      loss = slice.plan.predictedLoss
    }
    return ServiceOrder(
      activation: activation, terms: job.terms, order: job.order, confirmation: confirmation, pathDelay: delay,
      pathLoss: loss, rateUp: job.terms.service.guaranteedUp, rateDown: job.terms.service.guaranteedDown)
  }

  mutating func edgeAnswered(
    _ activation: ActivationID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .serving(let slice, let confirmation, edgeTold: false)? = jobs[activation]?.stage else { return }
    switch result {
    case .success:
      jobs[activation]?.stage = .serving(slice, confirmation, edgeTold: true)
      advance(activation, &turn)
    case .failure(let error):
      turn.note("the edge did not take \(activation.short): \(error)", .warning)
      wake(activation, after: Self.retry, &turn)
    }
  }

  mutating func closeService(_ activation: ActivationID, _ confirmation: SliceConfirmation, _ turn: inout Turn) {
    resendAt[activation] = nil
    guard let place = configuration.edges.first(where: { $0.key == confirmation.edge }) else { return }
    let id = numbers.next()
    asked[id] = .edgeClose(activation)
    turn.add(.request(id, to: place.address, .closeService(activation), deadline: Self.edgeDeadline))
  }

  // MARK: Settlement

  /// A customer proposes to close by this agreement. Agreed to only if the edge holds the very same record.
  mutating func settlementProposed(_ token: ReplyToken, _ envelope: Envelope, _ turn: inout Turn) {
    guard let agreement = try? envelope.decode(SettlementAgreement.self) else {
      turn.add(.refuse(token, RemoteError(.invalidArgument, "not a settlement agreement")))
      return
    }
    switch jobs[agreement.activation]?.stage {
    case .serving(_, let confirmation, _)?:
      askReport(agreement.activation, confirmation, .agreement(token, envelope), &turn)
    case .settling?: turn.add(.reply(token, .acknowledged))
    case nil: turn.add(.refuse(token, RemoteError(.notFound, "no such activation is open at this operator")))
    case .requested?, .confirming?, .rejecting?:
      turn.add(.refuse(token, RemoteError(.failedPrecondition, "the activation is not confirmed")))
    }
  }

  private mutating func askReport(
    _ activation: ActivationID, _ confirmation: SliceConfirmation, _ purpose: SettlementPurpose, _ turn: inout Turn
  ) {
    guard let place = configuration.edges.first(where: { $0.key == confirmation.edge }) else { return }
    let id = numbers.next()
    asked[id] = .report(activation, purpose)
    turn.add(.request(id, to: place.address, .getServiceReport(activation), deadline: Self.edgeDeadline))
  }

  /// When the customer has not settled by half of its time, this operator does so alone.
  private mutating func settleIfLate(
    _ activation: ActivationID, _ job: Job, _ confirmation: SliceConfirmation, _ turn: inout Turn
  ) {
    let end = confirmation.startAt + job.terms.serviceSpan(epochs: job.order.epochs)
    let due = end + job.terms.deadlines.settleWithin / 2
    guard turn.now >= due else { return wake(activation, after: due - turn.now, &turn) }
    guard turn.now >= resendAt[activation, default: .zero] else { return }
    resendAt[activation] = turn.now + Self.resend
    askReport(activation, confirmation, .alone, &turn)
    wake(activation, after: Self.resend, &turn)
  }

  mutating func reported(
    _ activation: ActivationID, _ purpose: SettlementPurpose, _ result: Result<Verified<Message>, RemoteError>,
    _ turn: inout Turn
  ) {
    guard case .serving(let slice, let confirmation, _)? = jobs[activation]?.stage else {
      if case .agreement(let token, _) = purpose { turn.add(.reply(token, .acknowledged)) }
      return
    }
    guard case .success(let message) = result, case .serviceReport(let report) = message.value else {
      if case .agreement(let token, _) = purpose {
        turn.add(.refuse(token, RemoteError(.unavailable, "the edge monitor does not answer")))
      }
      return
    }
    switch purpose {
    case .agreement(let token, let envelope):
      guard let agreement = try? envelope.decode(SettlementAgreement.self),
        let held = try? report.record?.byEdge.decode(JointRecord.self), report.isFinished || report.record == nil,
        held == agreement.record
      else {
        turn.add(.refuse(token, RemoteError(.failedPrecondition, "the edge monitor does not hold this record as its last")))
        return
      }
      let countersigned = Envelope(
        signing: agreement, with: configuration.key, network: configuration.genesis.networkID)
      let transaction = submit(
        .settleAgreed(byCustomer: envelope, byOperator: countersigned), lifetime: Self.confirmationLifetime, &turn)
      settle(activation, slice, confirmation, transaction, &turn)
      turn.add(.reply(token, .acknowledged))
    case .alone:
      let transaction = submit(
        .settleByRecord(activation, report.record), lifetime: Self.confirmationLifetime, &turn)
      settle(activation, slice, confirmation, transaction, &turn)
    }
  }

  private mutating func settle(
    _ activation: ActivationID, _ slice: SliceRecord?, _ confirmation: SliceConfirmation,
    _ transaction: SignedTransaction, _ turn: inout Turn
  ) {
    jobs[activation]?.stage = .settling(slice, confirmation, transaction)
    resendAt[activation] = turn.now + Self.resend
    wake(activation, after: Self.resend, &turn)
  }
}
