import Messages

/// `nodes:` with their actors.
extension TopologyReading {
  func actorNode(_ node: SourceNode) -> Topology.ActorNode? {
    guard var fields = MappingReader(node, "a node", log: log) else { return nil }
    let actorNode = Topology.ActorNode(
      name: fields.required("name", .text, else: ""), host: fields.optional("host", .host, default: .loopback),
      port: fields.optional("port", .port), isExternal: fields.optional("external", .boolean, default: false),
      actors: fields.requiredList("actors", of: .actorPattern))
    fields.finish()
    return actorNode
  }
}

extension ScalarKind where Value == Topology.HostAddress {
  static var host: ScalarKind {
    ScalarKind(expected: "an IPv4 address such as 10.0.0.7") { text, _ in Topology.HostAddress(text) }
  }
}

extension ScalarKind where Value == UInt16 {
  static var port: ScalarKind {
    ScalarKind(expected: "a TCP port from 1024 to 65534") { text, isPlain in
      guard isPlain, let number = PlainScalar.wholeNumber(text), (1024...65_534).contains(number) else { return nil }
      return UInt16(number)
    }
  }
}

extension ScalarKind where Value == Topology.ActorPattern {
  static var actorPattern: ScalarKind {
    let roles = Topology.ActorPattern.placeableRoles.map(\.rawValue).joined(separator: ", ")
    return ScalarKind(expected: "actors as role/name, role/* or */name; roles are \(roles)") { text, _ in
      Topology.ActorPattern(text)
    }
  }
}
