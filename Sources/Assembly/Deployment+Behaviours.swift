import Effects
import Messages
import Roles
import Topology

extension Deployment {
  /// The actor's core as it is to behave: as it is, unless the topology lets it cheat.
  public func behaving(_ core: any RoleCore) -> any RoleCore {
    let cheats = cheats(of: core.address)
    if let member = core as? ValidatorCore, let misconduct = cheats.compactMap(Misconduct.init).first {
      return AdversaryCore(member, misconduct)
    }
    let silences = cheats.compactMap(Silence.init)
    return silences.isEmpty ? core : SilentCore(core, silences)
  }

  func behaving(_ plan: ActorPlan) -> ActorPlan {
    let cheats = cheats(of: plan.address)
    guard !cheats.isEmpty else { return plan }
    if cheats.contains(where: { $0.cheat == .runTwice }) {
      let members = genesis.members.map { ActorAddress(.validator, $0.name) }
      return ActorPlan(plan.address, store: plan.store, ports: plan.ports) {
        try TwinCore(members: members, recovering: $0, make: plan.make)
      }
    }
    return ActorPlan(
      plan.address, store: plan.store, ports: plan.ports, isToldOfLedger: plan.isToldOfLedger
    ) { behaving(try plan.make($0)) }
  }

  /// Voting members that the topology lets cheat, in member order.
  public var cheatingMembers: [MemberIndex] {
    genesis.members.indices.map { MemberIndex($0) }.filter {
      !cheats(of: ActorAddress(.validator, genesis.members[Int($0)].name)).isEmpty
    }
  }

  private func cheats(of actor: ActorAddress) -> [Topology.Behaviour] {
    topology.behaviours.filter { $0.actor == actor }
  }
}

extension Silence {
  /// Nil for what is more than silence.
  init?(_ behaviour: Topology.Behaviour) {
    let subject: Subject
    switch behaviour.cheat {
    case .withholdReceipts: subject = .receipts
    case .withholdRecord: subject = .record
    case .noService: subject = .service
    case .silentEnclave: subject = .everything
    case .neverConfirm: subject = .decision
    case .neverAgree: subject = .agreement
    default: return nil
    }
    self.init(subject, from: behaviour.fromEpoch)
  }
}

extension Misconduct {
  /// Nil for what no voting member does, or no single one (`runTwice`).
  init?(_ behaviour: Topology.Behaviour) {
    switch behaviour.cheat {
    case .equivocate: self = .equivocation
    case .nullifyEverything: self = .nullification
    case .withholdCertificates: self = .withholding
    case .proposeStale: self = .staleProposals
    case .proposeInvalid: self = .invalidProposals
    case .neverPropose: self = .silentLeader
    case .flood: self = .flooding
    case .impersonate: self = .impersonation
    case .voteFarAhead: self = .farFutureVotes
    case .bendTime: self = .bentTime
    case .forgetSubmissions: self = .forgetting
    case .answerFalsely: self = .falseAnswers
    default: return nil
    }
  }
}
