import Effects
import Messages
import Signing
import Slicing

extension ControllerCore {
  /// Does what an activation's stage asks for next. Called when the ledger or the edge said something about it and by
  /// its timer; doing it twice does no harm.
  mutating func advance(_ activation: ActivationID, _ turn: inout Turn) {
    guard follower.hasCaughtUp, let job = jobs[activation] else { return }
    switch job.stage {
    case .requested:
      guard turn.now >= job.notBefore else { return wake(activation, at: job.notBefore, &turn) }
      decide(activation, job, &turn)
    case .confirming(let slice, _, _) where slice.confirmationExpiry <= follower.height:
      release(slice, &turn)
      decideAgain(activation)
      advance(activation, &turn)
    case .rejecting(let transaction) where transaction.transaction.expiry <= follower.height:
      set(.requested, of: activation)
      advance(activation, &turn)
    case .settling(let slice, let confirmation, let transaction)
    where transaction.transaction.expiry <= follower.height:
      set(.serving(slice, confirmation, edgeTold: true), of: activation)
      advance(activation, &turn)
    case .confirming(_, _, let transaction), .rejecting(let transaction), .settling(_, _, let transaction):
      resend(transaction, activation, job, &turn)
    case .serving(_, let confirmation, let edgeTold): serve(activation, job, confirmation, edgeTold, &turn)
    }
  }

  /// The bytes that were sent are sent again until the ledger has answered: a lost message costs time, nothing else.
  private mutating func resend(
    _ transaction: SignedTransaction, _ activation: ActivationID, _ job: Job, _ turn: inout Turn
  ) {
    if turn.now >= job.notBefore {
      send(transaction, for: activation, repeats: job.sends, &turn)
      jobs[activation]?.sends += 1
      jobs[activation]?.notBefore = turn.now + Self.resend
    }
    wake(activation, at: jobs[activation]?.notBefore ?? turn.now, &turn)
  }

  // MARK: Feasibility and reservation

  private mutating func decide(_ activation: ActivationID, _ job: Job, _ turn: inout Turn) {
    let margin = Self.confirmationMargin * (1 << Int64(min(job.attempts, Self.maximumAttempts)))
    let startAt = max(turn.now + job.terms.deadlines.startLead + margin, job.order.earliestStart)
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
      cell: job.order.cell, destination: .endpoint(job.order.peer), functionChain: terms.service.functionChain,
      sharing: terms.service.sharing,
      requirements: SliceRequirements(
        throughputUp: terms.service.guaranteedUp, throughputDown: terms.service.guaranteedDown,
        maximumDelay: terms.sliceDelay, maximumLoss: terms.sliceLoss,
        window: TimeWindow(from: startAt, to: startAt + terms.serviceSpan(epochs: job.order.epochs))))
  }

  /// Hold, durably, then confirm: the persists stand before the request in the effects.
  private mutating func confirm(
    _ activation: ActivationID, _ plan: SlicePlan, startAt: Instant, edge: EdgePlace, _ turn: inout Turn
  ) {
    let expiry = follower.height + Self.confirmationLifetime
    let slice = SliceRecord(
      id: ReservationID(nextReservation), activation: activation, state: .held, confirmationExpiry: expiry, plan: plan)
    do throws(CalendarError) {
      try calendar.hold(slice.id, plan, for: activation)
    } catch {
      turn.note("the plan for \(activation.short) cannot be held: \(error)", .warning)
      return reject(activation, .capacity, nil, &turn)
    }
    nextReservation += 1
    let confirmation = SliceConfirmation(
      activation: activation, planHash: plan.hash, startAt: startAt, edge: edge.key)
    let transaction = sign(.confirmSlice(confirmation), expiry: expiry)
    turn.add(.persist(.put(stream: SliceRecord.stream, key: slice.key, bytes: slice.encoded)))
    keep(transaction, reservation: slice.key, &turn)
    turn.add(.observe(.activation(activation, .sliceFound(plan.hash))))
    set(.confirming(slice, confirmation, transaction), of: activation)
    advance(activation, &turn)
  }

  private mutating func reject(
    _ activation: ActivationID, _ reason: RejectionReason, _ recommended: RecommendedRequirements?, _ turn: inout Turn
  ) {
    let rejection = SliceRejection(activation: activation, reason: reason, recommended: recommended)
    let transaction = sign(.rejectSlice(rejection), expiry: follower.height + Self.confirmationLifetime)
    turn.add(.observe(.activation(activation, .sliceRejected(reason, recommended))))
    set(.rejecting(transaction), of: activation)
    advance(activation, &turn)
  }

  // MARK: Sending

  mutating func sign(_ action: Action, expiry: Height) -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(nonce: nonces.next(), expiry: expiry, action: action), with: configuration.key,
      network: configuration.genesis.networkID)
  }

  mutating func send(
    _ transaction: SignedTransaction, for activation: ActivationID?, repeats: Int, _ turn: inout Turn
  ) {
    let member = members.member(repeats: repeats)
    let id = numbers.next()
    asked[id] = .submission(activation, to: member)
    turn.add(.request(id, to: member, .submit(transaction), deadline: Self.submitDeadline))
  }

  func wake(_ activation: ActivationID, at instant: Instant, _ turn: inout Turn) {
    guard let job = jobs[activation] else { return }
    turn.add(.setTimer(TimerID(Purpose.job, job.number), at: max(turn.now, instant)))
  }

  // MARK: Answers

  mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    if let blocks = follower.response(id, result, &turn, &numbers) { return take(blocks, &turn) }
    guard let about = asked.removeValue(forKey: id) else { return }
    switch about {
    case .submission(let activation, let member): submitted(activation, member, result, &turn)
    case .edgeClosing(let reservation): closed(reservation, result, &turn)
    case .edgeOrder(let activation):
      guard isCurrent(id, activation) else { return }
      edgeAnswered(activation, result, &turn)
    case .edgeEnding(let activation, let epochs):
      guard isCurrent(id, activation) else { return }
      endingAnswered(activation, epochs, result, &turn)
    case .report(let activation, let purpose):
      _ = isCurrent(id, activation)
      reported(activation, purpose, result, &turn)
    }
  }

  /// Closes the job's question.
  private mutating func isCurrent(_ id: RequestID, _ activation: ActivationID) -> Bool {
    guard jobs[activation]?.question == id else { return false }
    jobs[activation]?.question = nil
    return true
  }

  private mutating func submitted(
    _ activation: ActivationID?, _ member: ActorAddress, _ result: Result<Verified<Message>, RemoteError>,
    _ turn: inout Turn
  ) {
    guard case .failure(let error) = result else { return }
    turn.note("a submission to \(member) failed: \(error)", .warning)
    guard error.isOfThisReceiver else { return }
    members.failed(member)
    guard let activation, jobs[activation]?.stage.transaction != nil else { return }
    jobs[activation]?.notBefore = turn.now + Self.retry
    wake(activation, at: turn.now + Self.retry, &turn)
  }
}
