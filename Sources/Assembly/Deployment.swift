import Messages
import Roles
import Signing
import Slicing
import Topology

/// A topology made concrete: the genesis of its network, the terms of its contracts, and the configuration of every
/// actor. The one place where a topology file becomes cores; the node and the simulator both start from it.
public struct Deployment: Sendable {
  public let topology: Topology
  public let genesis: Genesis
  /// Public keys by name, for everybody.
  public let keys: KeyDirectory
  /// Terms by `operator/contract`, in file order.
  public let contracts: [(reference: Topology.ContractReference, terms: ContractTerms)]

  /// - Parameters:
  ///   - measurement: what `measurement: auto` stands for.
  public init(topology: Topology, genesis: Genesis, keys: KeyDirectory, measurement: Digest) {
    self.topology = topology
    self.genesis = genesis
    self.keys = keys
    var contracts: [(Topology.ContractReference, ContractTerms)] = []
    for networkOperator in topology.operators {
      for (number, contract) in networkOperator.contracts.enumerated() {
        contracts.append(
          (
            Topology.ContractReference(operatorName: networkOperator.name, contractName: contract.name),
            contract.terms(
              operatorID: keys.organisation(networkOperator.name), deploymentNumber: UInt64(number),
              start: genesis.time, measurements: [measurement])
          ))
      }
    }
    self.contracts = contracts
  }

  public func terms(_ reference: Topology.ContractReference) -> ContractTerms? {
    contracts.first { $0.reference == reference }?.terms
  }

  /// Every member's validator, in member order; then whoever prefers one asks it first.
  public func validators(preferring name: String? = nil) -> [ActorAddress] {
    let all = genesis.members.map { ActorAddress(.validator, $0.name) }
    guard let name, let index = all.firstIndex(where: { $0.name == name }) else { return all }
    return [all[index]] + all[..<index] + all[(index + 1)...]
  }

  /// The member a customer asks first: spread over the operators in file order.
  public func preferredValidator(ofCustomer index: Int) -> String {
    let voting = topology.operators.filter { !$0.observes }
    return voting[index % voting.count].name
  }
}

/// The public half of every key of a topology.
public struct KeyDirectory: Sendable {
  private let publicKeys: [KeyName: PublicKey]

  /// Derives every public key the topology needs.
  public init(_ topology: Topology, _ keyring: some Keyring) throws {
    var publicKeys: [KeyName: PublicKey] = [:]
    for name in Self.names(topology) { publicKeys[name] = try keyring.signingKey(name).publicKey }
    self.publicKeys = publicKeys
  }

  /// Reads every public key out of a network's genesis: what a node knows that has no secrets but its own.
  /// - Returns: nil when the genesis is not of this topology.
  public init?(_ topology: Topology, _ genesis: Genesis) {
    var publicKeys: [KeyName: PublicKey] = [:]
    var organisations = genesis.organisations[...]
    func take(_ name: String, _ roles: [(KeyName.Role, KeyRole)], edges: [String] = []) -> Bool {
      guard let organisation = organisations.popFirst(), organisation.name == name else { return false }
      publicKeys[KeyName(.organisation, name)] = PublicKey(value: organisation.id.value)
      for (role, enrolled) in roles {
        guard let key = organisation.keys.first(where: { $0.role == enrolled })?.key else { return false }
        publicKeys[KeyName(role, name)] = key
      }
      let edgeKeys = organisation.keys.filter { $0.role == .edge }.map(\.key)
      guard edgeKeys.count == edges.count else { return false }
      for (edge, key) in zip(edges, edgeKeys) { publicKeys[KeyName(.edge, edge)] = key }
      return true
    }
    for networkOperator in topology.operators {
      let roles: [(KeyName.Role, KeyRole)] = [
        (.validator, .validator), (.controller, .controller), (.treasury, .treasury),
      ]
      guard take(networkOperator.name, roles, edges: networkOperator.edges.map(\.name)) else { return nil }
    }
    for regulator in topology.regulators {
      guard take(regulator.name, [(.validator, .validator)]) else { return nil }
    }
    for customer in topology.customers {
      guard take(customer.name, [(.treasury, .treasury)]) else { return nil }
    }
    let owners = topology.customers.filter { !$0.enclaves.isEmpty }
    guard organisations.isEmpty, owners.count == genesis.platformKeys.count else { return nil }
    for (owner, key) in zip(owners, genesis.platformKeys) { publicKeys[KeyName(.platform, owner.name)] = key }
    self.publicKeys = publicKeys
    // Names are not all that a file says: money, members and parameters must be the genesis' own, too.
    let same = Genesis(
      topology, keys: self, salt: genesis.salt, scheme: genesis.signatureScheme ?? .ed25519, time: genesis.time)
    guard same == genesis else { return nil }
  }

  public subscript(_ name: KeyName) -> PublicKey { publicKeys[name] ?? PublicKey(value: .zero) }

  public func organisation(_ name: String) -> OrganisationID { OrganisationID(self[KeyName(.organisation, name)]) }

  /// Every key that a topology needs, in file order.
  public static func names(_ topology: Topology) -> [KeyName] {
    var names: [KeyName] = []
    for networkOperator in topology.operators {
      names += [
        KeyName(.organisation, networkOperator.name), KeyName(.validator, networkOperator.name),
        KeyName(.controller, networkOperator.name), KeyName(.treasury, networkOperator.name),
      ]
      names += networkOperator.edges.map { KeyName(.edge, $0.name) }
    }
    for regulator in topology.regulators {
      names += [KeyName(.organisation, regulator.name), KeyName(.validator, regulator.name)]
    }
    for customer in topology.customers {
      names += [KeyName(.organisation, customer.name), KeyName(.treasury, customer.name)]
      if !customer.enclaves.isEmpty { names.append(KeyName(.platform, customer.name)) }
    }
    return names
  }
}

extension Genesis {
  /// The genesis of a topology's network.
  /// - Parameter salt: 16 bytes, new for every fresh network.
  public init(_ topology: Topology, keys: KeyDirectory, salt: [UInt8], scheme: SignatureScheme, time: Instant) {
    var members: [Member] = []
    var organisations: [Organisation] = []
    for networkOperator in topology.operators {
      let name = networkOperator.name
      let id = keys.organisation(name)
      let validator = keys[KeyName(.validator, name)]
      if !networkOperator.observes {
        members.append(Member(name: name, key: validator, organisation: id, leads: true))
      }
      organisations.append(
        Organisation(
          id: id, name: name, kind: .networkOperator, credit: networkOperator.credit,
          keys: [
            Enrolment(key: validator, role: .validator),
            Enrolment(key: keys[KeyName(.controller, name)], role: .controller),
            Enrolment(key: keys[KeyName(.treasury, name)], role: .treasury),
          ] + networkOperator.edges.map { Enrolment(key: keys[KeyName(.edge, $0.name)], role: .edge) }))
    }
    for regulator in topology.regulators {
      let validator = keys[KeyName(.validator, regulator.name)]
      let id = keys.organisation(regulator.name)
      if !regulator.observes {
        members.append(Member(name: regulator.name, key: validator, organisation: id, leads: false))
      }
      organisations.append(
        Organisation(
          id: id, name: regulator.name, kind: .regulator, credit: 0,
          keys: [Enrolment(key: validator, role: .validator)]))
    }
    for customer in topology.customers {
      organisations.append(
        Organisation(
          id: keys.organisation(customer.name), name: customer.name, kind: .customer, credit: customer.credit,
          keys: [Enrolment(key: keys[KeyName(.treasury, customer.name)], role: .treasury)]))
    }
    self.init(
      salt: salt, scheme: scheme, time: time, parameters: topology.network, members: members,
      organisations: organisations,
      platformKeys: topology.customers.filter { !$0.enclaves.isEmpty }.map { keys[KeyName(.platform, $0.name)] })
  }
}
