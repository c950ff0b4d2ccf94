import Effects
import Messages
import Metering
import Signing
import Slicing

/// After the service: by agreement with the customer, or alone by the last signed record.
extension ControllerCore {
  /// How long after its end an unfinished service keeps this operator from agreeing to the records there are.
  static let unfinishedPatience = Span.seconds(5)

  /// Why the anchor edge is asked how far it is.
  enum ReportPurpose: Sendable {
    /// A customer proposed this agreement and waits for the answer.
    case agreement(ReplyToken, Envelope)
    /// Nobody settled in time, or CLOSING is open: by the last signed record, alone.
    case alone
    /// The customer demands to see service: a record shows it.
    case proof
    /// Whether records still come.
    case look
    /// What it holds of the epoch whose record somebody else put into CLOSING.
    case closing
  }

  func askReport(_ purpose: ReportPurpose, of activation: ActivationID) -> (Asked, Message) {
    var epochs = jobs[activation]?.epochs
    if case .closing = purpose, let epoch = jobs[activation]?.demands.closing?.epoch { epochs = epoch + 1 }
    return (.report(activation, purpose), .getServiceReport(ReportRequest(activation, epochs: epochs)))
  }

  // MARK: By agreement

  /// A customer proposes to close by this agreement. Agreed to only if the payer signed it and the anchor edge holds
  /// the very same record as its last.
  mutating func settlementProposed(_ token: ReplyToken, _ envelope: Envelope, _ turn: inout Turn) {
    func refuse(_ code: RemoteError.Code, _ text: String) { turn.add(.refuse(token, RemoteError(code, text))) }
    guard let agreement = try? envelope.decode(SettlementAgreement.self) else {
      return refuse(.invalidArgument, "not a settlement agreement")
    }
    guard let job = jobs[agreement.activation] else {
      return refuse(.notFound, "no such activation is open at this operator")
    }
    guard envelope.signer == job.payer else {
      return refuse(.permissionDenied, "not signed by who pays for this activation")
    }
    guard isReady, job.service != nil else {
      return refuse(.failedPrecondition, "the activation is not confirmed")
    }
    if job.isSettling { return turn.add(.reply(token, .acknowledged)) }
    guard job.question == nil else {
      return refuse(.unavailable, "the edge monitor is being asked: once more, please")
    }
    guard !job.agreementRefused else {
      return refuse(.failedPrecondition, "the ledger refused the agreement: each by itself")
    }
    let (about, message) = askReport(.agreement(token, envelope), of: agreement.activation)
    ask(about, message, of: agreement.activation, &turn)
  }

  /// What both sign, or why this operator does not.
  private func countersigned(
    _ envelope: Envelope, _ report: ServiceReport?, _ job: Job, at now: Instant
  ) -> Result<Action, RemoteError> {
    guard let report else { return .failure(RemoteError(.unavailable, "the edge monitor does not answer")) }
    let held = report.record.flatMap { try? $0.byEdge.decode(JointRecord.self) }
    guard let agreement = try? envelope.decode(SettlementAgreement.self), held == agreement.record else {
      return .failure(RemoteError(.failedPrecondition, "the edge monitor does not hold this record as its last"))
    }
    let patience = min(Self.unfinishedPatience, job.terms.deadlines.settleWithin / 8)
    guard report.isFinished || now >= (job.end ?? .distantFuture) + patience else {
      return .failure(RemoteError(.failedPrecondition, "the service is not over"))
    }
    let countersigned = Envelope(
      signing: agreement, with: configuration.key, network: configuration.genesis.networkID)
    return .success(.settleAgreed(byCustomer: envelope, byOperator: countersigned))
  }

  // MARK: Alone

  /// When the customer has not settled by half of its time, the ledger refused what both agreed on, or CLOSING is open
  /// and this operator has not said what it holds.
  /// - Returns: when it is to be looked at again.
  mutating func advanceSettlement(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    guard let job = jobs[activation], let end = job.end, job.question == nil, !job.isSettling, !job.hasPosted else {
      return nil
    }
    let patience = job.agreementRefused ? Span.zero : job.terms.deadlines.settleWithin / 2
    let due = max(job.notBefore, job.isClosing ? .zero : end + patience)
    guard turn.now >= due else { return due }
    let (about, message) = askReport(.alone, of: activation)
    ask(about, message, of: activation, &turn)
    return nil
  }

  /// Nothing is added when CLOSING is open and there is no record.
  private mutating func settleAlone(_ activation: ActivationID, _ report: ServiceReport, _ job: Job) {
    let record = report.record?.usable(epochs: job.epochs)
    if job.isClosing, record == nil {
      jobs[activation]?.hasPosted = true
    } else {
      submit(.settleByRecord(activation, record), for: .settle(agreed: false), of: activation)
    }
  }

  // MARK: What the edge said

  mutating func reported(
    _ activation: ActivationID, _ purpose: ReportPurpose, _ result: Result<Verified<Message>, RemoteError>,
    _ turn: inout Turn
  ) {
    guard let job = jobs[activation], job.service != nil else {
      if case .agreement(let token, _) = purpose { turn.add(.reply(token, .acknowledged)) }
      return
    }
    let report: ServiceReport? =
      if case .success(let message) = result, case .serviceReport(let report) = message.value { report } else { nil }
    if report != nil { jobs[activation]?.questionBackoff.succeeded() }
    switch purpose {
    case .agreement(let token, let envelope):
      switch countersigned(envelope, report, job, at: turn.now) {
      case .success(let action):
        submit(action, for: .settle(agreed: true), of: activation)
        turn.add(.reply(token, .acknowledged))
      case .failure(let error): turn.add(.refuse(token, error))
      }
    case .alone:
      // A Terminate was counted while the edge was asked: a record beyond it is worth nothing, an earlier one is.
      guard let report, report.record.map({ $0.usable(epochs: job.epochs) != nil }) ?? true else {
        return askLater(activation, &turn)
      }
      settleAlone(activation, report, job)
    case .proof: proofReported(activation, report, &turn)
    case .look: lookReported(activation, report, &turn)
    case .closing: closingReported(activation, report, &turn)
    }
    advance(activation, &turn)
  }
}

extension ControllerCore.Job {
  /// A settlement is on its way to the ledger.
  var isSettling: Bool { errand(.settle(agreed: true)) != nil || errand(.settle(agreed: false)) != nil }
}

extension SignedRecord {
  /// Nil when the record is of an epoch that the ledger does not count, because a Terminate came before its end.
  func usable(epochs: UInt64) -> SignedRecord? {
    guard let record = try? byEnclave.decode(JointRecord.self), record.epoch < epochs else { return nil }
    return self
  }
}
