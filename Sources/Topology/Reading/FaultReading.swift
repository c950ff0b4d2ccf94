import Messages

/// `faults:`: what goes wrong, and when.
extension TopologyReading {
  func fault(_ node: SourceNode) -> Topology.Fault? {
    guard var fields = MappingReader(node, "a fault", log: log) else { return nil }
    let trigger = fields.require("at").flatMap(trigger) ?? .time(.zero)
    let kinds = Topology.Fault.KindName.allCases.map { ($0.rawValue, $0) }
    guard let node = fields.require("kind"), let name = MappingReader.read(node, .choice(kinds), log: log) else {
      return nil
    }
    let kind = kind(name, &fields)
    fields.finish()
    return Topology.Fault(at: trigger, kind)
  }

  private func trigger(_ node: SourceNode) -> Topology.FaultTrigger? {
    guard case .mapping = node.content else {
      return MappingReader.read(node, .duration, log: log).map { .time($0) }
    }
    guard var fields = MappingReader(node, "an event", log: log) else { return nil }
    let triggers: [Topology.FaultTrigger] = [
      fields.optional("height", .count).map { .height($0) }, fields.optional("view", .count).map { .view($0) },
      fields.optional("epoch", .count).map { .epoch($0) }, fields.optional("persist", .count).map { .persist($0) },
      fields.optional("effect", .count).map { .effect($0) },
    ]
    .compactMap { $0 }
    fields.finish()
    if triggers.count != 1 {
      log.error(
        at: node.position, unreadable: node.pointer,
        "a fault has one trigger: a time, or one of height, view, epoch, persist and effect")
    }
    return triggers.first
  }

  private func kind(_ name: Topology.Fault.KindName, _ fields: inout MappingReader) -> Topology.Fault.Kind {
    let actors = name.strikesActors ? fields.requiredList("actors", of: .faultPattern) : []
    switch name {
    case .crash: return .crash(actors, down: fields.optional("down", .duration))
    case .pause: return .pause(actors, lasting: fields.required("for", .duration, else: .seconds(1)))
    case .tornWrite: return .tornWrite(actors, down: fields.optional("down", .duration))
    case .failedSync: return .failedSync(actors, down: fields.optional("down", .duration))
    case .lostSyncs:
      return .lostSyncs(
        actors, lasting: fields.required("for", .duration, else: .seconds(1)),
        down: fields.optional("down", .duration))
    case .flippedBit: return .flippedBit(actors, down: fields.required("down", .duration, else: .seconds(1)))
    case .fullDisk: return .fullDisk(actors, lasting: fields.required("for", .duration, else: .seconds(1)))
    case .clock: return .clock(actors, clockError(&fields), lasting: fields.optional("for", .duration))
    case .partition: return .partition(links(&fields), lasting: fields.optional("for", .duration))
    case .disturbance:
      return .disturbance(links(&fields), disturbance(&fields), lasting: fields.optional("for", .duration))
    }
  }

  private func links(_ fields: inout MappingReader) -> Topology.Links {
    Topology.Links(
      between: fields.requiredList("between", of: .faultPattern), and: fields.list("and", of: .faultPattern),
      isOneWay: fields.optional("oneWay", .boolean, default: false),
      plane: fields.optional(
        "plane", .choice(Topology.Links.Plane.allCases.map { ($0.rawValue, $0) }), default: .bus))
  }

  private func disturbance(_ fields: inout MappingReader) -> Topology.Disturbance {
    func ratio(_ key: String) -> UInt32 { UInt32(clamping: fields.optional(key, .ratio, default: 0)) }
    return Topology.Disturbance(
      delay: fields.optional("delay", .duration, default: .zero),
      jitter: fields.optional("jitter", .duration, default: .zero), loss: ratio("loss"),
      duplication: ratio("duplication"), reordering: ratio("reordering"),
      bandwidth: fields.optional("bandwidth", .rate))
  }

  private func clockError(_ fields: inout MappingReader) -> Topology.ClockError {
    let ahead = fields.optional("ahead", .duration, default: .zero)
    let behind = fields.optional("behind", .duration, default: .zero)
    let fast = Int64(clamping: fields.optional("fast", .ratio, default: 0))
    let slow = Int64(clamping: fields.optional("slow", .ratio, default: 0))
    return Topology.ClockError(step: ahead - behind, drift: Int32(clamping: fast - slow))
  }
}

extension ScalarKind where Value == Topology.ActorPattern {
  /// Who can be struck: everybody but a contract, which keeps nothing, and clients.
  static var faultPattern: ScalarKind {
    let roles = ActorAddress.Role.allCases.filter { ![.contract, .client].contains($0) }
    let names = roles.map(\.rawValue).joined(separator: ", ")
    return ScalarKind(expected: "actors as role/name, role/* or */name; roles are \(names)") { text, _ in
      Topology.ActorPattern(text, roles: roles)
    }
  }
}
