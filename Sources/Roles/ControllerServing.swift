import Effects
import Messages
import Signing
import Slicing

/// After RESERVED: the edge serves, the settlement pays, the edge lets go.
extension ControllerCore {
  /// How long after its end an unfinished service keeps this operator from agreeing to the records there are.
  static let unfinishedPatience = Span.seconds(5)

  mutating func serve(
    _ activation: ActivationID, _ job: Job, _ confirmation: SliceConfirmation, _ edgeTold: Bool, _ turn: inout Turn
  ) {
    guard job.question == nil else { return }
    guard turn.now >= job.notBefore else { return wake(activation, at: job.notBefore, &turn) }
    if job.isClosing {
      if !job.hasPosted { askReport(activation, confirmation, .alone, &turn) }
    } else if !edgeTold, turn.now < job.end(confirmation) {
      let order = serviceOrder(activation, job, confirmation)
      ask(.edgeOrder(activation), .openService(order), of: activation, confirmation, &turn)
    } else if edgeTold, job.epochsAtEdge > job.epochs {
      tellEnding(activation, max(1, job.epochs), confirmation, &turn)
    } else {
      settleIfLate(activation, job, confirmation, &turn)
    }
  }

  /// One question about an activation at a time; it has a deadline, so an answer always comes.
  private mutating func ask(
    _ about: Asked, _ message: Message, of activation: ActivationID, _ confirmation: SliceConfirmation,
    _ turn: inout Turn
  ) {
    guard let place = place(confirmation.edge) else { return }
    let id = numbers.next()
    asked[id] = about
    jobs[activation]?.question = id
    turn.add(.request(id, to: place.address, message, deadline: Self.edgeDeadline))
  }

  /// Asks the edge again, later and later.
  private mutating func askLater(_ activation: ActivationID, _ turn: inout Turn) {
    let pause = jobs[activation]?.edgeBackoff.failed() ?? Backoff.longest
    jobs[activation]?.notBefore = turn.now + pause
    wake(activation, at: turn.now + pause, &turn)
  }

  // MARK: The edge serves

  private func serviceOrder(
    _ activation: ActivationID, _ job: Job, _ confirmation: SliceConfirmation
  ) -> ServiceOrder {
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
      jobs[activation]?.edgeBackoff.succeeded()
      set(.serving(slice, confirmation, edgeTold: true), of: activation)
      advance(activation, &turn)
    // It serves already, by an order of an earlier life.
    case .failure(let error) where error.code == .failedPrecondition:
      set(.serving(slice, confirmation, edgeTold: true), of: activation)
      advance(activation, &turn)
    case .failure(let error):
      turn.note("the edge did not take \(activation.short): \(error)", .warning)
      askLater(activation, &turn)
    }
  }

  /// A Terminate shortened the activation: the edge serves no further than the ledger pays.
  private mutating func tellEnding(
    _ activation: ActivationID, _ epochs: UInt64, _ confirmation: SliceConfirmation, _ turn: inout Turn
  ) {
    ask(
      .edgeEnding(activation, epochs: epochs), .endSession(SessionEnding(activation: activation, epochs: epochs)),
      of: activation, confirmation, &turn)
  }

  mutating func endingAnswered(
    _ activation: ActivationID, _ epochs: UInt64, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard let job = jobs[activation], case .serving(_, let confirmation, _) = job.stage else { return }
    switch result {
    // The edge had closed that epoch before it heard: it ends with the next it can.
    case .failure(let error) where error.code == .failedPrecondition && epochs + 1 < job.order.epochs:
      tellEnding(activation, epochs + 1, confirmation, &turn)
    case .failure(let error) where error.isOfThisReceiver: askLater(activation, &turn)
    case .success, .failure:
      jobs[activation]?.epochsAtEdge = job.epochs
      advance(activation, &turn)
    }
  }

  // MARK: The edge lets go

  mutating func askToClose(_ reservation: UInt64, _ turn: inout Turn) {
    guard let closing = closings[reservation] else { return }
    let id = numbers.next()
    asked[id] = .edgeClosing(reservation: reservation)
    turn.add(.request(id, to: closing.edge, .closeService(closing.activation), deadline: Self.edgeDeadline))
  }

  mutating func closed(
    _ reservation: UInt64, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard closings[reservation] != nil else { return }
    switch result {
    case .failure(let error) where error.isOfThisReceiver:
      let pause = closings[reservation]?.backoff.failed() ?? Backoff.longest
      turn.add(.setTimer(TimerID(Purpose.closing, reservation), at: turn.now + pause))
    case .success, .failure:
      closings[reservation] = nil
      forget(reservation: reservation, &turn)
    }
  }

  // MARK: Settlement

  /// A customer proposes to close by this agreement. Agreed to only if the payer signed it and the edge holds the very
  /// same record as its last.
  mutating func settlementProposed(_ token: ReplyToken, _ envelope: Envelope, _ turn: inout Turn) {
    guard let agreement = try? envelope.decode(SettlementAgreement.self) else {
      return turn.add(.refuse(token, RemoteError(.invalidArgument, "not a settlement agreement")))
    }
    guard let job = jobs[agreement.activation] else {
      let text = "no such activation is open at this operator"
      return turn.add(.refuse(token, RemoteError(.notFound, text)))
    }
    guard envelope.signer == job.payer else {
      return turn.add(.refuse(token, RemoteError(.permissionDenied, "not signed by who pays for this activation")))
    }
    switch job.stage {
    case .serving where job.question != nil:
      turn.add(.refuse(token, RemoteError(.unavailable, "the edge monitor is being asked: once more, please")))
    case .serving where job.agreementRefused:
      turn.add(.refuse(token, RemoteError(.failedPrecondition, "the ledger refused the agreement: each by itself")))
    case .serving(_, let confirmation, _):
      askReport(agreement.activation, confirmation, .agreement(token, envelope), &turn)
    case .settling: turn.add(.reply(token, .acknowledged))
    case .requested, .confirming, .rejecting:
      turn.add(.refuse(token, RemoteError(.failedPrecondition, "the activation is not confirmed")))
    }
  }

  private mutating func askReport(
    _ activation: ActivationID, _ confirmation: SliceConfirmation, _ purpose: SettlementPurpose, _ turn: inout Turn
  ) {
    let request = ReportRequest(activation, epochs: jobs[activation]?.epochs)
    ask(.report(activation, purpose), .getServiceReport(request), of: activation, confirmation, &turn)
  }

  /// When the customer has not settled by half of its time, or the ledger refused what both agreed on, this operator
  /// does so alone.
  private mutating func settleIfLate(
    _ activation: ActivationID, _ job: Job, _ confirmation: SliceConfirmation, _ turn: inout Turn
  ) {
    let patience = job.agreementRefused ? Span.zero : job.terms.deadlines.settleWithin / 2
    let due = job.end(confirmation) + patience
    guard turn.now >= due else { return wake(activation, at: due, &turn) }
    askReport(activation, confirmation, .alone, &turn)
  }

  mutating func reported(
    _ activation: ActivationID, _ purpose: SettlementPurpose, _ result: Result<Verified<Message>, RemoteError>,
    _ turn: inout Turn
  ) {
    guard let job = jobs[activation], case .serving(let slice, let confirmation, _) = job.stage else {
      if case .agreement(let token, _) = purpose { turn.add(.reply(token, .acknowledged)) }
      return
    }
    let report: ServiceReport? =
      if case .success(let message) = result, case .serviceReport(let report) = message.value { report } else { nil }
    let transaction: SignedTransaction?
    switch purpose {
    case .agreement(let token, let envelope):
      let agreed = countersigned(envelope, report, job, confirmation, at: turn.now)
      switch agreed {
      case .success(let action):
        transaction = sign(action, expiry: follower.height + Self.confirmationLifetime)
        turn.add(.reply(token, .acknowledged))
      case .failure(let error):
        transaction = nil
        turn.add(.refuse(token, error))
      }
    case .alone:
      // A Terminate was counted while the edge was asked: a record beyond it is worth nothing, an earlier one is.
      guard let report, report.record.map({ $0.usable(epochs: job.epochs) != nil }) ?? true else {
        return askLater(activation, &turn)
      }
      transaction = settlingAlone(activation, report, job)
    }
    jobs[activation]?.edgeBackoff.succeeded()
    if let transaction { set(.settling(slice, confirmation, transaction), of: activation) }
    advance(activation, &turn)
  }

  /// What both sign, or why this operator does not.
  private func countersigned(
    _ envelope: Envelope, _ report: ServiceReport?, _ job: Job, _ confirmation: SliceConfirmation, at now: Instant
  ) -> Result<Action, RemoteError> {
    guard let report else { return .failure(RemoteError(.unavailable, "the edge monitor does not answer")) }
    let held = report.record.flatMap { try? $0.byEdge.decode(JointRecord.self) }
    guard let agreement = try? envelope.decode(SettlementAgreement.self), held == agreement.record else {
      return .failure(RemoteError(.failedPrecondition, "the edge monitor does not hold this record as its last"))
    }
    let patience = min(Self.unfinishedPatience, job.terms.deadlines.settleWithin / 8)
    guard report.isFinished || now >= job.end(confirmation) + patience else {
      return .failure(RemoteError(.failedPrecondition, "the service is not over"))
    }
    let countersigned = Envelope(
      signing: agreement, with: configuration.key, network: configuration.genesis.networkID)
    return .success(.settleAgreed(byCustomer: envelope, byOperator: countersigned))
  }

  /// Nil when CLOSING is open and there is nothing to add to it.
  private mutating func settlingAlone(
    _ activation: ActivationID, _ report: ServiceReport, _ job: Job
  ) -> SignedTransaction? {
    let record = report.record?.usable(epochs: job.epochs)
    if job.isClosing, record == nil {
      jobs[activation]?.hasPosted = true
      return nil
    }
    return sign(.settleByRecord(activation, record), expiry: follower.height + Self.confirmationLifetime)
  }
}

extension SignedRecord {
  /// Nil when the record is of an epoch that the ledger does not count, because a Terminate came before its end.
  func usable(epochs: UInt64) -> SignedRecord? {
    guard let record = try? byEnclave.decode(JointRecord.self), record.epoch < epochs else { return nil }
    return self
  }
}
