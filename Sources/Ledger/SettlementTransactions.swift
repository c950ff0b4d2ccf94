import Messages
import Signing

/// Settle, in both forms, and the payment that every end comes down to.
extension BlockExecution {
  /// Both sides sign the same last record, or that there is none: closes at once, also before the end. Not by less than
  /// the ledger computed itself.
  mutating func settleAgreed(_ byCustomer: Envelope, _ byOperator: Envelope) throws(Refusal) {
    let (agreement, activation) = try agreement(SettlementAgreement.self, byCustomer, byOperator)
    guard var reservation = activation.reservation, let deadline = activation.phase.deadline else {
      throw .code(.failedPrecondition)
    }
    try require(deadline > passedBefore, orElse: .deadlinePassed)
    if let record = agreement.record { try check(record, of: activation) }
    // What one side signed before it lost a demand, or won one, is not what both want now.
    if let posted = reservation.proceedings.posted?.record {
      try require(JointRecord.later(posted, agreement.record) == agreement.record, orElse: .failedPrecondition)
    }
    let delivered = agreement.record.map { $0.epoch + 1 } ?? 0
    if reservation.cause == nil, context.time < reservation.endsAt, delivered < reservation.epochs {
      // Neither side's doing alone, and it costs neither anything: the agreement deletes what is left of the booking.
      reservation.cause = .deleteRequested
    }
    try settle(activation, reservation, by: agreement.record, .agreed)
  }

  /// After the end: opens CLOSING, or in CLOSING replaces the record by one of a higher epoch. Whoever holds a record
  /// that both sides signed may bring it; that there is none only a party may say. What the ledger computed itself
  /// stands unless a record of a higher epoch comes.
  mutating func settle(_ id: ActivationID, with signed: SignedRecord?, by signer: Signer) throws(Refusal) {
    var activation = try activation(id)
    try require(signed != nil || activation.side(of: signer) != nil, orElse: .permissionDenied)
    guard var reservation = activation.reservation, let deadline = activation.phase.deadline else {
      throw .code(.failedPrecondition)
    }
    try require(deadline > passedBefore, orElse: .deadlinePassed)
    try require(context.time >= reservation.endsAt, orElse: .failedPrecondition)
    var record: JointRecord?
    if let signed { record = try joint(signed, of: activation) }
    reservation.proceedings.answer(with: record)
    switch activation.phase {
    case .reserved:
      let window = try terms(of: activation).deadlines.settlementWindow
      let best = JointRecord.later(reservation.proceedings.posted?.record, record)
      activation.phase = .closing(reservation, Closing(record: best, closesAt: chain.clock + window))
    case .closing(_, let closing):
      guard let record, closing.isOutdone(by: record) else { throw .code(.failedPrecondition) }
      activation = try bringing(record, to: activation, reservation)
    case .requested, .nullified, .settled:
      throw .code(.failedPrecondition)
    }
    try store(activation, with: reservation)
  }

  /// In CLOSING a record of a higher epoch is what it will pay by, whichever way it came to the ledger. A conviction
  /// holds in it too.
  func bringing(
    _ record: JointRecord, to activation: ActivationRecord, _ reservation: Reservation
  ) throws(Refusal) -> ActivationRecord {
    guard case .closing(_, var closing) = activation.phase, closing.isOutdone(by: record) else { return activation }
    closing.record = try convicting(reservation.proceedings.disputes, in: record, of: activation)
    var activation = activation
    activation.phase = .closing(reservation, closing)
    return activation
  }

  /// Pays by the one payout function and ends the activation. What was demanded and disputed on the way is in the
  /// blocks; the log keeps what it came to.
  mutating func settle(
    _ activation: ActivationRecord, _ reservation: Reservation, by record: JointRecord?, _ kind: SettlementKind
  ) throws(Refusal) {
    let terms = try allTerms(of: activation)
    let segments = zip(activation.segments, terms).enumerated().map { index, segment in
      let accounts = record?.segments ?? []
      return PayoutSegment(
        terms: segment.1, bookedEpochs: segment.0.epochs,
        account: accounts.indices.contains(index) ? accounts[index] : nil)
    }
    let payout: Payout
    do { payout = try Payout(settling: segments, cause: reservation.endCause) } catch { throw .code(.receiptMismatch) }
    guard payout.escrow == activation.escrow, payout.bond == activation.bond else {
      throw .fault(LedgerFault("activation \(activation.id): what was locked is not what its contracts divide"))
    }
    var concluded = reservation
    concluded.proceedings = Proceedings()
    var settled = activation
    settled.phase = .settled(
      concluded,
      Settlement(
        kind: kind, record: record, paid: payout.paid, refunded: payout.refunded, penalty: payout.penalty,
        bondReturned: payout.bondReturned))
    try store(settled)
    try give(payout.operatorAmount, to: activation.operatorID)
    try give(payout.customerAmount, to: activation.customer)
  }
}

/// What both sides signed.
extension BlockExecution {
  /// One statement about an activation, signed by its customer's treasury and its operator's controller.
  func agreement<Payload: ActivationAgreement>(
    _ type: Payload.Type, _ byCustomer: Envelope, _ byOperator: Envelope
  ) throws(Refusal) -> (Payload, ActivationRecord) {
    let payload: Payload
    do { payload = try byCustomer.decode() } catch { throw .code(.invalidArgument) }
    try require(byCustomer.isOfSame(byOperator), orElse: .invalidArgument)
    let activation = try activation(payload.activation)
    try require(
      signer(of: byCustomer) == .role(activation.customer, .treasury)
        && signer(of: byOperator) == .role(activation.operatorID, .controller), orElse: .permissionDenied)
    return (payload, activation)
  }

  func signer(of envelope: Envelope) -> Signer? { envelope.signer.flatMap { state.signer($0) } }

  /// The record both signed: the near enclave and the anchor edge, over the same bytes.
  func joint(_ signed: SignedRecord, of activation: ActivationRecord) throws(Refusal) -> JointRecord {
    let record: JointRecord
    do { record = try signed.byEnclave.decode() } catch { throw .code(.receiptMismatch) }
    guard signed.byEnclave.isOfSame(signed.byEdge), let reservation = activation.reservation,
      signed.byEdge.signer == reservation.edge, let enclave = activation.order.enclave(at: .near),
      signed.byEnclave.signer == enclave
    else { throw .code(.receiptMismatch) }
    try check(record, of: activation)
    return record
  }

  /// Whether the record's numbers can be this activation's: every epoch so far has one outcome, no rule has more
  /// verdicts than windows, and the amounts are what the contracts make of the counters. What the verdicts should
  /// have been only the receipts tell; that is for Dispute.
  func check(_ record: JointRecord, of activation: ActivationRecord) throws(Refusal) {
    let terms = try allTerms(of: activation)
    try require(record.isConsistent(with: activation, terms), orElse: .receiptMismatch)
  }
}

/// A statement about one activation that takes effect when both parties signed it.
protocol ActivationAgreement: SignedPayload {
  var activation: ActivationID { get }
}

extension SettlementAgreement: ActivationAgreement {}
extension SegmentOrder: ActivationAgreement {}

extension ActivationRecord {
  /// For whom a key may speak in this activation.
  func side(of signer: Signer) -> AccountingSide? {
    switch signer {
    case .role(customer, .treasury): .customer
    case .role(operatorID, .controller): .networkOperator
    default: nil
    }
  }
}

extension Envelope {
  /// Two signatures on one statement.
  fileprivate func isOfSame(_ other: Envelope) -> Bool {
    kind == other.kind && version == other.version && payload == other.payload
  }
}

extension Closing {
  fileprivate func isOutdone(by other: JointRecord) -> Bool { record.map { other.epoch > $0.epoch } ?? true }
}

extension JointRecord {
  /// The one of the higher epoch; the first of two for the same: what the ledger computed itself comes first, so that
  /// it does not matter who opens CLOSING, or with what.
  static func later(_ one: JointRecord?, _ other: JointRecord?) -> JointRecord? {
    guard let one, let other else { return one ?? other }
    return other.epoch > one.epoch ? other : one
  }

  /// - Parameter terms: of each of the activation's segments.
  func isConsistent(with activation: ActivationRecord, _ terms: [ContractTerms]) -> Bool {
    let ranges = activation.segmentRanges
    guard self.activation == activation.id, epoch < activation.epochs,
      let index = ranges.firstIndex(where: { $0.contains(epoch) }), segments.count == index + 1,
      terms.count > index, verdicts.count == terms[index].rules.count
    else { return false }
    return segments.indices.allSatisfy { index in
      let covered = min(ranges[index].upperBound, epoch + 1) - ranges[index].lowerBound
      return segments[index].isConsistent(
        with: terms[index], booked: activation.segments[index].epochs, covered: covered)
    }
  }
}

extension SegmentAccount {
  /// - Parameters:
  ///   - booked: what the cap on penalties is computed from.
  ///   - covered: the segment's epochs until the record, all of which have an outcome.
  fileprivate func isConsistent(with terms: ContractTerms, booked: UInt64, covered: UInt64) -> Bool {
    guard epochCounters.checkedTotal == covered, ruleCounters.count == terms.rules.count else { return false }
    let served = covered - epochCounters.notServed
    for (rule, counters) in zip(terms.rules, ruleCounters) {
      // An epoch that was not served is judged by no rule, but may lie inside a window.
      guard let total = counters.checkedTotal, total <= rule.verdicts(in: rule.window == 1 ? served : covered) else {
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
