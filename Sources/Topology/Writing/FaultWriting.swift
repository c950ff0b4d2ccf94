import Messages

/// A schedule as a topology file says it, so that what a machine found can be run by a person.
extension Topology.Fault {
  /// One line of YAML, a flow mapping; reads back as this fault.
  public var yaml: String {
    var fields = FlowMapping()
    fields.add("at", trigger.yaml)
    fields.add("kind", kindName.rawValue)
    switch kind {
    case .crash(let actors, let down), .tornWrite(let actors, let down), .failedSync(let actors, let down):
      fields.add("actors", actors)
      fields.add("down", down)
    case .flippedBit(let actors, let down):
      fields.add("actors", actors)
      fields.add("down", down)
    case .pause(let actors, let lasting), .fullDisk(let actors, let lasting):
      fields.add("actors", actors)
      fields.add("for", lasting)
    case .lostSyncs(let actors, let lasting, let down):
      fields.add("actors", actors)
      fields.add("for", lasting)
      fields.add("down", down)
    case .clock(let actors, let error, let lasting):
      fields.add("actors", actors)
      fields.add(error)
      fields.add("for", lasting)
    case .partition(let links, let lasting):
      fields.add(links)
      fields.add("for", lasting)
    case .disturbance(let links, let disturbance, let lasting):
      fields.add(links)
      fields.add(disturbance)
      fields.add("for", lasting)
    }
    return fields.text
  }

  /// `faults:` and its entries, with a line break at the end.
  public static func section(_ faults: [Topology.Fault]) -> String {
    guard !faults.isEmpty else { return "faults: []\n" }
    return "faults:\n" + faults.map { "  - \($0.yaml)\n" }.joined()
  }
}

extension Topology.FaultTrigger {
  var yaml: String {
    switch self {
    case .time(let span): Quantity.text(span)
    case .height(let height): "{ height: \(height) }"
    case .view(let view): "{ view: \(view) }"
    case .epoch(let epoch): "{ epoch: \(epoch) }"
    case .persist(let count): "{ persist: \(count) }"
    case .effect(let count): "{ effect: \(count) }"
    }
  }
}

private struct FlowMapping {
  private var fields: [String] = []

  var text: String { "{ \(fields.joined(separator: ", ")) }" }

  mutating func add(_ key: String, _ value: String) { fields.append("\(key): \(value)") }

  mutating func add(_ key: String, _ span: Span?) {
    if let span { add(key, Quantity.text(span)) }
  }

  mutating func add(_ key: String, _ patterns: [Topology.ActorPattern]) {
    // A text that begins with `*` would be an alias without quotes.
    let texts = patterns.map { $0.role == nil ? "\"\($0)\"" : "\($0)" }
    add(key, "[\(texts.joined(separator: ", "))]")
  }

  mutating func add(_ key: String, partsPerBillion: UInt32) {
    if partsPerBillion > 0 { add(key, "\(partsPerBillion)ppb") }
  }

  mutating func add(_ error: Topology.ClockError) {
    if error.step > .zero { add("ahead", error.step) }
    if error.step < .zero { add("behind", Span.zero - error.step) }
    add(error.drift > 0 ? "fast" : "slow", partsPerBillion: error.drift.magnitude)
  }

  mutating func add(_ links: Topology.Links) {
    add("between", links.between)
    if !links.and.isEmpty { add("and", links.and) }
    if links.isOneWay { add("oneWay", "true") }
    if links.plane != .bus { add("plane", links.plane.rawValue) }
  }

  mutating func add(_ disturbance: Topology.Disturbance) {
    if disturbance.delay > .zero { add("delay", disturbance.delay) }
    if disturbance.jitter > .zero { add("jitter", disturbance.jitter) }
    add("loss", partsPerBillion: disturbance.loss)
    add("duplication", partsPerBillion: disturbance.duplication)
    add("reordering", partsPerBillion: disturbance.reordering)
    if let bandwidth = disturbance.bandwidth { add("bandwidth", "\(bandwidth)bit/s") }
  }
}

extension Quantity {
  /// The shortest text in one unit that reads back as this span.
  static func text(_ span: Span) -> String {
    let nanoseconds = UInt64(clamping: span.nanoseconds)
    let unit = durations.last { $0.suffix != "µs" && nanoseconds.isMultiple(of: $0.factor) } ?? durations[0]
    return nanoseconds == 0 ? "0s" : "\(nanoseconds / unit.factor)\(unit.suffix)"
  }
}
