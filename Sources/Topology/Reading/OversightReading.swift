import Messages

/// `regulators:` and what they are told to order.
extension TopologyReading {
  func regulator(_ node: SourceNode) -> Topology.Regulator? {
    guard var fields = MappingReader(node, "a regulator", log: log) else { return nil }
    let regulator = Topology.Regulator(
      name: fields.required("name", .text, else: ""),
      observes: fields.optional("observes", .boolean, default: false), measures: fields.list("measures", measure))
    fields.finish()
    return regulator
  }

  private func measure(_ node: SourceNode) -> Topology.Measure? {
    guard var fields = MappingReader(node, "a measure", log: log) else { return nil }
    let measure = Topology.Measure(
      kind: fields.required(
        "measure", .choice(Topology.Measure.Kind.allCases.map { ($0.rawValue, $0) }), else: .openAudit),
      at: fields.optional("at", .duration, default: .zero), reason: fields.required("reason", .text, else: ""),
      contract: fields.optional("contract", .contractReference), customer: fields.optional("customer", .text),
      length: fields.optional("for", .duration))
    fields.finish()
    return measure
  }
}
