import Messages
import Roles
import Signing
import Topology

extension Deployment {
  func customers<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    let controllers = topology.operators.map { (keys.organisation($0.name), ActorAddress(.controller, $0.name)) }
    let edges = topology.operators.flatMap(\.edges).map {
      (keys[KeyName(.edge, $0.name)], ActorAddress(.edge, $0.name))
    }
    let directory = Directory(genesis)
    var configurations = try topology.customers.enumerated().compactMap {
      (index, customer) -> CustomerCore.Configuration? in
      let address = ActorAddress(.customer, customer.name)
      guard inputs.runs(address) else { return nil }
      let port = inputs.customerPorts[customer.name] ?? .loopback(port: 0)
      return CustomerCore.Configuration(
        name: customer.name, genesis: genesis, directory: directory,
        treasuryKey: try inputs.keyring.signingKey(KeyName(.treasury, customer.name)),
        validators: validators(preferring: preferredValidator(ofCustomer: index)),
        plan: try customer.activations.map { try planned($0) },
        acceptances: try customer.accepts.map { try accepted($0, by: customer) },
        controllers: Dictionary(uniqueKeysWithValues: controllers), edges: Dictionary(uniqueKeysWithValues: edges),
        hostPort: port, enclavePorts: inputs.enclavePorts, entropy: inputs.entropy(address))
    }
    if inputs.sharesReading { share(&configurations) }
    return configurations.map { configuration in
      let isTold = if case .isTold = configuration.ledger { true } else { false }
      return ActorPlan(
        ActorAddress(.customer, configuration.name), store: .records, ports: [configuration.hostPort],
        isToldOfLedger: isTold
      ) { try CustomerCore(configuration, recovering: $0) }
    }
  }

  /// The first reads for all.
  private func share(_ configurations: inout [CustomerCore.Configuration]) {
    guard configurations.count > 1 else { return }
    configurations[0].ledger = .reads(others: configurations.dropFirst().map(\.reader))
    for index in configurations.indices.dropFirst() { configurations[index].ledger = .isTold }
  }

  private func planned(_ activation: Topology.Activation) throws -> PlannedActivation {
    PlannedActivation(
      label: activation.name, offer: try offer(activation.offer), at: activation.at, startAfter: activation.startIn,
      startWithin: activation.startWithin, epochs: activation.epochs, cell: activation.cell, peer: activation.peer,
      enclave: activation.enclave, far: farEnd(of: activation), up: activation.up, down: activation.down,
      stray: activation.stray, moves: activation.moves.map { PlannedMove($0) },
      amendments: try activation.amendments.map { try amendment($0) }, terminateAfter: activation.terminateAfter)
  }

  private func offer(_ choice: Topology.OfferChoice) throws -> OfferChoice {
    switch choice {
    case .contract(let reference): .contract(try known(reference))
    case .cheapest(let wish):
      .cheapest(
        OfferWish(
          profile: wish.service, throughputUp: wish.up, throughputDown: wish.down, duration: wish.duration,
          priceAtMost: wish.maximumPrice))
    }
  }

  private func farEnd(of activation: Topology.Activation) -> PlannedFarEnd? {
    topology.acceptance(of: activation).map { customer, acceptance in
      PlannedFarEnd(
        customer: ActorAddress(.customer, customer.name), enclave: ActorAddress(.enclave, acceptance.enclave))
    }
  }

  private func amendment(_ amendment: Topology.Amendment) throws -> PlannedAmendment {
    switch amendment.change {
    case .extend: PlannedAmendment(.extend, at: amendment.epoch, epochs: amendment.epochs)
    case .renegotiate(let reference):
      PlannedAmendment(.renegotiate(try known(reference)), at: amendment.epoch, epochs: amendment.epochs)
    }
  }

  private func accepted(_ acceptance: Topology.Acceptance, by customer: Topology.Customer) throws -> AcceptedFlow {
    guard let (payer, activation) = topology.activation(named: acceptance.activation) else {
      throw MissingInput(description: "activation \(acceptance.activation), which \(customer.name) accepts")
    }
    return AcceptedFlow(
      label: acceptance.activation, payer: keys.organisation(payer.name),
      contracts: try termsOffered(to: activation, peer: customer.name), cell: acceptance.cell,
      enclave: acceptance.enclave, nearEnclave: ActorAddress(.enclave, activation.enclave),
      traffic: acceptance.traffic, moves: acceptance.moves.map { PlannedMove($0) })
  }

  /// Every contract that the activation may be ordered or go on under.
  private func termsOffered(to activation: Topology.Activation, peer: String) throws -> [ContractTerms] {
    let first =
      switch try offer(activation.offer) {
      case .contract(let terms): [terms]
      case .cheapest: contracts.map(\.terms).filter { $0.context.allowedPeers.contains(peer) }
      }
    return try first
      + activation.amendments.compactMap { change in
        if case .renegotiate(let reference) = change.change { try known(reference) } else { nil }
      }
  }

  private func known(_ reference: Topology.ContractReference) throws -> ContractTerms {
    guard let terms = terms(reference) else { throw MissingInput(description: "contract \(reference)") }
    return terms
  }
}

extension PlannedMove {
  init(_ move: Topology.Move) { self.init(epoch: move.epoch, cell: move.cell) }
}
