import Messages
import Roles
import Signing
import Topology

extension Deployment {
  /// Each signs what it orders with its validator's key.
  func regulators<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    try topology.regulators.compactMap { regulator in
      let address = ActorAddress(.regulator, regulator.name)
      guard inputs.runs(address) else { return nil }
      let configuration = RegulatorCore.Configuration(
        name: regulator.name, genesis: genesis, validators: validators(preferring: regulator.name),
        key: try inputs.keyring.signingKey(KeyName(.validator, regulator.name)),
        peers: topology.regulators.map { ActorAddress(.regulator, $0.name) }.filter { $0 != address },
        measures: regulator.measures.compactMap(planned),
        actsAlone: topology.behaviours.contains { $0.actor == address && $0.cheat == .actAlone })
      return ActorPlan(address, store: .records) { try RegulatorCore(configuration, recovering: $0) }
    }
  }

  /// Nil for one that names nothing, which the file's check refuses.
  private func planned(_ measure: Topology.Measure) -> PlannedMeasure? {
    let payer = measure.customer.map { keys[KeyName(.treasury, $0)] }
    let contract = measure.contract.flatMap { terms($0)?.id }
    let subject: PlannedMeasure.Subject
    switch (measure.kind, contract, payer) {
    case (.suspendContract, let contract?, _): subject = .suspend(contract)
    case (.restoreContract, let contract?, _): subject = .restore(contract)
    case (.freezeSettlement, _, let payer?): subject = .freeze(payer: payer, measure.length ?? .zero)
    case (.openAudit, _, let payer?): subject = .audit(payer: payer)
    default: return nil
    }
    return PlannedMeasure(subject, reason: measure.reason, notBefore: genesis.time + measure.at)
  }
}
