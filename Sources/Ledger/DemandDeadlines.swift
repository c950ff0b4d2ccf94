import Messages
import Metering
import Signing

/// What demands come to: a record that the ledger computed, or the loss of who was silent.
extension BlockExecution {
  /// Both sides opened their receipts: the epoch has its record. The activation goes on; in CLOSING the record counts
  /// if its epoch is the highest.
  mutating func keep(
    recordOf account: JointAccount, in activation: ActivationRecord, _ reservation: Reservation
  ) throws(Refusal) {
    guard let record = account.last else {
      throw .fault(LedgerFault("activation \(activation.id): an epoch was opened and has no record"))
    }
    var reservation = reservation
    reservation.proceedings.posted = PostedRecord(record: record, state: account.state.encoded)
    reservation.proceedings.answer(with: record)
    try store(try bringing(record, to: activation, reservation), with: reservation)
  }

  /// A demand's time ran out, of service or for a record.
  mutating func expireDemand(
    _ activation: ActivationRecord, _ reservation: Reservation, at horizon: Instant
  ) throws(Refusal) {
    if case .open(let answerBy) = reservation.proceedings.service, answerBy <= horizon {
      // Nothing was served, whatever else is open: all back, and the penalty.
      var reservation = reservation
      reservation.cause = .serviceWithheld
      return try settle(activation, reservation, by: nil, .expired)
    }
    // The earliest first; of two with one deadline the customer's, which decides the same.
    let due = reservation.proceedings.demands.indices.filter { reservation.proceedings.demands[$0].answerBy <= horizon }
    guard let index = due.min(by: { reservation.proceedings.demands[$0] < reservation.proceedings.demands[$1] }) else {
      throw .fault(LedgerFault("activation \(activation.id): a demand's deadline without a demand"))
    }
    let demand = reservation.proceedings.demands[index]
    // Has the other side been asked for the same epoch, and opened nothing either? Then nobody is first until its time
    // runs out too.
    let counter = reservation.proceedings.demands.first {
      $0.epoch == demand.epoch && $0.by != demand.by && $0.opened == nil
    }
    guard let counter, demand.opened == nil else { return try lose(demand, by: demand.turn, activation, reservation) }
    guard counter.answerBy > horizon else { return try lose(demand, by: nil, activation, reservation) }
    var reservation = reservation
    reservation.proceedings.demands[index].answerBy = counter.answerBy
    try store(activation, with: reservation)
  }

  /// Who is first to fail loses: the epoch counts MET or VIOLATED and the activation ends, for the operator as if it
  /// had terminated. Where neither opened anything the epoch is refunded.
  /// - Parameter loser: nil for both.
  private mutating func lose(
    _ demand: OpenRecordDemand, by loser: AccountingSide?, _ activation: ActivationRecord, _ reservation: Reservation
  ) throws(Refusal) {
    let (own, other) = (demand.commitment.receipts, demand.opened?.digest ?? ReceiptSet([]).digest)
    let account = try account(before: demand, of: activation)
    let next: JointAccount
    do throws(AccountError) {
      next = try account.conceding(
        epoch: demand.epoch, by: loser, customer: demand.by == .customer ? own : other,
        networkOperator: demand.by == .customer ? other : own)
    } catch {
      throw .fault(LedgerFault("activation \(activation.id): epoch \(demand.epoch) cannot be conceded: \(error)"))
    }
    var reservation = reservation
    switch loser {
    case .networkOperator: reservation.cause = .networkTerminated
    // Who ended it before has ended it: an operator that terminated keeps owing its penalty.
    case .customer, nil: reservation.cause = reservation.cause ?? .receiptWithheld
    }
    reservation.epochs = min(reservation.epochs, demand.epoch + 1)
    reservation.endsAt = min(reservation.endsAt, context.time)
    var ended = activation
    if case .reserved = ended.phase {
      let terms = try terms(of: activation)
      ended.phase = .reserved(
        reservation, settleBy: chain.deadline(terms.deadlines.settleWithin, after: reservation.endsAt))
    }
    try keep(recordOf: next, in: ended, reservation)
  }
}

extension OpenRecordDemand {
  /// The order in which demands run out.
  fileprivate static func < (left: OpenRecordDemand, right: OpenRecordDemand) -> Bool {
    (left.answerBy, left.by.rawValue) < (right.answerBy, right.by.rawValue)
  }
}

extension Proceedings {
  /// Whether something is demanded that a record shows.
  func isAnswered(by record: JointRecord) -> Bool {
    if case .open = service { return true }
    return demands.contains { $0.epoch <= record.epoch }
  }

  /// A record answers every demand for its epoch and those before, and the demand for service. Neither side can demand
  /// one of them any more.
  mutating func answer(with record: JointRecord?) {
    guard let record else { return }
    demands.removeAll { $0.epoch <= record.epoch }
    for side in AccountingSide.allCases { latestDemands[side] = max(latestDemands[side] ?? 0, record.epoch) }
    if case .open = service { service = .answered }
  }
}
