import Messages
import Signing

/// Settle, in both forms, and the payment that every end comes down to.
extension BlockExecution {
  /// Both sides sign the same last record, or that there is none: closes at once, also before the end.
  mutating func settleAgreed(_ byCustomer: Envelope, _ byOperator: Envelope) throws(Refusal) {
    let agreement: SettlementAgreement
    do { agreement = try byCustomer.decode() } catch { throw .code(.invalidArgument) }
    try require(byCustomer.isOfSame(byOperator), orElse: .invalidArgument)
    let activation = try activation(agreement.activation)
    try require(
      signer(of: byCustomer) == .role(activation.customer, .treasury)
        && signer(of: byOperator) == .role(activation.operatorID, .controller), orElse: .permissionDenied)
    guard var reservation = activation.reservation, let deadline = activation.deadline else {
      throw .code(.failedPrecondition)
    }
    try require(deadline > passedBefore, orElse: .deadlinePassed)
    if let record = agreement.record { try check(record, of: activation, reservation) }
    let delivered = agreement.record.map { $0.epoch + 1 } ?? 0
    if reservation.cause == nil, context.time < reservation.endsAt, delivered < reservation.epochs {
      // Neither side's doing alone, and it costs neither anything: the agreement deletes what is left of the booking.
      reservation.cause = .deleteRequested
    }
    try settle(activation, reservation, by: agreement.record, .agreed)
  }

  /// After the end: opens CLOSING, or in CLOSING replaces the record by one of a higher epoch. Whoever holds a record
  /// that both sides signed may bring it; that there is none only a party may say.
  mutating func settle(_ id: ActivationID, with signed: SignedRecord?, by signer: Signer) throws(Refusal) {
    var activation = try activation(id)
    let isParty =
      signer == .role(activation.customer, .treasury) || signer == .role(activation.operatorID, .controller)
    try require(signed != nil || isParty, orElse: .permissionDenied)
    guard let reservation = activation.reservation, let deadline = activation.deadline else {
      throw .code(.failedPrecondition)
    }
    try require(deadline > passedBefore, orElse: .deadlinePassed)
    try require(context.time >= reservation.endsAt, orElse: .failedPrecondition)
    var record: JointRecord?
    if let signed { record = try joint(signed, of: activation, reservation) }
    switch activation.phase {
    case .reserved:
      let window = try terms(of: activation).deadlines.settlementWindow
      activation.phase = .closing(reservation, Closing(record: record, closesAt: chain.clock + window))
    case .closing(_, var closing):
      guard let record, closing.record.map({ record.epoch > $0.epoch }) ?? true else {
        throw .code(.failedPrecondition)
      }
      closing.record = record
      activation.phase = .closing(reservation, closing)
    case .requested, .nullified, .settled:
      throw .code(.failedPrecondition)
    }
    try store(activation)
  }

  /// Pays by the one payout function and ends the activation.
  mutating func settle(
    _ activation: ActivationRecord, _ reservation: Reservation, by record: JointRecord?, _ kind: SettlementKind
  ) throws(Refusal) {
    let segment = PayoutSegment(
      terms: try terms(of: activation), bookedEpochs: activation.order.epochs, record: record)
    let payout: Payout
    do { payout = try Payout(settling: [segment], cause: reservation.endCause) } catch { throw .code(.receiptMismatch) }
    guard payout.escrow == activation.escrow, payout.bond == reservation.bond else {
      throw .fault(LedgerFault("activation \(activation.id): what was locked is not what its contract divides"))
    }
    var settled = activation
    settled.phase = .settled(
      reservation,
      Settlement(
        kind: kind, record: record, paid: payout.paid, refunded: payout.refunded, penalty: payout.penalty,
        bondReturned: payout.bondReturned))
    try store(settled)
    try give(payout.operatorAmount, to: activation.operatorID)
    try give(payout.customerAmount, to: activation.customer)
  }

  // MARK: Records

  private func signer(of envelope: Envelope) -> Signer? { envelope.signer.flatMap { state.signer($0) } }

  /// The record both signed: one of the order's enclaves and the confirmed edge, over the same bytes.
  private func joint(
    _ signed: SignedRecord, of activation: ActivationRecord, _ reservation: Reservation
  ) throws(Refusal) -> JointRecord {
    let record: JointRecord
    do { record = try signed.byEnclave.decode() } catch { throw .code(.receiptMismatch) }
    guard signed.byEnclave.isOfSame(signed.byEdge), signed.byEdge.signer == reservation.edge,
      let enclave = signed.byEnclave.signer, activation.order.enclaves.contains(enclave)
    else { throw .code(.receiptMismatch) }
    try check(record, of: activation, reservation)
    return record
  }

  /// Whether the record's numbers can be this activation's: every epoch so far has one outcome, no rule has more
  /// verdicts than windows, and the amounts are what the contract makes of the counters. What the verdicts should
  /// have been only the receipts tell; that is for Dispute.
  private func check(
    _ record: JointRecord, of activation: ActivationRecord, _ reservation: Reservation
  ) throws(Refusal) {
    let terms = try terms(of: activation)
    let isConsistent = record.isConsistent(
      with: terms, activation: activation.id, booked: activation.order.epochs, delivered: reservation.epochs)
    try require(isConsistent, orElse: .receiptMismatch)
  }
}

extension Envelope {
  /// Two signatures on one statement.
  fileprivate func isOfSame(_ other: Envelope) -> Bool {
    kind == other.kind && version == other.version && payload == other.payload
  }
}

extension JointRecord {
  /// - Parameters:
  ///   - booked: epochs of the order: what the cap on penalties is computed from.
  ///   - delivered: epochs that records may cover, fewer after a Terminate.
  func isConsistent(
    with terms: ContractTerms, activation: ActivationID, booked: UInt64, delivered: UInt64
  ) -> Bool {
    guard self.activation == activation, epoch < delivered, epochCounters.checkedTotal == epoch + 1,
      verdicts.count == terms.rules.count, ruleCounters.count == terms.rules.count
    else { return false }
    let served = epoch + 1 - epochCounters.notServed
    for (rule, counters) in zip(terms.rules, ruleCounters) {
      // A gated epoch is judged by no rule, but may lie inside a window.
      guard let total = counters.checkedTotal, total <= rule.verdicts(in: rule.window == 1 ? served : epoch + 1) else {
        return false
      }
    }
    do throws(PayoutError) {
      let amount = try terms.amountDue(epochCounters)
      let penalties = try terms.penaltiesDue(ruleCounters, bookedEpochs: booked)
      return amount == amountDue && penalties == penaltiesDue
    } catch {
      return false
    }
  }
}
