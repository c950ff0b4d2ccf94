import Messages

/// `expect:` of an activation.
extension TopologyReading {
  /// States that an activation can end in or stay in; the others pass too quickly to expect them.
  static let expectableStates: [(String, ActivationState)] = [ActivationState.settled, .nullified].map { ($0.name, $0) }

  func expectation(_ node: SourceNode) -> Topology.Expectation? {
    guard var fields = MappingReader(node, "an expectation", log: log) else { return nil }
    let expectation = Topology.Expectation(
      state: fields.required("state", .choice(Self.expectableStates), else: .settled),
      statusInfo: fields.optional("statusInfo", .choice(StatusInfo.allCases.map { ($0.name, $0) })),
      settlement: fields.optional("settlement", .choice(SettlementKind.allCases.map { ($0.name, $0) })),
      contract: fields.optional("contract", .contractReference),
      epochs: fields.take("epochs").map(epochExpectations) ?? [],
      rules: fields.list("rules", ruleExpectations).flatMap { $0 },
      segments: fields.optional("segments", .countRange), handovers: fields.optional("handovers", .countRange),
      droppedByPolicy: fields.optional("droppedByPolicy", .countRange), paid: fields.optional("paid", .countRange),
      refunded: fields.optional("refunded", .countRange), penalty: fields.optional("penalty", .countRange))
    fields.finish()
    return expectation
  }

  private func epochExpectations(_ node: SourceNode) -> [Topology.EpochExpectation] {
    guard var fields = MappingReader(node, "counts of epochs", log: log) else { return [] }
    let expectations = Topology.EpochOutcome.allCases.compactMap { outcome in
      fields.optional(outcome.rawValue, .countRange).map { Topology.EpochExpectation(outcome: outcome, count: $0) }
    }
    fields.finish()
    return expectations
  }

  private func ruleExpectations(_ node: SourceNode) -> [Topology.RuleExpectation]? {
    guard var fields = MappingReader(node, "counts of a rule's verdicts", log: log) else { return nil }
    let rule = fields.required("rule", .text, else: "")
    let expectations = Verdict.allCases.compactMap { verdict in
      fields.optional("\(verdict)", .countRange).map {
        Topology.RuleExpectation(rule: rule, verdict: verdict, count: $0)
      }
    }
    fields.finish()
    return expectations
  }
}
