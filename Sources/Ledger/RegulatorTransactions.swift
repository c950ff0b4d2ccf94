import Messages
import Signing

/// RegulatorAction (sla.md): what a threshold of regulators orders together, with a recorded reason. Fewer are refused,
/// and the refused transaction stands in the block for all to see.
extension BlockExecution {
  mutating func takeMeasure(_ approvals: [Envelope], by signer: Signer) throws(Refusal) {
    try require(isRegulator(signer.organisation), orElse: .permissionDenied)
    let order: RegulatorOrder
    guard let first = approvals.first else { throw .code(.invalidArgument) }
    do { order = try first.decode() } catch { throw .code(.invalidArgument) }
    try require(!order.reason.isEmpty, orElse: .invalidArgument)
    try require(order.expiry >= context.height, orElse: .deadlinePassed)
    let id = order.id
    try require(state.measure(id) == nil, orElse: .alreadyExists)
    let regulators = try regulators(approving: first.payload, approvals)
    try require(
      UInt64(regulators.count) >= max(1, state.rules.parameters.regulatorThreshold), orElse: .permissionDenied)
    switch order.measure {
    case .suspendContract(let contract): try setSuspension(of: contract, to: id)
    case .restoreContract(let contract): try setSuspension(of: contract, to: nil)
    case .freezeSettlement(let activation, let span): try freeze(activation, for: span)
    case .openAudit(let activation): _ = try self.activation(activation)
    }
    let record = MeasureRecord(order: order, approvedBy: regulators, height: context.height)
    state.tree.set(LedgerKey.measure(id), .measure(record))
    events.append(.measureTaken(id, order.measure))
  }

  /// The regulators that signed these very bytes, ascending. Each signs once, with its validator's key.
  private func regulators(approving payload: [UInt8], _ approvals: [Envelope]) throws(Refusal) -> [OrganisationID] {
    var regulators: [OrganisationID] = []
    for approval in approvals {
      try require(approval.payload == payload, orElse: .invalidArgument)
      guard case .role(let organisation, .validator)? = signer(of: approval), isRegulator(organisation) else {
        throw .code(.permissionDenied)
      }
      try require(!regulators.contains(organisation), orElse: .invalidArgument)
      regulators.append(organisation)
    }
    return regulators.sorted()
  }

  private func isRegulator(_ organisation: OrganisationID) -> Bool { state.account(organisation)?.kind == .regulator }

  /// - Parameter order: nil lifts the suspension.
  private mutating func setSuspension(of id: ContractID, to order: Digest?) throws(Refusal) {
    guard var contract = state.contract(id) else { throw .code(.notFound) }
    try require((contract.suspendedBy == nil) == (order != nil), orElse: .failedPrecondition)
    contract.suspendedBy = order
    state.tree.set(LedgerKey.contract(id), .contract(contract))
  }

  /// After the end of service: no money moves until the freeze is over, and every clock of the activation stops
  /// meanwhile, which is to say that what would have run out runs out so much later.
  private mutating func freeze(_ id: ActivationID, for span: Span) throws(Refusal) {
    var activation = try activation(id)
    guard let reservation = activation.reservation, context.time >= reservation.endsAt else {
      throw .code(.failedPrecondition)
    }
    // What has run out stays so, even where there was no room yet to act on it.
    try require(activation.deadline.map { $0 > passedBefore } ?? false, orElse: .deadlinePassed)
    try require(span > .zero && span <= state.rules.parameters.maximumFreeze, orElse: .outOfRange)
    var freeze = state.freeze(of: id) ?? FreezeRecord(until: chain.clock, total: .zero)
    try require(freeze.total + span <= state.rules.parameters.maximumFreeze, orElse: .outOfRange)
    freeze.until = max(freeze.until, chain.clock) + span
    freeze.total = freeze.total + span
    activation.delay(by: span)
    try store(activation)
    state.tree.set(LedgerKey.freeze(id), .freeze(freeze))
  }

  /// Refuses what would settle an activation, or move it towards that, while it is frozen.
  func requireThawed(_ action: Action) throws(Refusal) {
    guard let id = action.settlingActivation, let freeze = state.freeze(of: id) else { return }
    try require(chain.clock >= freeze.until, orElse: .failedPrecondition)
  }
}

extension ActivationRecord {
  /// Everything that waits to run out does so later.
  fileprivate mutating func delay(by span: Span) {
    switch phase {
    case .reserved(let reservation, let settleBy):
      phase = .reserved(reservation.delayed(by: span), settleBy: settleBy + span)
    case .closing(let reservation, let closing):
      let delayed = Closing(record: closing.record, closesAt: closing.closesAt + span, kind: closing.kind)
      phase = .closing(reservation.delayed(by: span), delayed)
    case .requested, .nullified, .settled: break
    }
  }
}

extension Reservation {
  fileprivate func delayed(by span: Span) -> Reservation {
    var reservation = self
    if case .open(let answerBy) = proceedings.service {
      reservation.proceedings.service = .open(answerBy: answerBy + span)
    }
    for index in proceedings.demands.indices {
      reservation.proceedings.demands[index].answerBy = proceedings.demands[index].answerBy + span
    }
    return reservation
  }
}

extension Action {
  /// The activation whose settlement this ends, opens or changes.
  fileprivate var settlingActivation: ActivationID? {
    switch self {
    case .demandService(let id): id
    case .demandRecord(let demand): try? demand.commitment.decode(EpochCommitment.self).activation
    default: urgentActivation
    }
  }
}

extension LedgerState {
  public func measure(_ order: Digest) -> MeasureRecord? {
    if case .measure(let record)? = tree[LedgerKey.measure(order)] { record } else { nil }
  }

  /// What regulators have ordered so far, by the order's digest.
  public func measures(after order: Digest? = nil, limit: Int = LedgerLimits.rangeAtMost) -> [MeasureRecord] {
    let bounds = KeyedMerkleTree<LedgerRecord>.prefixRange(LedgerKey.measurePrefix)
    let from = order.map { LedgerKey.measurePrefix + $0.bytes + [0] } ?? bounds.from
    return tree.range(from: from, before: bounds.before, limit: min(limit, LedgerLimits.rangeAtMost)).compactMap {
      if case .measure(let record) = $0.value { record } else { nil }
    }
  }

  public func freeze(of activation: ActivationID) -> FreezeRecord? {
    if case .freeze(let record)? = tree[LedgerKey.freeze(activation)] { record } else { nil }
  }
}
