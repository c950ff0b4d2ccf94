import Messages
import Signing

/// What happens when nobody answered (consensus.md, "Ledger time"). Deadlines run at the end of a block, in the order
/// of their instants and then of their subjects, so many per block at most; those left run in the next.
extension BlockExecution {
  mutating func runDeadlines() throws(Refusal) {
    let horizon = chain.horizon(faults: state.faults)
    let due = state.tree.range(
      from: LedgerKey.deadlinePrefix, before: LedgerKey.deadline(horizon + Span(nanoseconds: 1), of: []),
      limit: Int(clamping: state.rules.parameters.expiriesPerBlock))
    for (key, _) in due {
      let subject = LedgerKey.deadlineSubject(key)
      switch state.tree[subject] {
      case .activation(let activation): try expire(activation, at: horizon)
      case .enclave:
        state.tree.remove(key)
        state.tree.remove(subject)
      default:
        throw .fault(LedgerFault("a deadline of nothing, under \(Hexadecimal.encode(key))"))
      }
    }
  }

  private mutating func expire(_ activation: ActivationRecord, at horizon: Instant) throws(Refusal) {
    // A demand that waits comes before whatever else runs out (``ActivationRecord/deadline``).
    if let reservation = activation.reservation, reservation.proceedings.answerBy != nil {
      return try expireDemand(activation, reservation, at: horizon)
    }
    switch activation.phase {
    case .requested:
      try nullify(activation, .confirmationExpired)
    case .reserved(let reservation, _):
      // Nobody opened CLOSING: what the ledger computed itself counts; without that, the fee is all that was earned.
      try settle(activation, reservation, by: reservation.proceedings.posted?.record, .expired)
    case .closing(let reservation, let closing):
      try settle(activation, reservation, by: closing.record, closing.kind)
    case .nullified, .settled:
      throw .fault(LedgerFault("activation \(activation.id) ended and kept a deadline"))
    }
  }
}
