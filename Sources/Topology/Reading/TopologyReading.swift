import Messages

/// Reads the top of a topology file: who there is. One file per section beside this one; each function takes a node
/// and gives the model's value, reporting to the log what does not fit the format.
struct TopologyReading {
  let log: ErrorLog

  func topology(_ node: SourceNode) -> Topology? {
    guard var fields = MappingReader(node, "a topology", log: log) else { return nil }
    if let node = fields.require("version"),
      let version = MappingReader.read(node, .count, log: log), version != Topology.formatVersion
    {
      log.error(
        at: node.position, "this program reads version \(Topology.formatVersion) of the format, not \(version)")
    }
    let topology = Topology(
      name: fields.required("name", .text, else: ""),
      description: fields.optional("description", .text, default: ""),
      seed: fields.optional("seed", .count, default: 1),
      network: fields.take("network").map(network) ?? .standard,
      operators: fields.requiredList("operators", networkOperator),
      regulators: fields.list("regulators", regulator),
      customers: customers(fields.list("customers", population), "\(node.pointer)/customers"),
      nodes: fields.list("nodes", actorNode), behaviours: fields.list("behaviours", behaviour),
      faults: fields.list("faults", fault))
    fields.finish()
    return topology
  }

  private func network(_ node: SourceNode) -> NetworkParameters {
    var network = NetworkParameters.standard
    guard var fields = MappingReader(node, "the network's parameters", log: log) else { return network }
    network.heartbeat = fields.optional("heartbeat", .duration, default: network.heartbeat)
    network.timeoutFloor = fields.optional("timeoutFloor", .duration, default: network.timeoutFloor)
    network.timeoutCap = fields.optional("timeoutCap", .duration, default: network.timeoutCap)
    network.maximumBehind = fields.optional("maximumBehind", .duration, default: network.maximumBehind)
    network.maximumAhead = fields.optional("maximumAhead", .duration, default: network.maximumAhead)
    network.blockTransactions = fields.optional("blockTransactions", .count, default: network.blockTransactions)
    network.senderQuota = fields.optional("senderQuota", .count, default: network.senderQuota)
    network.expiriesPerBlock = fields.optional("expiriesPerBlock", .count, default: network.expiriesPerBlock)
    network.attestationLifetime = fields.optional(
      "attestationLifetime", .duration, default: network.attestationLifetime)
    network.attestationNonceAge = fields.optional("attestationNonceAge", .count, default: network.attestationNonceAge)
    network.regulatorThreshold = fields.optional("regulatorThreshold", .count, default: network.regulatorThreshold)
    network.maximumFreeze = fields.optional("maximumFreeze", .duration, default: network.maximumFreeze)
    network.suspendsConvicted = fields.optional("suspendConvicted", .boolean, default: network.suspendsConvicted)
    fields.finish()
    return network
  }

  private func networkOperator(_ node: SourceNode) -> Topology.Operator? {
    guard var fields = MappingReader(node, "an operator", log: log) else { return nil }
    let networkOperator = Topology.Operator(
      name: fields.required("name", .text, else: ""),
      credit: fields.required("credit", .amount, else: 0),
      substrate: fields.take("substrate").flatMap(substrate) ?? Topology.Substrate(nodes: [], links: []),
      edges: fields.list("edges", edge),
      contracts: fields.list("contracts", contract), maintenance: fields.list("maintenance", maintenance),
      observes: fields.optional("observes", .boolean, default: false))
    fields.finish()
    return networkOperator
  }

  private func maintenance(_ node: SourceNode) -> Topology.Maintenance? {
    guard var fields = MappingReader(node, "an announcement of maintenance", log: log) else { return nil }
    let maintenance = Topology.Maintenance(
      at: fields.optional("at", .duration, default: .zero),
      window: Topology.OffsetWindow(
        from: fields.required("from", .duration, else: .zero), to: fields.required("to", .duration, else: .zero)),
      cells: fields.requiredList("cells", of: .text))
    fields.finish()
    return maintenance
  }
}
