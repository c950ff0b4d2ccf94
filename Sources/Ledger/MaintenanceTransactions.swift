import Messages
import Signing

/// AnnounceMaintenance: an operator says in advance when service will be missing. It binds only those who order after
/// they could know.
extension BlockExecution {
  mutating func announce(_ maintenance: Maintenance, by signer: Signer) throws(Refusal) {
    let organisation = try organisation(of: signer, acting: .controller)
    let window = maintenance.window
    try require(window.from < window.to && !maintenance.cells.isEmpty, orElse: .invalidArgument)
    try require(Set(maintenance.cells).count == maintenance.cells.count, orElse: .invalidArgument)
    try require(context.time < window.to, orElse: .deadlinePassed)
    try require(window.to - window.from <= ContractTerms.maximumSpan, orElse: .outOfRange)
    var record = MaintenanceRecord(announced: announced(by: organisation))
    try require(!record.announced.contains(maintenance), orElse: .alreadyExists)
    // As many as an activation can be bound by, so that none is ever left out there.
    try require(record.announced.count < ActivationLimits.maintenanceWindows, orElse: .outOfRange)
    record.announced.append(maintenance)
    state.tree.set(LedgerKey.maintenance(organisation), .maintenance(record))
  }

  /// What an operator has announced and is not over.
  private func announced(by organisation: OrganisationID) -> [Maintenance] {
    (state.maintenance(of: organisation)?.announced ?? []).filter { context.time < $0.window.to }
  }

  /// The windows that bind an order placed now, ascending.
  func maintenance(binding order: ActivationOrder, with operatorID: OrganisationID) -> [TimeWindow] {
    let cells = order.ends.compactMap { order.cell(of: $0) }
    return announced(by: operatorID).filter { maintenance in cells.contains(where: maintenance.cells.contains) }
      .map(\.window).sorted { ($0.from, $0.to) < ($1.from, $1.to) }
  }
}
