import Effects
import Enclave
import Messages
import Metering
import Roles
import Signing
import Slicing
import Topology

/// One actor of a deployment, ready to be made from whatever its store holds.
public struct ActorPlan: Sendable {
  public enum Store: Sendable, Hashable {
    /// The role keeps nothing.
    case none
    case records
    /// Slices and reservations are rows of the controller's database.
    case controller
  }

  public let address: ActorAddress
  public let store: Store
  /// Local ports whose datagrams this actor gets.
  public let ports: [DataAddress]
  /// - Throws: when the records cannot be this actor's; the text says what to do.
  public let make: @Sendable (_ recovering: [StoredRecord]) throws -> any RoleCore

  init(
    _ address: ActorAddress, store: Store, ports: [DataAddress] = [],
    make: @escaping @Sendable (_ recovering: [StoredRecord]) throws -> any RoleCore
  ) {
    self.address = address
    self.store = store
    self.ports = ports
    self.make = make
  }
}

/// What only the place where actors run can say: which they are, keys, randomness, ports and what was launched.
public struct RuntimeInputs<Keys: Keyring> {
  /// Whether an actor runs here.
  public var runs: (ActorAddress) -> Bool
  public var keyring: Keys
  /// 32 bytes for an actor, drawn anew for each life (a simulation: from its seed).
  public var entropy: (ActorAddress) -> [UInt8]
  /// Per edge: towards the enclaves, and the operator-side endpoint's own.
  public var edgePorts: [String: EdgePorts]
  /// Per customer: where its application sends and receives.
  public var customerPorts: [String: DataAddress]
  /// Per enclave that was launched here: what it reported.
  public var enclaves: [String: EnclaveIdentity]
  /// Per enclave, wherever it runs: where it takes its application's datagrams.
  public var enclavePorts: [String: DataAddress]
  /// What the launcher measured.
  public var measurement: Digest
  /// Per enclave: launches so far, this one included.
  public var bootCounts: [String: UInt64]
  /// What edges say about the clock they stamp with.
  public var clock: ClockQuality

  /// - Parameters:
  ///   - runs: nil where every actor runs.
  ///   - enclavePorts: nil where every enclave was launched.
  public init(
    runs: ((ActorAddress) -> Bool)? = nil, keyring: Keys, entropy: @escaping (ActorAddress) -> [UInt8],
    edgePorts: [String: EdgePorts], customerPorts: [String: DataAddress], enclaves: [String: EnclaveIdentity],
    enclavePorts: [String: DataAddress]? = nil, measurement: Digest, bootCounts: [String: UInt64], clock: ClockQuality
  ) {
    self.runs = runs ?? { _ in true }
    self.keyring = keyring
    self.entropy = entropy
    self.edgePorts = edgePorts
    self.customerPorts = customerPorts
    self.enclaves = enclaves
    self.enclavePorts = enclavePorts ?? enclaves.mapValues(\.applicationPort)
    self.measurement = measurement
    self.bootCounts = bootCounts
    self.clock = clock
  }
}

/// Whoever runs the actors did not say something that an actor needs: a fault of the program.
public struct MissingInput: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
}

public struct EdgePorts: Hashable, Sendable {
  public var network: DataAddress
  public var endpoint: DataAddress

  public init(network: DataAddress, endpoint: DataAddress) {
    self.network = network
    self.endpoint = endpoint
  }
}

extension Deployment {
  /// Every actor that runs here but the enclaves, validators first: the order in which they are best started. Asks the
  /// inputs for nothing that only other actors need.
  public func actors<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    try validators(inputs) + regulators(inputs) + edges(inputs) + controllers(inputs) + contractActors(inputs)
      + platforms(inputs) + customers(inputs)
  }

  private func validators<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    try genesis.members.enumerated().compactMap { index, member in
      guard inputs.runs(ActorAddress(.validator, member.name)) else { return nil }
      let configuration = ValidatorCore.Configuration(
        genesis: genesis, member: MemberIndex(index),
        key: try inputs.keyring.signingKey(KeyName(.validator, member.name)))
      return ActorPlan(ActorAddress(.validator, member.name), store: .records) {
        try ValidatorCore(configuration, recovering: $0)
      }
    }
  }

  private func regulators<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) -> [ActorPlan] {
    topology.regulators.filter { inputs.runs(ActorAddress(.regulator, $0.name)) }.map { regulator in
      let configuration = RegulatorCore.Configuration(
        name: regulator.name, genesis: genesis, validators: validators(preferring: regulator.name))
      return ActorPlan(ActorAddress(.regulator, regulator.name), store: .records) {
        try RegulatorCore(configuration, recovering: $0)
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
        entropy: inputs.entropy(address))
      return ActorPlan(address, store: .controller) { try ControllerCore(configuration, recovering: $0) }
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

  private func customers<Keys: Keyring>(_ inputs: RuntimeInputs<Keys>) throws -> [ActorPlan] {
    let controllers = topology.operators.map { (keys.organisation($0.name), ActorAddress(.controller, $0.name)) }
    let edges = topology.operators.flatMap(\.edges).map {
      (keys[KeyName(.edge, $0.name)], ActorAddress(.edge, $0.name))
    }
    return try topology.customers.enumerated().compactMap { index, customer in
      let address = ActorAddress(.customer, customer.name)
      guard inputs.runs(address) else { return nil }
      let port = inputs.customerPorts[customer.name] ?? .loopback(port: 0)
      let configuration = CustomerCore.Configuration(
        name: customer.name, genesis: genesis,
        treasuryKey: try inputs.keyring.signingKey(KeyName(.treasury, customer.name)),
        validators: validators(preferring: preferredValidator(ofCustomer: index)),
        plan: customer.activations.compactMap { planned($0) },
        controllers: Dictionary(uniqueKeysWithValues: controllers), edges: Dictionary(uniqueKeysWithValues: edges),
        hostPort: port, enclavePorts: inputs.enclavePorts, entropy: inputs.entropy(address))
      return ActorPlan(address, store: .records, ports: [port]) {
        try CustomerCore(configuration, recovering: $0)
      }
    }
  }

  private func planned(_ activation: Topology.Activation) -> PlannedActivation? {
    guard let terms = terms(activation.contract) else { return nil }
    return PlannedActivation(
      label: activation.name, offer: .contract(terms), at: activation.at, startWithin: activation.startWithin,
      epochs: activation.epochs, cell: activation.cell, peer: activation.peer, enclave: activation.enclave,
      up: Traffic(activation.up), down: Traffic(activation.down))
  }
}

extension PathImpairment {
  init(_ impairment: Topology.Impairment) {
    self.init(
      loss: impairment.loss, delay: impairment.delay, jitter: impairment.jitter, rate: impairment.rate,
      direction: impairment.direction)
  }
}

extension Traffic {
  init(_ traffic: Topology.Traffic) {
    self.init(packetsPerSecond: traffic.packetsPerSecond, payloadBytes: traffic.payloadBytes)
  }
}
