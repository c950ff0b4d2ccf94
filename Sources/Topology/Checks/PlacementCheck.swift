import Messages

/// Every actor runs in exactly one node, and no two nodes listen at one port.
extension TopologyCheck {
  mutating func checkPlacement() {
    let nodes = topology.nodes
    guard !nodes.isEmpty else { return }
    require(
      nodes.count <= Placement.maximumNodes, "/nodes",
      "\(nodes.count) nodes are more than \(Placement.maximumNodes); put more actors into each")
    for (index, node) in nodes.enumerated() {
      checkName(node.name, "/nodes/\(index)/name")
      require(!node.actors.isEmpty, "/nodes/\(index)/actors", "a node runs at least one actor; name one, or remove it")
    }
    checkUnique(nodes.enumerated().map { ($1.name, "/nodes/\($0)/name") }, "node")
    checkActors()
    checkEnclaveProcesses()
    checkPorts()
  }

  private mutating func checkEnclaveProcesses() {
    let placement = topology.placement
    for process in topology.enclaveProcesses {
      let places = Set(process.enclaves.map { placement.node(of: ActorAddress(.enclave, $0))?.name })
      require(
        places.count == 1, "/nodes",
        "the enclaves of process '\(process.name)' are in several nodes; place them together as enclave/…*",
        basis: ["/customers"])
    }
  }

  private mutating func checkActors() {
    let nodes = topology.nodes
    let basis = ["/operators", "/regulators", "/customers"]
    let resolution = PlacementResolution(topology)
    for (node, pattern) in resolution.idle {
      error(
        "/nodes/\(node)/actors/\(pattern)", "no actor fits '\(nodes[node].actors[pattern])'; correct or remove it",
        basis: basis)
    }
    // One message for each pattern, whatever number of actors it takes twice.
    var reported: Set<[Int]> = []
    for conflict in resolution.conflicts where reported.insert([conflict.node, conflict.pattern]).inserted {
      let first = nodes[conflict.firstNode].name
      error(
        "/nodes/\(conflict.node)/actors/\(conflict.pattern)",
        "\(conflict.actor) is in node '\(first)' already; an actor runs once")
    }
    guard !resolution.unplaced.isEmpty else { return }
    let shown = resolution.unplaced.prefix(Self.namesShown).map(\.description).joined(separator: ", ")
    let rest = resolution.unplaced.count - Self.namesShown
    error(
      "/nodes", "in no node: \(shown)\(rest > 0 ? " and \(rest) more" : ""); add them to a node's actors", basis: basis)
  }

  /// Actors that a message names, at most.
  private static var namesShown: Int { 8 }

  private mutating func checkPorts() {
    struct Endpoint: Hashable {
      let host: Topology.HostAddress
      let port: UInt16
    }
    var owners: [Endpoint: String] = [:]
    for (index, node) in PlacementResolution(topology).placement.nodes.enumerated() {
      for offset in 0..<Placement.portsPerNode {
        let endpoint = Endpoint(host: node.host, port: node.port + offset)
        if let owner = owners[endpoint] {
          error(
            "/nodes/\(index)/port",
            "\(node.host):\(endpoint.port) belongs to node '\(owner)'; a node has \(Placement.portsPerNode) ports from "
              + "its 'port' on")
          break
        }
        owners[endpoint] = node.name
      }
    }
  }
}
