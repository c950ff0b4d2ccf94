import Effects
import Messages
import Metering
import Roles
import Signing
import Slicing
import Topology

extension Deployment {
  /// Every actor that runs here but the enclaves, validators first: the order in which they are best started. Asks the
  /// inputs for nothing that only other actors need.
  public func actors<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    let plans =
      try validators(inputs) + regulators(inputs) + edges(inputs) + domains(inputs) + controllers(inputs)
      + contractActors(inputs) + platforms(inputs) + customers(inputs)
    return plans.map(behaving)
  }

  private func validators<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    let names = topology.validatorNames
    return try names.compactMap { name -> ActorPlan? in
      guard inputs.runs(ActorAddress(.validator, name)) else { return nil }
      var configuration = ValidatorCore.Configuration(
        genesis: genesis, name: name, keys: try inputs.keyring.validatorKeys(of: name), peers: names)
      configuration.history = inputs.history
      return ActorPlan(ActorAddress(.validator, name), store: .records) { [configuration] in
        try ValidatorCore(configuration, recovering: $0)
      }
    }
  }

  private func edges<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    try topology.operators.flatMap { networkOperator in
      try networkOperator.edges.filter { inputs.runs(ActorAddress(.edge, $0.name)) }.map { edge in
        let name = KeyName(.edge, edge.name)
        guard let ports = inputs.edgePorts[edge.name] else {
          throw MissingInput(description: "ports of edge \(edge.name)")
        }
        let configuration = EdgeCore.Configuration(
          name: edge.name, network: genesis.networkID, controller: ActorAddress(.controller, networkOperator.name),
          key: try inputs.keyring.signingKey(name), agreementKey: try inputs.keyring.agreementKey(name),
          networkPort: ports.network, endpointPort: ports.endpoint, clock: inputs.clock,
          impairment: edge.impairment.map { PathImpairment($0) }, seed: topology.seed)
        return ActorPlan(
          ActorAddress(.edge, edge.name), store: .records, ports: [ports.network, ports.endpoint]
        ) { try EdgeCore(configuration, recovering: $0) }
      }
    }
  }

  private func controllers<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    try topology.operators.compactMap { networkOperator in
      let name = networkOperator.name
      let address = ActorAddress(.controller, name)
      guard inputs.runs(address) else { return nil }
      let configuration = ControllerCore.Configuration(
        name: name, genesis: genesis, organisation: keys.organisation(name),
        key: try inputs.keyring.signingKey(KeyName(.controller, name)), validators: validators(preferring: name),
        contracts: contracts.filter { $0.reference.operatorName == name }.map(\.terms),
        substrate: try Slicing.Substrate(networkOperator.substrate),
        edges: networkOperator.edges.map {
          ControllerCore.EdgePlace(
            address: ActorAddress(.edge, $0.name), key: keys[KeyName(.edge, $0.name)], cells: $0.cells,
            peers: $0.endpoints)
        },
        domains: networkOperator.domains.map {
          ControllerCore.DomainPlace(
            domain: ResourceDomain($0), address: ActorAddress(.domain, networkOperator.managerName(of: $0)))
        },
        maintenance: networkOperator.maintenance.map { planned($0) },
        entropy: inputs.entropy(address))
      return ActorPlan(address, store: .controller) { try ControllerCore(configuration, recovering: $0) }
    }
  }

  private func planned(_ maintenance: Topology.Maintenance) -> ControllerCore.PlannedMaintenance {
    let window = TimeWindow(from: genesis.time + maintenance.window.from, to: genesis.time + maintenance.window.to)
    return ControllerCore.PlannedMaintenance(
      Maintenance(window: window, cells: maintenance.cells), notBefore: genesis.time + maintenance.at)
  }

  private func domains<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    try topology.operators.flatMap { networkOperator -> [ActorPlan] in
      try networkOperator.domains.compactMap { domain -> ActorPlan? in
        let address = ActorAddress(.domain, networkOperator.managerName(of: domain))
        guard inputs.runs(address) else { return nil }
        let configuration = DomainCore.Configuration(
          name: address.name, domain: ResourceDomain(domain),
          controller: ActorAddress(.controller, networkOperator.name),
          substrate: try Slicing.Substrate(networkOperator.substrate))
        return ActorPlan(address, store: .records) { try DomainCore(configuration, recovering: $0) }
      }
    }
  }

  /// Each beside its operator's controller.
  private func contractActors<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) -> [ActorPlan] {
    contracts.compactMap { reference, terms in
      guard inputs.runs(ActorAddress(.controller, reference.operatorName)) else { return nil }
      let configuration = ContractCore.Configuration(
        genesis: genesis, terms: terms, validators: validators(preferring: reference.operatorName),
        owner: ActorAddress(.controller, reference.operatorName))
      return ActorPlan(.contract(terms.id), store: .none) { _ in ContractCore(configuration) }
    }
  }

  private func platforms<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    var plans: [ActorPlan] = []
    for customer in topology.customers {
      for enclave in customer.enclaves {
        guard let identity = inputs.enclaves[enclave.name] else { continue }
        let configuration = PlatformCore.Configuration(
          name: enclave.name, genesis: genesis,
          platformKey: try inputs.keyring.signingKey(KeyName(.platform, customer.name)),
          measurement: inputs.measurement, receiptKey: identity.receiptKey,
          bootCount: inputs.bootCounts[enclave.name] ?? 1)
        plans.append(
          ActorPlan(ActorAddress(.platform, enclave.name), store: .none) { _ in PlatformCore(configuration) })
      }
    }
    return plans
  }
}

extension PathImpairment {
  init(_ impairment: Topology.Impairment) {
    self.init(
      loss: impairment.loss, delay: impairment.delay, jitter: impairment.jitter, rate: impairment.rate,
      direction: impairment.direction)
  }
}
