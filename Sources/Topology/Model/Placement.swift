import Messages

/// Which node every actor of a topology runs in. Every process that reads the file comes to the same placement.
public struct Placement: Hashable, Sendable {
  /// A process that runs actors.
  public struct Node: Hashable, Sendable {
    public let name: String
    public let host: Topology.HostAddress
    /// The node listens at this TCP port and the ones after it, ``Placement/portsPerNode`` in all.
    public let port: UInt16
    /// Nobody here starts it: a foreign process that has the node's keys.
    public let isExternal: Bool
    /// In the order of ``Topology/actors``.
    public let actors: [ActorAddress]
  }

  /// In file order.
  public let nodes: [Node]
  private let numbers: [ActorAddress: Int]

  /// One for questions, one for publications.
  public static let portsPerNode: UInt16 = 2
  /// Ports of nodes that name none count up from here: below the range that Linux deals to outgoing connections.
  public static let firstPort: UInt16 = 24_740
  public static let maximumNodes = 2048

  /// The node that runs the actor; nil for actors that the topology does not have. A contract runs where its
  /// operator's controller does.
  public func node(of actor: ActorAddress) -> Node? { numbers[actor].map { nodes[$0] } }

  public func node(named name: String) -> Node? { nodes.first { $0.name == name } }
}

extension Topology {
  /// An actor, and the one it goes with unless the file places it.
  struct PlaceableActor: Hashable {
    let address: ActorAddress
    let follows: ActorAddress?

    init(_ role: ActorAddress.Role, _ name: String, follows leader: ActorAddress? = nil) {
      address = ActorAddress(role, name)
      follows = leader
    }
  }

  /// Every actor but contracts (they go with their controller) in file order, leaders before followers.
  var placeableActors: [PlaceableActor] {
    var actors: [PlaceableActor] = []
    for name in operators.map(\.name) + regulators.map(\.name) { actors.append(PlaceableActor(.validator, name)) }
    for regulator in regulators {
      let validator = ActorAddress(.validator, regulator.name)
      actors.append(PlaceableActor(.regulator, regulator.name, follows: validator))
    }
    for networkOperator in operators {
      let controller = ActorAddress(.controller, networkOperator.name)
      actors.append(PlaceableActor(.controller, networkOperator.name))
      for domain in networkOperator.domains {
        actors.append(PlaceableActor(.domain, networkOperator.managerName(of: domain), follows: controller))
      }
      actors += networkOperator.edges.map { PlaceableActor(.edge, $0.name) }
    }
    for customer in customers {
      let address = ActorAddress(.customer, customer.name)
      actors.append(PlaceableActor(.customer, customer.name))
      for enclave in customer.enclaves {
        actors.append(PlaceableActor(.enclave, enclave.name, follows: address))
        actors.append(PlaceableActor(.platform, enclave.name, follows: ActorAddress(.enclave, enclave.name)))
      }
    }
    return actors
  }

  /// Every actor but contracts, in file order.
  public var actors: [ActorAddress] { placeableActors.map(\.address) }

  /// What runs where: as `nodes:` says, or, when the file has no such section, each actor in a node of its own
  /// together with what goes with it. Customers whose enclaves share a process share a node, which starts that.
  public var placement: Placement { PlacementResolution(self).placement }
}

/// Works out a placement, and on the way what is wrong with it.
struct PlacementResolution {
  /// An actor that two entries claim.
  struct Conflict {
    let actor: ActorAddress
    let node: Int
    let pattern: Int
    let firstNode: Int
  }

  private(set) var conflicts: [Conflict] = []
  private(set) var unplaced: [ActorAddress] = []
  /// (node, pattern) of patterns that fit no actor.
  private(set) var idle: [(node: Int, pattern: Int)] = []
  let placement: Placement

  init(_ topology: Topology) {
    let actors = topology.placeableActors
    let entries = topology.nodes.isEmpty ? topology.derivedNodes(actors) : topology.nodes
    var numbers: [ActorAddress: Int] = [:]
    for (node, entry) in entries.enumerated() {
      for (index, pattern) in entry.actors.enumerated() {
        var isIdle = true
        for actor in actors where actor.address.role != .platform && pattern.fits(actor.address) {
          isIdle = false
          if let first = numbers[actor.address], first != node {
            conflicts.append(Conflict(actor: actor.address, node: node, pattern: index, firstNode: first))
          } else {
            numbers[actor.address] = node
          }
        }
        if isIdle { idle.append((node, index)) }
      }
    }
    for actor in actors where numbers[actor.address] == nil {
      if let leader = actor.follows {
        numbers[actor.address] = numbers[leader]
      } else {
        unplaced.append(actor.address)
      }
    }
    placement = Placement(entries, actors.map(\.address), numbers)
  }
}

extension Topology {
  /// A node for every actor that follows nobody; of customers who share a node, under the name of the first.
  fileprivate func derivedNodes(_ actors: [PlaceableActor]) -> [ActorNode] {
    let hosts = nodeSharers()
    var nodes: [ActorNode] = []
    var numbers: [ActorAddress: Int] = [:]
    for actor in actors where actor.follows == nil {
      let address = actor.address
      let pattern = ActorPattern(role: address.role, names: .exactly(address.name))
      if let first = hosts[address], let number = numbers[first] {
        nodes[number].actors.append(pattern)
        continue
      }
      let name = "\(address.role.rawValue)-\(address.name)"
      numbers[address] = nodes.count
      nodes.append(
        ActorNode(name: ActorAddress.isLegal(name: name) ? name : "node-\(nodes.count + 1)", actors: [pattern]))
    }
    return nodes
  }

  /// For customers whose enclaves share a process with an earlier customer's, directly or through others: the first of
  /// those.
  private func nodeSharers() -> [ActorAddress: ActorAddress] {
    // Number of the first customer of each process, and of each customer's own group: the least that it is linked to.
    var firstOfProcess: [String: Int] = [:]
    var first = Array(customers.indices)
    func root(_ number: Int) -> Int {
      var number = number
      while first[number] != number { number = first[number] }
      return number
    }
    for (number, customer) in customers.enumerated() {
      for enclave in customer.enclaves {
        let (one, other) = (root(firstOfProcess[enclave.process, default: number]), root(number))
        (first[max(one, other)], firstOfProcess[enclave.process]) = (min(one, other), min(one, other))
      }
    }
    var sharers: [ActorAddress: ActorAddress] = [:]
    for number in customers.indices where root(number) != number {
      sharers[ActorAddress(.customer, customers[number].name)] = ActorAddress(
        .customer, customers[root(number)].name)
    }
    return sharers
  }
}

extension Placement {
  fileprivate init(_ entries: [Topology.ActorNode], _ actors: [ActorAddress], _ numbers: [ActorAddress: Int]) {
    var placed = [[ActorAddress]](repeating: [], count: entries.count)
    for actor in actors {
      if let number = numbers[actor] { placed[number].append(actor) }
    }
    self.numbers = numbers
    nodes = entries.enumerated().map { index, entry in
      Node(
        name: entry.name, host: entry.host, port: entry.port ?? Self.port(ofNode: index), isExternal: entry.isExternal,
        actors: placed[index])
    }
  }

  static func port(ofNode index: Int) -> UInt16 {
    firstPort + UInt16(truncatingIfNeeded: index % maximumNodes) * portsPerNode
  }
}
