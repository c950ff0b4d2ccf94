import Messages
import Signing

/// Activate, ConfirmSlice, RejectSlice: from an order to a reservation or back.
extension BlockExecution {
  /// → REQUESTED, E locked.
  mutating func activate(_ order: ActivationOrder, in signed: SignedTransaction, by signer: Signer) throws(Refusal) {
    let customer = try organisation(of: signer, acting: .treasury)
    try require(try account(customer).kind == .customer, orElse: .permissionDenied)
    let terms = try activeTerms(of: order.contract)
    let segment = try booking(of: order.contract, terms, from: 0, epochs: order.epochs)
    try require(order.earliestStart <= order.latestStart, orElse: .invalidArgument)
    try require(order.latestStart >= context.time + terms.deadlines.startLead, orElse: .deadlinePassed)
    try require(
      terms.hasServiceTime(for: order.epochs, startingFrom: order.earliestStart, to: order.latestStart),
      orElse: .outOfRange)
    try require(terms.context.serviceArea.contains(order.cell), orElse: .serviceAreaNotSupported)
    try require(terms.context.allowedPeers.contains(order.peer), orElse: .invalidArgument)
    try checkEnds(order, in: signed, payer: customer, terms)
    try take(segment.escrow, from: customer, orElse: .escrowInsufficient)
    try store(
      ActivationRecord(
        id: ActivationID(signed.id), customer: customer, operatorID: terms.operatorID, order: order,
        maintenance: maintenance(
          binding: order, expiry: signed.transaction.expiry, with: terms.operatorID), segments: [segment],
        phase: .requested(confirmBy: chain.clock + terms.deadlines.confirmWithin)))
  }

  /// Who stands at the ends: the payer's enclave near; far, another enclave, whose owner is the peer by name, or the
  /// operator's endpoint.
  private func checkEnds(
    _ order: ActivationOrder, in signed: SignedTransaction, payer: OrganisationID, _ terms: ContractTerms
  ) throws(Refusal) {
    guard let near = order.enclave(at: .near), order.enclaves.count == order.ends.count else {
      throw .code(.invalidArgument)
    }
    try require(try owner(of: near, for: terms.metering) == payer, orElse: .attestationRejected)
    guard let far = order.enclave(at: .far) else {
      return try require(order.peerCell == nil && order.consent == nil, orElse: .invalidArgument)
    }
    guard far != near, let cell = order.peerCell else { throw .code(.invalidArgument) }
    try require(terms.context.serviceArea.contains(cell), orElse: .serviceAreaNotSupported)
    let peer = try account(try owner(of: far, for: terms.metering))
    try require(peer.name == order.peer, orElse: .invalidArgument)
    guard peer.id != payer else { return try require(order.consent == nil, orElse: .invalidArgument) }
    try require(peer.kind == .customer, orElse: .permissionDenied)
    try checkConsent(to: order, of: peer.id, in: signed)
  }

  /// Whose the enclave is, if it is attested as the contract asks and its attestation has not expired.
  private func owner(of key: PublicKey, for metering: MeteringTerms) throws(Refusal) -> OrganisationID {
    guard let enclave = state.enclave(key), enclave.expires > chain.clock else { throw .code(.attestationRejected) }
    do throws(AppraisalError) {
      try metering.admit(measurement: enclave.measurement, level: enclave.level)
    } catch {
      throw .code(.attestationRejected)
    }
    return enclave.owner
  }

  /// The far enclave's owner agreed to exactly this order in exactly this transaction.
  private func checkConsent(
    to order: ActivationOrder, of owner: OrganisationID, in signed: SignedTransaction
  ) throws(Refusal) {
    guard let envelope = order.consent, let author = signer(of: envelope),
      author == .role(owner, .treasury) || author == .role(owner, .device)
    else { throw .code(.permissionDenied) }
    let consent: ActivationConsent
    do { consent = try envelope.decode() } catch { throw .code(.invalidArgument) }
    let expected = ActivationConsent(
      payer: signed.signer, nonce: signed.transaction.nonce, expiry: signed.transaction.expiry,
      order: order.consentDigest)
    try require(consent == expected, orElse: .invalidArgument)
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
    try require((confirmation.peerEdge != nil) == order.ends.contains(.far), orElse: .invalidArgument)
    for edge in [confirmation.edge, confirmation.peerEdge].compactMap({ $0 }) {
      try require(state.signer(edge) == .role(record.operatorID, .edge), orElse: .invalidArgument)
    }
    for segment in record.segments { try take(segment.bond, from: record.operatorID, orElse: .bondInsufficient) }
    let reservation = Reservation(
      planHash: confirmation.planHash, startAt: startAt, edge: confirmation.edge, peerEdge: confirmation.peerEdge,
      handovers: [], epochs: order.epochs, endsAt: endsAt, cause: nil, proceedings: Proceedings())
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

  /// Whether some start within the bounds lies, with all its epochs, inside one service time window.
  func hasServiceTime(for epochs: UInt64, startingFrom earliest: Instant, to latest: Instant) -> Bool {
    guard earliest <= latest else { return false }
    let duration = duration(epochs: epochs)
    return context.serviceTimes.isEmpty
      || context.serviceTimes.contains { window in
        let start = max(window.from, earliest)
        return start <= latest && start + duration <= window.to
      }
  }

  func isServiceTime(from start: Instant, to end: Instant) -> Bool {
    context.serviceTimes.isEmpty || context.serviceTimes.contains { $0.from <= start && end <= $0.to }
  }
}
