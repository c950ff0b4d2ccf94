import Messages

/// `substrate:` and `edges:` of an operator.
extension TopologyReading {
  func substrate(_ node: SourceNode) -> Topology.Substrate? {
    guard var fields = MappingReader(node, "a substrate", log: log) else { return nil }
    let substrate: Topology.Substrate?
    if let tree = fields.take("tree") {
      substrate = self.tree(tree)?.substrate
      if fields.has("nodes") || fields.has("links") {
        log.error(
          at: node.position, unreadable: node.pointer,
          "a substrate is either a 'tree' or 'nodes' and 'links'; keep one form")
        _ = (fields.take("nodes"), fields.take("links"))
      }
    } else if !fields.has("nodes"), !fields.has("links") {
      _ = (fields.take("nodes"), fields.take("links"))
      log.error(
        at: node.position, unreadable: node.pointer,
        "say what the operator can build slices from: either 'tree', or 'nodes' and 'links'")
      substrate = nil
    } else {
      substrate = Topology.Substrate(
        nodes: fields.requiredList("nodes", substrateNode), links: fields.requiredList("links", link))
    }
    fields.finish()
    return substrate
  }

  private func substrateNode(_ node: SourceNode) -> Topology.Node? {
    guard var fields = MappingReader(node, "a node", log: log) else { return nil }
    let substrateNode = Topology.Node(
      name: fields.required("name", .text, else: ""),
      domain: fields.optional("domain", .domain, default: .transport),
      attachment: fields.optional(
        "attachment", .choice(Topology.Node.Attachment.allCases.map { ($0.rawValue, $0) }), default: .none),
      computeUnits: fields.optional("computeUnits", .count, default: 0),
      functions: fields.list("functions", function))
    fields.finish()
    return substrateNode
  }

  private func function(_ node: SourceNode) -> Topology.Function? {
    guard var fields = MappingReader(node, "a network function", log: log) else { return nil }
    let function = Topology.Function(
      kind: fields.required("kind", .text, else: ""),
      computeUnits: fields.optional("computeUnits", .count, default: 1),
      processingDelay: fields.optional("processingDelay", .duration, default: .zero),
      cost: fields.optional("cost", .count, default: 0))
    fields.finish()
    return function
  }

  private func link(_ node: SourceNode) -> Topology.Link? {
    guard var fields = MappingReader(node, "a link", log: log) else { return nil }
    let capacity = fields.require("capacity").flatMap(linkCapacity) ?? (forward: 0, backward: 0)
    let link = Topology.Link(
      from: fields.required("from", .text, else: ""), to: fields.required("to", .text, else: ""),
      domain: fields.optional("domain", .domain, default: .transport), forwardCapacity: capacity.forward,
      backwardCapacity: capacity.backward, delay: fields.required("delay", .duration, else: .zero),
      loss: fields.optional("loss", .parts, default: 0), cost: fields.optional("cost", .count, default: 1))
    fields.finish()
    return link
  }

  /// One rate for either direction, or `forward` (from → to) and `backward` apart.
  private func linkCapacity(_ node: SourceNode) -> (forward: UInt64, backward: UInt64)? {
    guard case .mapping = node.content else {
      return MappingReader.read(node, .rate, log: log).map { ($0, $0) }
    }
    guard var fields = MappingReader(node, "a capacity", log: log) else { return nil }
    let capacity = (
      forward: fields.required("forward", .rate, else: 0), backward: fields.optional("backward", .rate, default: 0)
    )
    fields.finish()
    return capacity
  }

  // MARK: The paper's tree

  private func tree(_ node: SourceNode) -> Topology.Tree? {
    guard var fields = MappingReader(node, "a tree", log: log) else { return nil }
    let tree = Topology.Tree(
      cells: fields.requiredList("cells", of: .text), endpoints: fields.requiredList("endpoints", of: .text),
      access: fields.require("access").flatMap(treeLink) ?? .substitute,
      edge: fields.require("edge").flatMap(layer) ?? .substitute,
      aggregation: fields.require("aggregation").flatMap(layer) ?? .substitute,
      core: fields.require("core").flatMap(layer) ?? .substitute)
    fields.finish()
    if let problem = tree.problem {
      log.error(at: node.position, unreadable: node.pointer, problem)
      return nil
    }
    return tree
  }

  private func treeLink(_ node: SourceNode) -> Topology.Tree.Link? {
    guard var fields = MappingReader(node, "a link", log: log) else { return nil }
    let link = Topology.Tree.Link(
      capacity: fields.required("capacity", .rate, else: 0), delay: fields.required("delay", .duration, else: .zero),
      loss: fields.optional("loss", .parts, default: 0), cost: fields.optional("cost", .count, default: 1))
    fields.finish()
    return link
  }

  private func layer(_ node: SourceNode) -> Topology.Tree.Layer? {
    guard var fields = MappingReader(node, "a layer of the tree", log: log) else { return nil }
    let layer = Topology.Tree.Layer(
      switches: fields.optional("switches", .count, default: 1),
      computeUnits: fields.optional("computeUnits", .count, default: 0),
      functions: fields.list("functions", function),
      uplink: fields.require("uplink").flatMap(treeLink) ?? .substitute)
    fields.finish()
    return layer
  }

  // MARK: Edge monitors

  func edge(_ node: SourceNode) -> Topology.Edge? {
    guard var fields = MappingReader(node, "an edge", log: log) else { return nil }
    let edge = Topology.Edge(
      name: fields.required("name", .text, else: ""), cells: fields.requiredList("cells", of: .text),
      endpoints: fields.requiredList("endpoints", of: .text), impairment: fields.take("impairment").flatMap(impairment))
    fields.finish()
    return edge
  }

  private func impairment(_ node: SourceNode) -> Topology.Impairment? {
    guard var fields = MappingReader(node, "an impairment", log: log) else { return nil }
    let impairment = Topology.Impairment(
      loss: fields.optional("loss", .parts, default: 0), delay: fields.optional("delay", .duration, default: .zero),
      jitter: fields.optional("jitter", .duration, default: .zero), rate: fields.optional("rate", .rate),
      direction: fields.optional("direction", .direction))
    fields.finish()
    return impairment
  }
}

extension ScalarKind where Value == Topology.Node.Domain {
  static var domain: ScalarKind { .choice(Topology.Node.Domain.allCases.map { ($0.rawValue, $0) }) }
}

extension ScalarKind where Value == Direction {
  static var direction: ScalarKind { .choice([("up", .up), ("down", .down)]) }
}

extension ScalarKind where Value == UInt32 {
  /// A ratio in parts per billion; one billion fits.
  static var parts: ScalarKind {
    let ratio = ScalarKind<UInt64>.ratio
    return ScalarKind(expected: ratio.expected) { text, isPlain in
      ratio.read(text, isPlain).flatMap(UInt32.init(exactly:))
    }
  }
}
