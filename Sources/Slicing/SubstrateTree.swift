import Messages

/// The paper's evaluation network (§4.2): a tree of core, aggregation and edge switches with users at the leaves.
/// Cores form a full mesh, one endpoint stands behind all of them, and each edge serves one cell.
///
/// Names count from 1: `endpoint`, `core-1`, `aggregation-1-2` (the second below `core-1`), `edge-1-2-3`, `cell-1-2-3`.
public struct SubstrateTree: Hashable, Sendable {
  /// One kind of link, both directions alike.
  public struct LinkClass: Hashable, Sendable {
    public var capacity: UInt64
    public var delay: Span
    /// Parts per billion.
    public var loss: UInt32
    public var cost: UInt64

    public init(capacity: UInt64, delay: Span, loss: UInt32, cost: UInt64) {
      self.capacity = capacity
      self.delay = delay
      self.loss = loss
      self.cost = cost
    }
  }

  /// One layer's nodes.
  public struct NodeClass: Hashable, Sendable {
    public var computeUnits: UInt64
    public var functions: [HostedFunction]

    public init(computeUnits: UInt64, functions: [HostedFunction]) {
      self.computeUnits = computeUnits
      self.functions = functions
    }
  }

  public var cores: Int
  public var aggregationsPerCore: Int
  public var edgesPerAggregation: Int
  /// Aggregations also reach the next core, edges also the next aggregation of the same core: a path can then go
  /// round what is full.
  public var dualHomed: Bool

  public var core: NodeClass
  public var aggregation: NodeClass
  public var edge: NodeClass

  public var endpointLinks: LinkClass
  public var coreLinks: LinkClass
  public var aggregationLinks: LinkClass
  public var edgeLinks: LinkClass
  /// Between a cell and its edge.
  public var radioLinks: LinkClass

  public init(
    cores: Int, aggregationsPerCore: Int, edgesPerAggregation: Int, dualHomed: Bool, core: NodeClass,
    aggregation: NodeClass, edge: NodeClass, endpointLinks: LinkClass, coreLinks: LinkClass,
    aggregationLinks: LinkClass, edgeLinks: LinkClass, radioLinks: LinkClass
  ) {
    self.cores = cores
    self.aggregationsPerCore = aggregationsPerCore
    self.edgesPerAggregation = edgesPerAggregation
    self.dualHomed = dualHomed
    self.core = core
    self.aggregation = aggregation
    self.edge = edge
    self.endpointLinks = endpointLinks
    self.coreLinks = coreLinks
    self.aggregationLinks = aggregationLinks
    self.edgeLinks = edgeLinks
    self.radioLinks = radioLinks
  }

  public static let endpointName = "endpoint"
  public static func cellName(_ core: Int, _ aggregation: Int, _ edge: Int) -> String {
    "cell-\(core)-\(aggregation)-\(edge)"
  }

  public func substrate() throws(SubstrateError) -> Substrate {
    for count in [cores, aggregationsPerCore, edgesPerAggregation]
    where !(1...Substrate.maximumNodes).contains(count) {
      throw .outOfRange(element: "tree", field: "size")
    }
    let leaves = cores.multipliedReportingOverflow(by: aggregationsPerCore * edgesPerAggregation)
    guard !leaves.overflow, leaves.partialValue <= Substrate.maximumNodes else {
      throw .tooMany("nodes", limit: Substrate.maximumNodes)
    }
    // A full mesh grows with the square of its size; checked before it is built.
    guard cores * cores <= Substrate.maximumLinks else { throw .tooMany("links", limit: Substrate.maximumLinks) }
    var builder = TreeBuilder(tree: self)
    builder.build()
    return try Substrate(nodes: builder.nodes, links: builder.links)
  }
}

private struct TreeBuilder {
  let tree: SubstrateTree
  var nodes: [SubstrateNode] = []
  var links: [SubstrateLink] = []

  init(tree: SubstrateTree) { self.tree = tree }

  mutating func build() {
    let endpoint = add(SubstrateNode(name: SubstrateTree.endpointName, domain: .compute, attachment: .endpoint))
    let cores = (1...tree.cores).map { add("core-\($0)", .transport, tree.core) }
    for (index, core) in cores.enumerated() {
      connect(core, endpoint, .compute, tree.endpointLinks)
      for other in cores[..<index] { connect(other, core, .transport, tree.coreLinks) }
    }
    for (index, core) in cores.enumerated() {
      addAggregations(below: core, number: index + 1, next: cores[(index + 1) % cores.count])
    }
  }

  private mutating func addAggregations(below core: NodeID, number: Int, next: NodeID) {
    let aggregations = (1...tree.aggregationsPerCore).map {
      add("aggregation-\(number)-\($0)", .transport, tree.aggregation)
    }
    for (index, aggregation) in aggregations.enumerated() {
      connect(aggregation, core, .transport, tree.aggregationLinks)
      if tree.dualHomed && next != core { connect(aggregation, next, .transport, tree.aggregationLinks) }
      let sibling = aggregations[(index + 1) % aggregations.count]
      for edgeNumber in 1...tree.edgesPerAggregation {
        let edge = add("edge-\(number)-\(index + 1)-\(edgeNumber)", .transport, tree.edge)
        connect(edge, aggregation, .transport, tree.edgeLinks)
        if tree.dualHomed && sibling != aggregation { connect(edge, sibling, .transport, tree.edgeLinks) }
        let name = SubstrateTree.cellName(number, index + 1, edgeNumber)
        let cell = add(SubstrateNode(name: name, domain: .radio, attachment: .cell))
        connect(cell, edge, .radio, tree.radioLinks)
      }
    }
  }

  private mutating func add(_ name: String, _ domain: ResourceDomain, _ node: SubstrateTree.NodeClass) -> NodeID {
    add(SubstrateNode(name: name, domain: domain, computeUnits: node.computeUnits, functions: node.functions))
  }

  private mutating func add(_ node: SubstrateNode) -> NodeID {
    nodes.append(node)
    return NodeID(nodes.count - 1)
  }

  private mutating func connect(_ from: NodeID, _ to: NodeID, _ domain: ResourceDomain, _ link: SubstrateTree.LinkClass)
  {
    links.append(
      SubstrateLink(
        from: from, to: to, domain: domain, forwardCapacity: link.capacity, backwardCapacity: link.capacity,
        delay: link.delay, loss: link.loss, cost: link.cost))
  }
}
