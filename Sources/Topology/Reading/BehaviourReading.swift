import Messages

/// `behaviours:`: who does not keep to the protocol.
extension TopologyReading {
  func behaviour(_ node: SourceNode) -> Topology.Behaviour? {
    guard var fields = MappingReader(node, "a behaviour", log: log) else { return nil }
    let behaviour = Topology.Behaviour(
      actor: fields.required("actor", .actor, else: ActorAddress(.client, "")),
      cheat: fields.required("cheat", .choice(Topology.Cheat.allCases.map { ($0.rawValue, $0) }), else: .noService),
      fromEpoch: fields.optional("fromEpoch", .count, default: 0))
    fields.finish()
    return behaviour
  }
}

extension ScalarKind where Value == ActorAddress {
  static var actor: ScalarKind {
    ScalarKind(expected: "an actor as role/name, such as edge/alpha-edge") { text, _ in ActorAddress(text) }
  }
}
