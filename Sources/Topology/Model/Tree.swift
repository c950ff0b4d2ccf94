import Messages

extension Topology {
  /// The network of the paper's evaluation (§4.2): switches in core, aggregation and edge layers, users attaching
  /// at the leaves. A way to write a substrate down; ``substrate`` is what it means.
  ///
  ///     endpoint ─┬─ core-1 ─┬─ aggregation-1 ─┬─ edge-1-1 ── cell, cell …
  ///               └─ core-2 ─┤                 └─ edge-1-2 ── cell …
  ///                          └─ aggregation-2 ─── …
  ///
  /// Every endpoint hangs off every core, every core off every aggregation switch; edge switches have one parent.
  /// Cells are dealt to the edge switches in order, round and round.
  public struct Tree: Hashable, Sendable {
    public struct Link: Hashable, Sendable {
      /// bit/s in either direction.
      public var capacity: UInt64
      public var delay: Span
      /// Parts per billion.
      public var loss: UInt32
      public var cost: UInt64

      public init(capacity: UInt64, delay: Span, loss: UInt32 = 0, cost: UInt64 = 1) {
        self.capacity = capacity
        self.delay = delay
        self.loss = loss
        self.cost = cost
      }

      /// Stands in for a link that could not be read.
      static let substitute = Link(capacity: 0, delay: .zero)
    }

    /// One kind of switch.
    public struct Layer: Hashable, Sendable {
      /// In the edge layer: per aggregation switch. Otherwise: in all.
      public var switches: UInt64
      /// Of each switch.
      public var computeUnits: UInt64
      /// What each switch can run.
      public var functions: [Function]
      /// To the layer above; of the core: to the endpoints.
      public var uplink: Link

      public init(switches: UInt64, computeUnits: UInt64, functions: [Function], uplink: Link) {
        self.switches = switches
        self.computeUnits = computeUnits
        self.functions = functions
        self.uplink = uplink
      }

      static let substitute = Layer(switches: 1, computeUnits: 0, functions: [], uplink: .substitute)
    }

    public var cells: [String]
    public var endpoints: [String]
    /// From a cell to its edge switch.
    public var access: Link
    public var edge: Layer
    public var aggregation: Layer
    public var core: Layer

    /// Switches of one layer, at most (edge: of one aggregation switch).
    public static let maximumSwitches: UInt64 = 256

    public init(cells: [String], endpoints: [String], access: Link, edge: Layer, aggregation: Layer, core: Layer) {
      self.cells = cells
      self.endpoints = endpoints
      self.access = access
      self.edge = edge
      self.aggregation = aggregation
      self.core = core
    }

    /// Why the tree cannot be built; nil when it can.
    var problem: String? {
      let possible = 1...Self.maximumSwitches
      guard possible.contains(edge.switches), possible.contains(aggregation.switches), possible.contains(core.switches)
      else { return "a layer has 1 to \(Self.maximumSwitches) switches; change 'switches'" }
      let switches = Int(core.switches + aggregation.switches + aggregation.switches * edge.switches)
      guard switches + cells.count + endpoints.count <= Substrate.maximumNodes else {
        return "the tree has more than \(Substrate.maximumNodes) nodes; make it smaller"
      }
      return nil
    }

    /// The tree as nodes and links, always in the same order: endpoints, cores, aggregation, edge switches, cells.
    public var substrate: Substrate {
      let cores = (0..<core.switches).map { "core-\($0 + 1)" }
      let aggregations = (0..<aggregation.switches).map { "aggregation-\($0 + 1)" }
      let edges = (0..<aggregation.switches).flatMap { parent in
        (0..<edge.switches).map { (name: "edge-\(parent + 1)-\($0 + 1)", parent: aggregations[Int(parent)]) }
      }
      func nodes(_ names: [String], _ layer: Layer) -> [Node] {
        names.map { Node(name: $0, computeUnits: layer.computeUnits, functions: layer.functions) }
      }
      var substrate = Substrate(nodes: [], links: [])
      substrate.nodes += endpoints.map { Node(name: $0, domain: .compute, attachment: .endpoint) }
      substrate.nodes += nodes(cores, core) + nodes(aggregations, aggregation) + nodes(edges.map(\.name), edge)
      substrate.nodes += cells.map { Node(name: $0, domain: .radio, attachment: .cell) }
      for core in cores {
        substrate.links += endpoints.map { self.core.uplink.link(core, $0, .transport) }
      }
      for aggregation in aggregations {
        substrate.links += cores.map { self.aggregation.uplink.link(aggregation, $0, .transport) }
      }
      substrate.links += edges.map { edge.uplink.link($0.name, $0.parent, .transport) }
      for (index, cell) in cells.enumerated() {
        substrate.links.append(access.link(cell, edges[index % edges.count].name, .radio))
      }
      return substrate
    }
  }
}

extension Topology.Tree.Link {
  fileprivate func link(_ from: String, _ to: String, _ domain: Topology.Node.Domain) -> Topology.Link {
    Topology.Link(
      from: from, to: to, domain: domain, forwardCapacity: capacity, backwardCapacity: capacity, delay: delay,
      loss: loss, cost: cost)
  }
}
