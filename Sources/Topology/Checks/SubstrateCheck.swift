import Messages

/// Nodes, links and edge monitors of one operator.
extension TopologyCheck {
  mutating func checkSubstrate(_ networkOperator: Topology.Operator, _ pointer: String) {
    let substrate = networkOperator.substrate
    let pointer = "\(pointer)/substrate"
    require(
      substrate.nodes.count <= Topology.Substrate.maximumNodes, "\(pointer)/nodes",
      "more than \(Topology.Substrate.maximumNodes) nodes; split the substrate")
    require(
      substrate.links.count <= Topology.Substrate.maximumLinks, "\(pointer)/links",
      "more than \(Topology.Substrate.maximumLinks) links; split the substrate")
    checkUnique(substrate.nodes.enumerated().map { ($1.name, "\(pointer)/nodes/\($0)/name") }, "node")
    for (index, node) in substrate.nodes.enumerated() { checkNode(node, "\(pointer)/nodes/\(index)") }
    let names = Set(substrate.nodes.map(\.name))
    for (index, link) in substrate.links.enumerated() {
      checkLink(link, "\(pointer)/links/\(index)", nodes: names)
    }
  }

  private mutating func checkNode(_ node: Topology.Node, _ pointer: String) {
    checkName(node.name, "\(pointer)/name")
    require(
      node.computeUnits <= Topology.Substrate.maximumCapacity, "\(pointer)/computeUnits",
      "must be at most \(Topology.Substrate.maximumCapacity)")
    require(
      node.functions.count <= Topology.Node.maximumFunctions, "\(pointer)/functions",
      "a node runs at most \(Topology.Node.maximumFunctions) kinds of functions")
    checkUnique(node.functions.enumerated().map { ($1.kind, "\(pointer)/functions/\($0)/kind") }, "function")
    for (index, function) in node.functions.enumerated() {
      let pointer = "\(pointer)/functions/\(index)"
      checkName(function.kind, "\(pointer)/kind")
      require(
        function.computeUnits <= Topology.Substrate.maximumCapacity, "\(pointer)/computeUnits",
        "must be at most \(Topology.Substrate.maximumCapacity)")
      checkDelay(function.processingDelay, "\(pointer)/processingDelay")
      checkCost(function.cost, "\(pointer)/cost")
    }
  }

  private mutating func checkLink(_ link: Topology.Link, _ pointer: String, nodes: Set<String>) {
    for (end, key) in [(link.from, "from"), (link.to, "to")] {
      require(nodes.contains(end), "\(pointer)/\(key)", "no node is called '\(end)'; add it to 'nodes'")
    }
    require(link.from != link.to, "\(pointer)/to", "a link joins two nodes; name another one")
    let most = Topology.Substrate.maximumCapacity
    require(
      link.forwardCapacity <= most && link.backwardCapacity <= most, "\(pointer)/capacity",
      "must be at most \(most) bit/s")
    require(link.forwardCapacity > 0, "\(pointer)/capacity", "a link that carries nothing is no link; remove it")
    checkDelay(link.delay, "\(pointer)/delay")
    require(link.loss < Quantity.one, "\(pointer)/loss", "a link that loses everything is no link; remove it")
    checkCost(link.cost, "\(pointer)/cost")
  }

  private mutating func checkDelay(_ delay: Span, _ pointer: String) {
    require(
      Span.zero <= delay && delay <= Topology.Substrate.maximumDelay, pointer,
      "must be at most \(Topology.Substrate.maximumDelay.nanoseconds / 1_000_000_000)s")
  }

  private mutating func checkCost(_ cost: UInt64, _ pointer: String) {
    require(cost <= Topology.Substrate.maximumCost, pointer, "must be at most \(Topology.Substrate.maximumCost)")
  }

  // MARK: Edge monitors

  /// Validator, controller and treasury keys come first; the rest of an organisation's keys can be edges.
  static let maximumEdges = Organisation.maximumKeys - 3

  mutating func checkEdges(_ networkOperator: Topology.Operator, _ pointer: String) {
    require(
      networkOperator.edges.count <= Self.maximumEdges, "\(pointer)/edges",
      "an operator has at most \(Self.maximumEdges) edges")
    let nodes = networkOperator.substrate.nodes
    let cells = Set(nodes.filter { $0.attachment == .cell }.map(\.name))
    let endpoints = Set(nodes.filter { $0.attachment == .endpoint }.map(\.name))
    var servedBy: [String: String] = [:]
    for (index, edge) in networkOperator.edges.enumerated() {
      let pointer = "\(pointer)/edges/\(index)"
      require(!edge.cells.isEmpty, "\(pointer)/cells", "an edge serves at least one cell; name one")
      for (index, cell) in edge.cells.enumerated() {
        let pointer = "\(pointer)/cells/\(index)"
        require(cells.contains(cell), pointer, "the substrate has no cell '\(cell)'; add it there, or correct the name")
        if let other = servedBy.updateValue(edge.name, forKey: cell) {
          error(pointer, "cell '\(cell)' is served by edge '\(other)' already; a cell has one edge")
        }
      }
      checkUnique(edge.endpoints.enumerated().map { ($1, "\(pointer)/endpoints/\($0)") }, "endpoint")
      for (index, endpoint) in edge.endpoints.enumerated() {
        require(
          endpoints.contains(endpoint), "\(pointer)/endpoints/\(index)",
          "the substrate has no endpoint '\(endpoint)'; add it there, or correct the name")
      }
      if let impairment = edge.impairment { checkImpairment(impairment, "\(pointer)/impairment") }
    }
  }

  private mutating func checkImpairment(_ impairment: Topology.Impairment, _ pointer: String) {
    require(impairment.loss <= Quantity.one, "\(pointer)/loss", "must be at most 1")
    checkDelay(impairment.delay, "\(pointer)/delay")
    checkDelay(impairment.jitter, "\(pointer)/jitter")
    require(impairment.rate != 0, "\(pointer)/rate", "a path that carries nothing: write 'loss: 1' instead")
  }
}
