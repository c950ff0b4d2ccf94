import Ledger
import Messages
import Topology

extension Deployment {
  /// What came of an activation, as the ledger archived it.
  /// - Parameter droppedByPolicy: what edges said they dropped; nil where none was watched.
  public func result(_ record: ActivationRecord, droppedByPolicy: UInt64?) -> ActivationResult {
    let change = record.change
    let accounts = record.settlement?.record?.segments ?? []
    let segments = record.segments.enumerated().map { index, segment in
      let account = index < accounts.count ? accounts[index] : nil
      return ActivationResult.Segment(
        contract: reference(segment.contract), epochs: account?.epochCounters ?? EpochCounters(),
        rules: account?.ruleCounters ?? [])
    }
    return ActivationResult(
      state: change.state, statusInfo: change.statusInfo, settlement: change.settlement, segments: segments,
      handovers: UInt64(record.reservation?.handovers.count ?? 0), droppedByPolicy: droppedByPolicy, money: change.money
    )
  }

  /// The name of a contract; of one that this topology does not have, its id.
  private func reference(_ id: ContractID) -> Topology.ContractReference {
    contracts.first { $0.terms.id == id }?.reference
      ?? Topology.ContractReference(operatorName: "", contractName: id.hexadecimal)
  }
}
