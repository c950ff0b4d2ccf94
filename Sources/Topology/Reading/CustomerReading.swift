import Messages

/// `customers:` with their enclaves, activations and expectations.
extension TopologyReading {
  func customer(_ node: SourceNode) -> Topology.Customer? {
    guard var fields = MappingReader(node, "a customer", log: log) else { return nil }
    let customer = Topology.Customer(
      name: fields.required("name", .text, else: ""), credit: fields.required("credit", .amount, else: 0),
      enclaves: fields.list("enclaves", enclave), activations: fields.list("activations", activation))
    fields.finish()
    return customer
  }

  private func enclave(_ node: SourceNode) -> Topology.Enclave? {
    guard var fields = MappingReader(node, "an enclave", log: log) else { return nil }
    let enclave = Topology.Enclave(
      name: fields.required("name", .text, else: ""),
      measurement: fields.optional("measurement", .measurement, default: .auto))
    fields.finish()
    return enclave
  }

  private func activation(_ node: SourceNode) -> Topology.Activation? {
    guard var fields = MappingReader(node, "an activation", log: log) else { return nil }
    let nowhere = Topology.ContractReference(operatorName: "", contractName: "")
    let traffic = fields.require("traffic").flatMap(traffic) ?? (up: .silent, down: .silent)
    let activation = Topology.Activation(
      name: fields.required("name", .text, else: ""),
      contract: fields.required("contract", .contractReference, else: nowhere),
      at: fields.optional("at", .duration, default: .zero), epochs: fields.required("epochs", .count, else: 1),
      cell: fields.required("cell", .text, else: ""), peer: fields.required("peer", .text, else: ""),
      enclave: fields.required("enclave", .text, else: ""),
      startWithin: fields.optional("startWithin", .duration, default: .seconds(5)), up: traffic.up, down: traffic.down,
      expectation: fields.take("expect").flatMap(expectation))
    fields.finish()
    return activation
  }

  private func traffic(_ node: SourceNode) -> (up: Traffic, down: Traffic)? {
    guard var fields = MappingReader(node, "traffic up and down", log: log) else { return nil }
    let traffic = (
      up: fields.take("up").flatMap(stream) ?? .silent, down: fields.take("down").flatMap(stream) ?? .silent
    )
    fields.finish()
    return traffic
  }

  private func stream(_ node: SourceNode) -> Traffic? {
    guard var fields = MappingReader(node, "a packet stream", log: log) else { return nil }
    let traffic = Traffic(
      packetsPerSecond: fields.required("packetsPerSecond", .count, else: 0),
      payloadBytes: fields.required("payloadBytes", .count, else: 0))
    fields.finish()
    return traffic
  }

  // MARK: Expectations

  /// States that an activation can end in or stay in; the others pass too quickly to expect them.
  static let expectableStates: [(String, ActivationState)] = [ActivationState.settled, .nullified].map { ($0.name, $0) }

  private func expectation(_ node: SourceNode) -> Topology.Expectation? {
    guard var fields = MappingReader(node, "an expectation", log: log) else { return nil }
    let expectation = Topology.Expectation(
      state: fields.required("state", .choice(Self.expectableStates), else: .settled),
      statusInfo: fields.optional("statusInfo", .choice(StatusInfo.allCases.map { ($0.name, $0) })),
      settlement: fields.optional("settlement", .choice(SettlementKind.allCases.map { ($0.name, $0) })),
      epochs: fields.take("epochs").map(epochExpectations) ?? [],
      rules: fields.list("rules", ruleExpectations).flatMap { $0 },
      paid: fields.optional("paid", .countRange), refunded: fields.optional("refunded", .countRange),
      penalty: fields.optional("penalty", .countRange))
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
