import Messages

/// A schedule strikes actors that exist, for a time that ends, with something that can be noticed.
extension TopologyCheck {
  mutating func checkFaults() {
    let faults = topology.faults
    require(
      faults.count <= Topology.Fault.maximumFaults, "/faults",
      "\(faults.count) faults are more than \(Topology.Fault.maximumFaults); remove some")
    let actors = faults.isEmpty ? [] : topology.actors
    for (index, fault) in faults.enumerated() {
      let pointer = "/faults/\(index)"
      checkTrigger(fault, pointer)
      checkKind(fault.kind, pointer)
      if fault.kindName.strikesActors {
        checkPatterns(fault.subjects, actors, "\(pointer)/actors")
      } else if case .partition(let links, _) = fault.kind {
        checkLinks(links, actors, pointer)
      } else if case .disturbance(let links, _, _) = fault.kind {
        checkLinks(links, actors, pointer)
      }
    }
  }

  private mutating func checkTrigger(_ fault: Topology.Fault, _ pointer: String) {
    switch fault.trigger {
    case .time(let span): checkSpan(span, "\(pointer)/at", least: .zero)
    case .epoch: break
    case .height(let number), .view(let number):
      require(number > 0, "\(pointer)/at", "blocks and views count from 1")
    case .persist(let number), .effect(let number):
      require(number > 0, "\(pointer)/at", "records and effects count from 1")
      let fits =
        switch fault.kindName {
        case .crash, .tornWrite, .failedSync: true
        default: false
        }
      require(
        fits, "\(pointer)/at",
        "only crash, tornWrite and failedSync strike at a record or an effect; give a time, height, view or epoch")
    }
  }

  private mutating func checkKind(_ kind: Topology.Fault.Kind, _ pointer: String) {
    switch kind {
    case .crash(_, let down), .tornWrite(_, let down), .failedSync(_, let down):
      if let down { checkSpan(down, "\(pointer)/down") }
    case .flippedBit(_, let down): checkSpan(down, "\(pointer)/down")
    case .pause(_, let lasting), .fullDisk(_, let lasting): checkSpan(lasting, "\(pointer)/for")
    case .lostSyncs(_, let lasting, let down):
      checkSpan(lasting, "\(pointer)/for")
      if let down { checkSpan(down, "\(pointer)/down") }
    case .clock(_, let error, let lasting):
      if let lasting { checkSpan(lasting, "\(pointer)/for") }
      require(error != Topology.ClockError(), pointer, "this clock is right; give ahead, behind, fast or slow")
      require(
        error.drift.magnitude <= Topology.ClockError.maximumDrift, pointer, "no clock is wrong by more than 1% a second"
      )
      let step = max(error.step, Span.zero - error.step)
      require(step <= Topology.ClockError.maximumStep, pointer, "a clock is at most an hour ahead or behind")
    case .partition(_, let lasting):
      if let lasting { checkSpan(lasting, "\(pointer)/for") }
    case .disturbance(_, let disturbance, let lasting):
      if let lasting { checkSpan(lasting, "\(pointer)/for") }
      checkDisturbance(disturbance, pointer)
    }
  }

  private mutating func checkDisturbance(_ disturbance: Topology.Disturbance, _ pointer: String) {
    require(
      disturbance != .none, pointer,
      "nothing is disturbed; give delay, jitter, loss, duplication, reordering or bandwidth")
    if disturbance.delay != .zero { checkSpan(disturbance.delay, "\(pointer)/delay") }
    if disturbance.jitter != .zero { checkSpan(disturbance.jitter, "\(pointer)/jitter") }
    require(disturbance.loss < 1_000_000_000, "\(pointer)/loss", "what loses everything is a partition; use that")
    if let bandwidth = disturbance.bandwidth {
      require(bandwidth >= 1_000, "\(pointer)/bandwidth", "a link carries at least 1kbit/s; or use a partition")
    }
  }

  private mutating func checkSpan(_ span: Span, _ pointer: String, least: Span = .microseconds(1)) {
    require(
      span >= least && span <= Topology.Fault.maximumSpan, pointer,
      least == .zero ? "must be at most 366 days" : "must be 1us to 366 days")
  }

  private mutating func checkLinks(_ links: Topology.Links, _ actors: [ActorAddress], _ pointer: String) {
    checkPatterns(links.between, actors, "\(pointer)/between")
    if !links.and.isEmpty { checkPatterns(links.and, actors, "\(pointer)/and") }
  }

  private mutating func checkPatterns(
    _ patterns: [Topology.ActorPattern], _ actors: [ActorAddress], _ pointer: String
  ) {
    require(!patterns.isEmpty, pointer, "name at least one actor")
    for (index, pattern) in patterns.enumerated() where !actors.contains(where: pattern.fits) {
      error(
        "\(pointer)/\(index)", "no actor fits '\(pattern)'; correct or remove it",
        basis: ["/operators", "/regulators", "/customers"])
    }
  }
}
