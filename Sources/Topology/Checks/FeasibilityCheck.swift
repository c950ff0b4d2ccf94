import Messages

/// Whether the slices of an offer can exist at all: for every cell of its area and every peer it allows, some path of
/// the empty substrate carries the guaranteed rates through the chain of functions. Delay and loss are left to the
/// controller's search, which knows the calendar too; what fails here can never succeed.
extension TopologyCheck {
  /// - Parameters:
  ///   - pointer: of the operator.
  ///   - number: the contract's place in the operator's list.
  ///   - paths: look for paths too; pointless when the substrate or the edges have errors of their own.
  mutating func checkFeasibility(
    of contract: Topology.Contract, at networkOperator: Topology.Operator, _ pointer: String, contract number: Int,
    paths: Bool
  ) {
    let basis = ["\(pointer)/substrate", "\(pointer)/edges"]
    let pointer = "\(pointer)/contracts/\(number)"
    let cells = contract.context.serviceArea
    let peers = contract.context.allowedPeers
    let graph = FeasibilityGraph(networkOperator.substrate)
    let before = findings.count
    for (index, cell) in cells.enumerated() {
      let pointer = "\(pointer)/context/serviceArea/\(index)"
      if graph.attachment(of: cell) != .cell {
        error(
          pointer, "cell '\(cell)' is not attached to the substrate of \(networkOperator.name); add it there",
          basis: basis)
      } else if networkOperator.edge(serving: cell) == nil {
        error(
          pointer, "no edge of \(networkOperator.name) serves cell '\(cell)'; add it to an edge's 'cells'",
          basis: basis)
      }
    }
    for (index, peer) in peers.enumerated() {
      let isEndpoint = graph.attachment(of: peer) == .endpoint
      let isCustomer = customerNames.contains(peer)
      let pointer = "\(pointer)/context/allowedPeers/\(index)"
      require(
        isEndpoint || isCustomer, pointer,
        "peer '\(peer)' is neither an endpoint of the substrate of \(networkOperator.name) nor a customer; add it",
        basis: basis + ["/customers"])
      require(
        !isEndpoint || !isCustomer, pointer,
        "peer '\(peer)' is both an endpoint and a customer; call one of them differently", basis: basis)
    }
    for (index, kind) in contract.service.functionChain.enumerated() where !graph.hosts(kind) {
      error(
        "\(pointer)/service/functionChain/\(index)",
        "no node of \(networkOperator.name) can run '\(kind)'; add it to a node's functions, with compute units",
        basis: basis)
    }
    guard paths, findings.count == before else { return }
    if peers.contains(where: customerNames.contains) {
      checkPathsBetweenCells(cells, graph, contract.service, pointer, basis: basis)
    }
    for (peerIndex, peer) in peers.enumerated() where !customerNames.contains(peer) {
      let reached = graph.cells(reaching: peer, with: contract.service)
      for (index, cell) in cells.enumerated() {
        if networkOperator.edge(serving: cell)?.endpoints.contains(peer) != true {
          error(
            "\(pointer)/context/allowedPeers/\(peerIndex)",
            "the edge that serves cell '\(cell)' does not terminate '\(peer)'; add it to that edge's 'endpoints'",
            basis: basis)
        } else if !reached.contains(cell) {
          error(
            "\(pointer)/context/serviceArea/\(index)",
            "no path from '\(cell)' to '\(peer)' carries the guaranteed rates through the function chain; "
              + "add links or capacity, or guarantee less", basis: basis + ["\(pointer)/service"])
        }
      }
    }
  }

  /// Either end of a flow between customers may be in any cell of the area.
  private mutating func checkPathsBetweenCells(
    _ cells: [String], _ graph: FeasibilityGraph, _ service: ServiceTerms, _ pointer: String, basis: [String]
  ) {
    for (index, cell) in cells.enumerated() {
      let reached = graph.cells(reaching: cell, with: service)
      guard let other = cells.first(where: { !reached.contains($0) }) else { continue }
      error(
        "\(pointer)/context/serviceArea/\(index)",
        "no path from '\(other)' to '\(cell)' carries the guaranteed rates through the function chain; "
          + "add links or capacity, or guarantee less", basis: basis + ["\(pointer)/service"])
    }
  }
}

/// The substrate with nothing reserved, for reachability only.
struct FeasibilityGraph {
  private let nodes: [Topology.Node]
  private let numbers: [String: Int]
  /// Ways *into* each node.
  private let ways: [[Way]]
  /// Kinds that some node has the compute units to run.
  private let kinds: Set<String>

  private struct Way {
    let from: Int
    let capacityUp: UInt64
    let capacityDown: UInt64
  }

  init(_ substrate: Topology.Substrate) {
    nodes = substrate.nodes
    numbers = Dictionary(
      substrate.nodes.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    var ways = [[Way]](repeating: [], count: substrate.nodes.count)
    for link in substrate.links {
      guard let from = numbers[link.from], let to = numbers[link.to] else { continue }
      ways[to].append(Way(from: from, capacityUp: link.forwardCapacity, capacityDown: link.backwardCapacity))
      ways[from].append(Way(from: to, capacityUp: link.backwardCapacity, capacityDown: link.forwardCapacity))
    }
    self.ways = ways
    kinds = Set(substrate.nodes.flatMap { node in node.functions.filter(node.canRun).map(\.kind) })
  }

  func hosts(_ kind: String) -> Bool { kinds.contains(kind) }

  func attachment(of name: String) -> Topology.Node.Attachment? { numbers[name].map { nodes[$0].attachment } }

  /// Cells from which a path leads to the peer through the whole chain, wide enough both ways on every link. Searched
  /// from the peer, because offers have many cells and few peers.
  func cells(reaching peer: String, with service: ServiceTerms) -> Set<String> {
    guard let start = numbers[peer] else { return [] }
    let chain = service.functionChain
    // A place is a node and how many functions of the chain are still to be passed before it.
    var seen = [Bool](repeating: false, count: nodes.count * (chain.count + 1))
    var stack = [(node: start, left: chain.count)]
    seen[start * (chain.count + 1) + chain.count] = true
    var reached: Set<String> = []
    while let (node, left) = stack.popLast() {
      if left == 0, nodes[node].attachment == .cell { reached.insert(nodes[node].name) }
      func visit(_ next: Int, _ left: Int) {
        let place = next * (chain.count + 1) + left
        guard !seen[place] else { return }
        seen[place] = true
        stack.append((next, left))
      }
      if left > 0, nodes[node].functions.contains(where: { $0.kind == chain[left - 1] && nodes[node].canRun($0) }) {
        visit(node, left - 1)
      }
      for way in ways[node]
      where way.capacityUp >= service.guaranteedUp && way.capacityDown >= service.guaranteedDown {
        visit(way.from, left)
      }
    }
    return reached
  }
}

extension Topology.Node {
  func canRun(_ function: Topology.Function) -> Bool { function.computeUnits <= computeUnits }
}
