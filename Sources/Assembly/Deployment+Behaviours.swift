import Effects
import Messages
import Roles
import Topology

extension Deployment {
  /// The actor's core as it is to behave: as it is, unless the topology lets it cheat.
  public func behaving(_ core: any RoleCore) -> any RoleCore {
    let silences = topology.behaviours.filter { $0.actor == core.address }.map { Silence($0) }
    return silences.isEmpty ? core : SilentCore(core, silences)
  }

  func behaving(_ plan: ActorPlan) -> ActorPlan {
    guard topology.behaviours.contains(where: { $0.actor == plan.address }) else { return plan }
    return ActorPlan(plan.address, store: plan.store, ports: plan.ports) { behaving(try plan.make($0)) }
  }
}

extension Silence {
  init(_ behaviour: Topology.Behaviour) {
    let subject: Subject =
      switch behaviour.cheat {
      case .withholdReceipts: .receipts
      case .withholdRecord: .record
      case .noService: .service
      case .silentEnclave: .everything
      case .neverConfirm: .decision
      case .neverAgree: .agreement
      }
    self.init(subject, from: behaviour.fromEpoch)
  }
}
