import Messages
import Signing

/// Terminate, in every state it has a meaning in.
extension BlockExecution {
  mutating func terminate(_ id: ActivationID, by signer: Signer) throws(Refusal) {
    let record = try activation(id)
    switch record.side(of: signer) {
    case .customer: try terminateByCustomer(record)
    case .networkOperator: try terminateByOperator(record)
    case nil: throw .code(.permissionDenied)
    }
  }

  /// REQUESTED: everything back. RESERVED: the fee is the operator's. ACTIVATED: ends with the running epoch.
  private mutating func terminateByCustomer(_ record: ActivationRecord) throws(Refusal) {
    switch record.phase {
    case .requested(let confirmBy):
      try require(confirmBy > passedBefore, orElse: .deadlinePassed)
      try nullify(record, .deleteRequested)
    case .reserved(var reservation, _):
      let started = try reservation.started(at: context.time)
      try require(reservation.cause == nil, orElse: .failedPrecondition)
      reservation.cause = .deleteRequested
      guard started else { return try settle(record, reservation, by: nil, .unilateral) }
      let terms = try terms(of: record)
      let running = reservation.completeEpochs(at: context.time, terms) + 1
      reservation.epochs = min(reservation.epochs, running)
      reservation.endsAt = reservation.start(of: reservation.epochs, terms)
      try end(record, reservation, terms)
    case .closing, .nullified, .settled:
      throw .code(.failedPrecondition)
    }
  }

  /// RESERVED: everything back and the penalty. ACTIVATED: ends now, whole epochs before now count, and the penalty.
  /// A REQUESTED one the operator rejects instead.
  private mutating func terminateByOperator(_ record: ActivationRecord) throws(Refusal) {
    guard case .reserved(var reservation, _) = record.phase else { throw .code(.failedPrecondition) }
    let started = try reservation.started(at: context.time)
    reservation.cause = .networkTerminated
    guard started else { return try settle(record, reservation, by: nil, .unilateral) }
    let terms = try terms(of: record)
    reservation.epochs = min(reservation.epochs, reservation.completeEpochs(at: context.time, terms))
    reservation.endsAt = context.time
    try end(record, reservation, terms)
  }

  /// Service ends when the reservation says; CLOSING may be opened from then until `settleBy`.
  mutating func end(
    _ record: ActivationRecord, _ reservation: Reservation, _ terms: ContractTerms
  ) throws(Refusal) {
    var record = record
    record.phase = .reserved(
      reservation, settleBy: chain.deadline(terms.deadlines.settleWithin, after: reservation.endsAt))
    try store(record)
  }
}

extension Reservation {
  /// Whether service has begun; one whose end has come cannot be terminated any more.
  fileprivate func started(at time: Instant) throws(Refusal) -> Bool {
    try require(time < endsAt, orElse: .failedPrecondition)
    return time >= startAt
  }
}
