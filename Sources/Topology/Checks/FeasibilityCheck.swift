import Messages

/// Whether the slices of an offer can exist at all: for every cell of its area and every peer it allows, some path of
/// the empty substrate carries the guaranteed rates through the chain of functions. Delay and loss are left to the
/// controller's search, which knows the calendar too; what fails here can never succeed.
extension TopologyCheck {
  mutating func checkFeasibility(
    of contract: Topology.Contract, at networkOperator: Topology.Operator, _ pointer: String
  ) {
    let cells = contract.context.serviceArea
    let peers = contract.context.allowedPeers
    let graph = FeasibilityGraph(networkOperator.substrate)
    let before = findings.count
    for (index, cell) in cells.enumerated() {
      let pointer = "\(pointer)/context/serviceArea/\(index)"
      if graph.nodes[cell]?.attachment != .cell {
        error(pointer, "cell '\(cell)' is not attached to the substrate of \(networkOperator.name); add it there")
      } else if networkOperator.edge(serving: cell) == nil {
        error(pointer, "no edge of \(networkOperator.name) serves cell '\(cell)'; add it to an edge's 'cells'")
      }
    }
    for (index, peer) in peers.enumerated() where graph.nodes[peer]?.attachment != .endpoint {
      error(
        "\(pointer)/context/allowedPeers/\(index)",
        "peer '\(peer)' is not an endpoint of the substrate of \(networkOperator.name); add it there")
    }
    for (index, kind) in contract.service.functionChain.enumerated() where !graph.hosts(kind) {
      error(
        "\(pointer)/service/functionChain/\(index)",
        "no node of \(networkOperator.name) can run '\(kind)'; add it to a node's functions, with compute units")
    }
    guard findings.count == before else { return }
    for (index, cell) in cells.enumerated() {
      let reached = graph.endpoints(from: cell, for: contract.service)
      for (peerIndex, peer) in peers.enumerated() {
        if networkOperator.edge(serving: cell)?.endpoints.contains(peer) != true {
          error(
            "\(pointer)/context/allowedPeers/\(peerIndex)",
            "the edge that serves cell '\(cell)' does not terminate '\(peer)'; add it to that edge's 'endpoints'")
        } else if !reached.contains(peer) {
          error(
            "\(pointer)/context/serviceArea/\(index)",
            "no path from '\(cell)' to '\(peer)' carries the guaranteed rates through the function chain; "
              + "add links or capacity, or guarantee less")
        }
      }
    }
  }
}

/// The substrate with nothing reserved, for reachability only.
struct FeasibilityGraph {
  let nodes: [String: Topology.Node]
  /// Ways out of each node, in the order of the file.
  private let ways: [String: [Way]]
  /// Kinds that some node has the compute units to run.
  private let kinds: Set<String>

  private struct Way {
    let to: String
    let capacityAlong: UInt64
    let capacityBack: UInt64
  }

  init(_ substrate: Topology.Substrate) {
    nodes = Dictionary(substrate.nodes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var ways: [String: [Way]] = [:]
    for link in substrate.links {
      ways[link.from, default: []].append(
        Way(to: link.to, capacityAlong: link.forwardCapacity, capacityBack: link.backwardCapacity))
      ways[link.to, default: []].append(
        Way(to: link.from, capacityAlong: link.backwardCapacity, capacityBack: link.forwardCapacity))
    }
    self.ways = ways
    kinds = Set(substrate.nodes.flatMap { node in node.functions.filter(node.canRun).map(\.kind) })
  }

  func hosts(_ kind: String) -> Bool { kinds.contains(kind) }

  private struct Place: Hashable {
    let node: String
    /// Functions of the chain already passed.
    let passed: Int
  }

  /// Endpoints that a path reaches after passing the whole chain, wide enough both ways on every link.
  func endpoints(from cell: String, for service: ServiceTerms) -> Set<String> {
    var seen: Set<Place> = [Place(node: cell, passed: 0)]
    var queue = [Place(node: cell, passed: 0)]
    var reached: Set<String> = []
    while let place = queue.popLast() {
      guard let node = nodes[place.node] else { continue }
      if place.passed == service.functionChain.count, node.attachment == .endpoint { reached.insert(place.node) }
      var next: [Place] = []
      if place.passed < service.functionChain.count,
        node.functions.contains(where: { $0.kind == service.functionChain[place.passed] && node.canRun($0) })
      {
        next.append(Place(node: place.node, passed: place.passed + 1))
      }
      for way in ways[place.node] ?? []
      where way.capacityAlong >= service.guaranteedUp && way.capacityBack >= service.guaranteedDown {
        next.append(Place(node: way.to, passed: place.passed))
      }
      queue += next.filter { seen.insert($0).inserted }
    }
    return reached
  }
}

extension Topology.Node {
  func canRun(_ function: Topology.Function) -> Bool { function.computeUnits <= computeUnits }
}
