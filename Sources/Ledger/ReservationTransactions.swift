import Messages
import Signing

/// Activate, ConfirmSlice, RejectSlice: from an order to a reservation or back.
extension BlockExecution {
  /// → REQUESTED, E locked.
  mutating func activate(_ order: ActivationOrder, as id: ActivationID, by signer: Signer) throws(Refusal) {
    let customer = try organisation(of: signer, acting: .treasury)
    try require(try account(customer).kind == .customer, orElse: .permissionDenied)
    guard let contract = state.contract(order.contract) else { throw .code(.notFound) }
    try require(contract.status == .active, orElse: .failedPrecondition)
    let terms = contract.terms
    try require(
      (terms.context.minimumEpochs...terms.context.maximumEpochs).contains(order.epochs), orElse: .outOfRange)
    try require(order.earliestStart <= order.latestStart, orElse: .invalidArgument)
    try require(order.latestStart >= context.time + terms.deadlines.startLead, orElse: .deadlinePassed)
    try require(terms.hasServiceTime(for: order), orElse: .outOfRange)
    try require(terms.context.serviceArea.contains(order.cell), orElse: .serviceAreaNotSupported)
    try require(terms.context.allowedPeers.contains(order.peer), orElse: .invalidArgument)
    try checkEnclaves(order.enclaves, of: customer, for: terms.metering)
    let escrow: Amount
    do { escrow = try terms.escrow(epochs: order.epochs) } catch { throw .code(.outOfRange) }
    try take(escrow, from: customer, orElse: .escrowInsufficient)
    try store(
      ActivationRecord(
        id: id, contract: order.contract, customer: customer, operatorID: terms.operatorID, order: order,
        escrow: escrow, phase: .requested(confirmBy: chain.clock + terms.deadlines.confirmWithin)))
  }

  /// The payer's own, attested as the contract asks, and not expired. In this version the payer owns every enclave;
  /// countersignatures of other owners come with two-customer flows.
  private func checkEnclaves(
    _ enclaves: [PublicKey], of owner: OrganisationID, for metering: MeteringTerms
  ) throws(Refusal) {
    try require(!enclaves.isEmpty, orElse: .invalidArgument)
    try require(Set(enclaves).count == enclaves.count, orElse: .invalidArgument)
    for key in enclaves {
      guard let enclave = state.enclave(key), enclave.owner == owner, enclave.expires > chain.clock else {
        throw .code(.attestationRejected)
      }
      do throws(AppraisalError) {
        try metering.admit(measurement: enclave.measurement, level: enclave.level)
      } catch {
        throw .code(.attestationRejected)
      }
    }
  }

  /// REQUESTED → RESERVED, B locked.
  mutating func confirm(_ confirmation: SliceConfirmation, by signer: Signer) throws(Refusal) {
    var (record, terms) = try requested(confirmation.activation, by: signer)
    let order = record.order
    let startAt = confirmation.startAt
    try require(startAt >= context.time + terms.deadlines.startLead, orElse: .outOfRange)
    try require((order.earliestStart...order.latestStart).contains(startAt), orElse: .outOfRange)
    let endsAt = startAt + terms.duration(epochs: order.epochs)
    try require(terms.isServiceTime(from: startAt, to: endsAt), orElse: .outOfRange)
    let edge = Signer.role(record.operatorID, .edge)
    try require(state.signer(confirmation.edge) == edge, orElse: .invalidArgument)
    let bond: Amount
    do { bond = try terms.bond(epochs: order.epochs) } catch { throw .code(.outOfRange) }
    try take(bond, from: record.operatorID, orElse: .bondInsufficient)
    let reservation = Reservation(
      planHash: confirmation.planHash, startAt: startAt, edge: confirmation.edge, bond: bond, epochs: order.epochs,
      endsAt: endsAt, cause: nil)
    record.phase = .reserved(reservation, settleBy: chain.deadline(terms.deadlines.settleWithin, after: endsAt))
    try store(record)
  }

  /// REQUESTED → NULLIFIED, everything back (§3.2.1).
  mutating func reject(_ rejection: SliceRejection, by signer: Signer) throws(Refusal) {
    let (record, _) = try requested(rejection.activation, by: signer)
    try nullify(record, .sliceRejected)
  }

  /// The record of an order that the signer, its operator's controller, may still answer.
  private func requested(
    _ id: ActivationID, by signer: Signer
  ) throws(Refusal) -> (ActivationRecord, ContractTerms) {
    let record = try activation(id)
    let organisation = try organisation(of: signer, acting: .controller)
    try require(organisation == record.operatorID, orElse: .permissionDenied)
    guard case .requested(let confirmBy) = record.phase else { throw .code(.failedPrecondition) }
    try require(confirmBy > passedBefore, orElse: .deadlinePassed)
    return (record, try terms(of: record))
  }

  /// The escrow goes back whole; no bond was locked.
  mutating func nullify(_ record: ActivationRecord, _ cause: StatusInfo) throws(Refusal) {
    var record = record
    record.phase = .nullified(cause)
    try store(record)
    try give(record.escrow, to: record.customer)
  }
}

extension ContractTerms {
  /// Fits: validated when the contract was deployed.
  func duration(epochs: UInt64) -> Span { metering.epoch * Int64(clamping: epochs) }

  /// Whether some start within the order's bounds lies, with all its epochs, inside one service time window.
  func hasServiceTime(for order: ActivationOrder) -> Bool {
    guard !context.serviceTimes.isEmpty else { return true }
    let duration = duration(epochs: order.epochs)
    return context.serviceTimes.contains { window in
      let start = max(window.from, order.earliestStart)
      return start <= order.latestStart && start + duration <= window.to
    }
  }

  func isServiceTime(from start: Instant, to end: Instant) -> Bool {
    context.serviceTimes.isEmpty || context.serviceTimes.contains { $0.from <= start && end <= $0.to }
  }
}
