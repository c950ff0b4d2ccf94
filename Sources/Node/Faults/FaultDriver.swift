import Assembly
import Bus
import Effects
import Messages
import Topology

/// Plays a topology's `faults:` on the processes of a spread consortium, as far as processes can show them: what
/// strikes an actor strikes the node that runs it. Times count from when every node was ready.
actor FaultDriver {
  private let plan: [PlannedFault]
  private let supervisor: NodeSupervisor
  private let tell: @Sendable (_ node: String, _ text: String) -> Void
  /// Faults that wait for an event, by number.
  private var waiting: [Int]
  private var tasks: [Task<Void, Never>] = []
  /// Faults of links that are under way, by number.
  private var broken: [Int: BrokenLinks] = [:]
  private let placement: [(node: String, actors: [ActorAddress])]
  private var hasEnded = false
  /// Whether anything has struck.
  private(set) var hasStruck = false

  /// A fault of this consortium's nodes.
  private struct PlannedFault {
    let number: Int
    let fault: Topology.Fault
    /// Struck, in file order; none by a fault of links.
    let nodes: [String]
  }

  /// - Parameters:
  ///   - nodes: that the supervisor runs: others are somebody else's to disturb.
  ///   - tell: what happened to a node, for people.
  init(
    _ topology: Topology, nodes: [String], _ supervisor: NodeSupervisor,
    tell: @escaping @Sendable (_ node: String, _ text: String) -> Void
  ) {
    let placement = topology.placement
    let played = topology.faults.filter { $0.places == .simulatedAndSpread }
    let plan = played.enumerated().map { number, fault in
      let struck = placement.nodes.filter { node in
        nodes.contains(node.name) && node.actors.contains { actor in fault.subjects.contains { $0.fits(actor) } }
      }
      return PlannedFault(
        number: number, fault: fault, nodes: fault.kindName.strikesActors ? struck.map(\.name) : [])
    }
    self.placement = placement.nodes.map { ($0.name, $0.actors) }
    self.plan = plan
    self.supervisor = supervisor
    self.tell = tell
    waiting = plan.indices.filter { number in
      if case .time = plan[number].fault.trigger { false } else { true }
    }
  }

  /// Begins to count time.
  func begin() {
    for planned in plan {
      guard case .time(let span) = planned.fault.trigger else { continue }
      after(span) { await self.strike(planned) }
    }
  }

  /// What the actors let know may be what a fault waits for.
  func observed(_ observation: Observation) {
    guard !waiting.isEmpty else { return }
    let struck = waiting.filter { plan[$0].fault.trigger.isMet(by: observation) }
    waiting.removeAll { struck.contains($0) }
    for number in struck { after(.zero) { await self.strike(self.plan[number]) } }
  }

  /// Nothing strikes any more.
  func end() {
    hasEnded = true
    for task in tasks { task.cancel() }
    tasks = []
  }

  private func after(_ span: Span, _ act: @escaping @Sendable () async -> Void) {
    guard !hasEnded else { return }
    tasks.append(
      Task {
        if span > .zero, (try? await Task.sleep(for: .nanoseconds(span.nanoseconds))) == nil { return }
        if !Task.isCancelled { await act() }
      })
  }

  private func strike(_ planned: PlannedFault) async {
    hasStruck = true
    switch planned.fault.kind {
    case .partition(let links, let lasting): return await breakLinks(planned, links, nil, lasting)
    case .disturbance(let links, let disturbance, let lasting):
      return await breakLinks(
        planned, links, .init(base: disturbance.delay, jitter: disturbance.jitter), lasting)
    default: break
    }
    for node in planned.nodes {
      switch planned.fault.kind {
      case .crash(_, let down):
        tell(node, "fault: killed, " + Self.back(down))
        await supervisor.kill(node, down: down, tearsFiles: false)
      case .tornWrite(_, let down):
        tell(node, "fault: killed while it writes, " + Self.back(down))
        await supervisor.kill(node, down: down, tearsFiles: true)
      case .pause(_, let lasting):
        tell(node, "fault: stopped for \(lasting.nanoseconds / 1_000_000) ms")
        await supervisor.pause(node)
        after(lasting) { await self.supervisor.resume(node) }
      case .failedSync, .lostSyncs, .flippedBit, .fullDisk, .clock, .partition, .disturbance: break
      }
    }
  }

  // MARK: Links

  private struct BrokenLinks {
    let links: Topology.Links
    /// Nothing gets through when nil.
    let delay: Obstruction.Delay?
  }

  private func breakLinks(
    _ planned: PlannedFault, _ links: Topology.Links, _ delay: Obstruction.Delay?, _ lasting: Span?
  ) async {
    broken[planned.number] = BrokenLinks(links: links, delay: delay)
    let ends = links.between.map(\.description).joined(separator: ", ")
    tell(ends, "fault: links of \(ends) are \(delay == nil ? "cut" : "slow")")
    await obstruct()
    guard let lasting else { return }
    after(lasting) { await self.heal(planned.number, ends) }
  }

  private func heal(_ number: Int, _ ends: String) async {
    broken[number] = nil
    tell(ends, "fault: links of \(ends) are whole again")
    await obstruct()
  }

  /// Tells every node what its actors do not hear, or late.
  private func obstruct() async {
    var obstructions: [String: [Obstruction]] = [:]
    let all = Set(placement.flatMap(\.actors))
    for number in broken.keys.sorted() {
      guard let links = broken[number]?.links else { continue }
      let subjects = all.filter { actor in links.between.contains { $0.fits(actor) } }
      let others =
        links.and.isEmpty ? all.subtracting(subjects) : all.filter { actor in links.and.contains { $0.fits(actor) } }
      for (node, actors) in placement {
        func add(_ senders: Set<ActorAddress>, _ receivers: Set<ActorAddress>) {
          let here = receivers.intersection(actors)
          guard !here.isEmpty else { return }
          obstructions[node, default: []].append(
            Obstruction(senders: senders, receivers: here, delay: broken[number]?.delay))
        }
        add(subjects, others)
        if !links.isOneWay { add(others, subjects) }
      }
    }
    await supervisor.obstruct(obstructions)
  }

  private static func back(_ down: Span?) -> String {
    down.map { "back in \($0.nanoseconds / 1_000_000) ms" } ?? "for good"
  }
}
