import Messages

/// `rules:` of a contract. An entry is either one rule in full, or a 5QI preset that stands for several.
extension TopologyReading {
  /// The metrics under the names that files use.
  static let metrics: [(String, Rule.Metric)] = [
    ("oneWayDelay", .oneWayDelay), ("roundTrip", .roundTrip), ("delayVariation", .delayVariation),
    ("lossRatio", .lossRatio), ("throughput", .throughput), ("availability", .availability),
    ("survivalTime", .survivalTime),
  ]

  static let statistics: [(String, Rule.Statistic)] = [
    ("minimum", .minimum), ("mean", .mean), ("p50", .p50), ("p95", .p95), ("p99", .p99), ("p99.9", .p999),
    ("maximum", .maximum), ("value", .value),
  ]

  func ruleList(_ contract: inout MappingReader) -> [Topology.NamedRule] {
    guard let node = contract.require("rules") else { return [] }
    guard case .list(let entries) = node.content else {
      log.expected("a list (- element)", at: node)
      return []
    }
    let lists = entries.map(rules)
    // A preset is several rules or none: then places in the list of rules are not those of the file.
    if lists.contains(where: { $0.count != 1 }) {
      let places = zip(entries, lists).flatMap { entry, rules in rules.map { _ in entry.position } }
      for (index, place) in places.enumerated() { log.relocate("\(node.pointer)/\(index)", to: place) }
    }
    return lists.flatMap { $0 }
  }

  private func rules(_ node: SourceNode) -> [Topology.NamedRule] {
    guard var fields = MappingReader(node, "a rule", log: log) else { return [] }
    guard fields.has("preset") else { return explicitRule(&fields).map { [$0] } ?? [] }
    let preset = fields.optional("preset", .choice(FiveQI.all.map { ($0.name, $0) }))
    let direction = fields.optional("direction", .direction)
    let window = fields.optional("window", .count, default: 1)
    let penalty = fields.required("penalty", .amount, else: 0)
    fields.finish()
    return preset?.rules(direction: direction, window: window, penalty: penalty) ?? []
  }

  private func explicitRule(_ fields: inout MappingReader) -> Topology.NamedRule? {
    guard let metric: Rule.Metric = required(&fields, "metric", Self.metrics) else {
      // Which further keys make sense depends on the metric.
      return nil
    }
    let statistic: Rule.Statistic?
    if metric.isSampled {
      statistic = required(&fields, "statistic", Self.statistics.filter { $0.1 != .value })
    } else {
      let only = ScalarKind<Rule.Statistic>(expected: "value, because \(metric.name) is one number (or leave it out)") {
        text, _ in text == "value" ? .value : nil
      }
      statistic = fields.optional("statistic", only, default: .value)
    }
    let direction: Direction? = required(&fields, "direction", [("up", .up), ("down", .down)])
    let bound = bound(&fields, metric)
    let tolerance = fields.take("tolerance").flatMap { reference($0, metric) } ?? 0
    let window = fields.optional("window", .count, default: 1)
    let samples = fields.optional("minimumSamples", .count)
    let penalty = fields.required("penalty", .amount, else: 0)
    let name = fields.optional("name", .text)
    fields.finish()
    guard let statistic, let direction, let bound else { return nil }
    let rule = Rule(
      metric: metric, statistic: statistic, direction: direction, comparison: bound.comparison,
      reference: bound.reference, tolerance: tolerance, window: window,
      minimumSamples: samples ?? Rule.samplesNeeded(metric: metric, statistic: statistic, reference: bound.reference),
      penalty: penalty)
    return Topology.NamedRule(name: name ?? rule.defaultName, rule: rule)
  }

  private func required<Value>(_ fields: inout MappingReader, _ key: String, _ choices: [(String, Value)]) -> Value? {
    fields.require(key).flatMap { MappingReader.read($0, .choice(choices), log: log) }
  }

  /// Exactly one of `atMost` and `atLeast`.
  private func bound(
    _ fields: inout MappingReader, _ metric: Rule.Metric
  ) -> (comparison: Rule.Comparison, reference: UInt64)? {
    let (most, least) = (fields.take("atMost"), fields.take("atLeast"))
    switch (most, least) {
    case (let node?, nil): return reference(node, metric).map { (.atMost, $0) }
    case (nil, let node?): return reference(node, metric).map { (.atLeast, $0) }
    case (nil, nil):
      log.error(
        at: fields.node.position, unreadable: fields.node.pointer, "the rule needs 'atMost' or 'atLeast'; add one")
    case (_?, let node?):
      log.error(at: node.position, unreadable: fields.node.pointer, "both 'atMost' and 'atLeast'; write two rules")
    }
    return nil
  }

  /// A value in the metric's unit.
  private func reference(_ node: SourceNode, _ metric: Rule.Metric) -> UInt64? {
    if metric.isRatio { return MappingReader.read(node, .ratio, log: log) }
    return MappingReader.read(node, .duration, log: log).map { UInt64($0.nanoseconds) }
  }
}

extension Rule.Metric {
  /// Parts per billion rather than nanoseconds.
  var isRatio: Bool {
    switch self {
    case .lossRatio, .throughput, .availability: true
    case .oneWayDelay, .roundTrip, .delayVariation, .survivalTime: false
    }
  }

  /// One value per packet, so that a statistic must be chosen.
  var isSampled: Bool {
    switch self {
    case .oneWayDelay, .roundTrip, .delayVariation: true
    case .lossRatio, .throughput, .availability, .survivalTime: false
    }
  }

  var name: String { TopologyReading.metrics.first { $0.1 == self }?.0 ?? "\(self)" }
}

extension Rule {
  /// `one-way-delay-p95-up`, `loss-ratio-down`.
  var defaultName: String {
    let words = metric.name.reduce(into: "") { text, character in
      text += character.isUppercase ? "-" + character.lowercased() : String(character)
    }
    let statistic = statistic == .value ? "" : "-" + statistic.name
    return "\(words)\(statistic)-\(direction)"
  }

  /// Fewer samples than this cannot tell a kept promise from a broken one: at least one packet beyond a percentile
  /// (p99.9: 1 000), and for a loss ratio p the rule of three, 3 ÷ p: no loss among so many says with 95 %
  /// confidence that the ratio is below p (1e-5: 300 000).
  static func samplesNeeded(metric: Metric, statistic: Statistic, reference: UInt64) -> UInt64 {
    switch (metric, statistic) {
    case (.lossRatio, _): reference == 0 ? 1 : (3 * Quantity.one + reference - 1) / reference
    case (_, .p50): 2
    case (_, .p95): 20
    case (_, .p99): 100
    case (_, .p999): 1_000
    default: 1
    }
  }
}

extension Rule.Statistic {
  var name: String { TopologyReading.statistics.first { $0.1 == self }?.0 ?? "\(self)" }
}
