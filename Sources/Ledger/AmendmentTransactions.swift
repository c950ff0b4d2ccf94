import Messages
import Signing

/// What changes a running activation under the same escrow: Extend, Renegotiate, HandOver (sla.md, "The activation").
extension BlockExecution {
  /// More epochs under the same contract, from the present end on.
  mutating func extend(_ byCustomer: Envelope, _ byOperator: Envelope) throws(Refusal) {
    let (order, amendment) = try amendment(byCustomer, byOperator)
    try require(order.contract == amendment.current.contract, orElse: .invalidArgument)
    let terms = try activeTerms(of: order.contract)
    try require(
      context.time + terms.deadlines.startLead <= amendment.reservation.endsAt, orElse: .deadlinePassed)
    try book(order, from: amendment.reservation.epochs, under: terms, amendment)
  }

  /// Another contract of the operator, from the first epoch that begins late enough. The new contract serves the same
  /// ends, peer and cells, meters alike and has the same deadlines, so that everything that runs can go on.
  mutating func renegotiate(_ byCustomer: Envelope, _ byOperator: Envelope) throws(Refusal) {
    let (order, amendment) = try amendment(byCustomer, byOperator)
    try require(order.contract != amendment.current.contract, orElse: .invalidArgument)
    let (old, new) = (amendment.terms, try activeTerms(of: order.contract))
    try require(new.operatorID == amendment.activation.operatorID, orElse: .invalidArgument)
    try require(new.metering == old.metering && new.deadlines == old.deadlines, orElse: .invalidArgument)
    let peer = amendment.activation.order.peer
    // Packets name their destination by its place in the list.
    try require(
      new.context.allowedPeers.firstIndex(of: peer) == old.context.allowedPeers.firstIndex(of: peer),
      orElse: .invalidArgument)
    let reservation = amendment.reservation
    let first = reservation.firstEpoch(from: context.time + old.deadlines.startLead, old)
    // A segment that has not begun cannot be cut, and nothing is left to cut in the last epochs.
    try require(amendment.current.first < first && first < reservation.epochs, orElse: .failedPrecondition)
    for cell in reservation.cells(from: first, of: amendment.activation.order) {
      try require(new.context.serviceArea.contains(cell), orElse: .serviceAreaNotSupported)
    }
    try book(order, from: first, under: new, amendment)
  }

  /// From the start of an epoch on, an end is served in another cell by another edge.
  mutating func handOver(_ handover: SliceHandover, by signer: Signer) throws(Refusal) {
    var activation = try activation(handover.activation)
    try require(signer == .role(activation.operatorID, .controller), orElse: .permissionDenied)
    guard case .reserved(var reservation, let settleBy) = activation.phase, context.time < reservation.endsAt else {
      throw .code(.failedPrecondition)
    }
    let terms = try terms(of: activation)
    try require(activation.order.ends.contains(handover.end), orElse: .invalidArgument)
    try require(reservation.handovers.count < ActivationLimits.handovers, orElse: .outOfRange)
    try require(handover.from > 0 && handover.from < reservation.epochs, orElse: .outOfRange)
    try require(
      reservation.start(of: handover.from, terms) >= context.time + terms.deadlines.startLead, orElse: .outOfRange)
    if let latest = reservation.latestHandover(of: handover.end) {
      try require(handover.from > latest.from, orElse: .failedPrecondition)
    }
    try require(
      try serves(handover.cell, from: handover.from, in: activation), orElse: .serviceAreaNotSupported)
    try require(state.signer(handover.edge) == .role(activation.operatorID, .edge), orElse: .invalidArgument)
    reservation.handovers.append(handover)
    reservation.planHash = handover.plan
    activation.phase = .reserved(reservation, settleBy: settleBy)
    try store(activation)
  }

  /// Whether every contract in force from an epoch on holds in a cell.
  private func serves(
    _ cell: String, from epoch: EpochNumber, in activation: ActivationRecord
  ) throws(Refusal) -> Bool {
    let terms = try allTerms(of: activation)
    return zip(activation.segmentRanges, terms).allSatisfy { range, terms in
      range.upperBound <= epoch || terms.context.serviceArea.contains(cell)
    }
  }

  // MARK: Booking

  /// An activation that both parties may amend now.
  private struct Amendment {
    var activation: ActivationRecord
    var reservation: Reservation
    /// The last segment.
    var current: ActivationSegment
    /// Metering and deadlines of all segments.
    var terms: ContractTerms
  }

  /// What both agreed on belongs to the plan that was in force then: one that was refused, or never brought, dies with
  /// the next plan, its index with the next segment, and while neither changes with its expiry.
  private func amendment(
    _ byCustomer: Envelope, _ byOperator: Envelope
  ) throws(Refusal) -> (SegmentOrder, Amendment) {
    let (order, activation) = try agreement(SegmentOrder.self, byCustomer, byOperator)
    guard case .reserved(let reservation, _) = activation.phase, reservation.cause == nil,
      order.plan == reservation.planHash, reservation.startAt <= context.time, context.time < reservation.endsAt,
      let current = activation.segments.last,
      order.index == UInt64(activation.segments.count)
    else { throw .code(.failedPrecondition) }
    try require(context.height <= order.expiry, orElse: .deadlinePassed)
    try require(activation.segments.count < ActivationLimits.segments, orElse: .outOfRange)
    let terms = try terms(of: activation)
    return (order, Amendment(activation: activation, reservation: reservation, current: current, terms: terms))
  }

  /// Locks E and B of the new segment; the end, and what runs from it, move.
  private mutating func book(
    _ order: SegmentOrder, from first: EpochNumber, under terms: ContractTerms, _ amendment: Amendment
  ) throws(Refusal) {
    let segment = try booking(of: order.contract, terms, from: first, epochs: order.epochs)
    var (activation, reservation) = (amendment.activation, amendment.reservation)
    let endsAt = reservation.start(of: segment.end, terms)
    try require(
      terms.isServiceTime(from: reservation.start(of: first, terms), to: endsAt), orElse: .outOfRange)
    try take(segment.escrow, from: activation.customer, orElse: .escrowInsufficient)
    try take(segment.bond, from: activation.operatorID, orElse: .bondInsufficient)
    reservation.epochs = segment.end
    reservation.endsAt = endsAt
    activation.segments.append(segment)
    activation.phase = .reserved(
      reservation, settleBy: chain.deadline(terms.deadlines.settleWithin, after: endsAt))
    try store(activation)
  }
}
