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
    try require(!record.announced.contains { $0.maintenance == maintenance }, orElse: .alreadyExists)
    // As many as an activation can be bound by, so that none is ever left out there.
    try require(record.announced.count < ActivationLimits.maintenanceWindows, orElse: .outOfRange)
    record.announced.append(AnnouncedMaintenance(maintenance, height: context.height))
    state.tree.set(LedgerKey.maintenance(organisation), .maintenance(record))
  }

  /// What an operator has announced and is not over.
  private func announced(by organisation: OrganisationID) -> [AnnouncedMaintenance] {
    (state.maintenance(of: organisation)?.announced ?? []).filter { context.time < $0.maintenance.window.to }
  }

  /// The windows that bind an Activate of this block, ascending.
  func maintenance(
    binding order: ActivationOrder, expiry: Height, with operatorID: OrganisationID
  ) -> [TimeWindow] {
    announced(by: operatorID).windows(binding: order, expiry: expiry, at: context.time)
  }
}
