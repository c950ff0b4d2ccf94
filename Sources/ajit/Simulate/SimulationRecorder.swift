import Effects
import Messages
import Simulator
import Topology

/// Prints what happens in a simulation, and remembers when.
struct SimulationRecorder {
  private var scenario: Scenario
  private let json: Bool
  private let terminal: Terminal
  private(set) var milestones: [ActivationID: ScenarioReport.Milestones] = [:]

  init(_ topology: Topology, json: Bool, terminal: Terminal) {
    scenario = Scenario(topology)
    self.json = json
    self.terminal = terminal
  }

  mutating func take(_ actor: ActorAddress, _ observation: Observation, after elapsed: Span) {
    let now = World.start + elapsed
    if case .activation(let id, let step) = observation { note(id, step, at: now) }
    guard let news = scenario.take(actor, observation, at: now) else { return }
    if json {
      // Nothing in a news line can fail to be encoded.
      try? JSONLine.print(NewsLine(news, elapsed: elapsed))
    } else if news.isForPeople {
      Terminal.write(lines: news.lines(elapsed: elapsed, terminal))
    }
  }

  private mutating func note(_ id: ActivationID, _ step: ActivationStep, at now: Instant) {
    var milestones = milestones[id] ?? .init()
    switch step {
    case .requested: milestones.requestedAt = now
    case .sliceRejected(let reason, let recommended):
      milestones.rejection = reason
      milestones.counterOffer = recommended
      milestones.answeredAt = now
    case .reserved(let startAt):
      milestones.answeredAt = now
      milestones.startAt = startAt
    case .ended: milestones.endedAt = now
    default: return
    }
    self.milestones[id] = milestones
  }
}

extension ResultLine.Simulated {
  init(_ result: SimulationResult) {
    self.init(
      seed: result.seed, traceHash: result.traceHash.hexadecimal, virtualMs: result.duration.nanoseconds / 1_000_000,
      events: result.events)
  }
}

extension ScenarioReport {
  init(_ topology: Topology, _ result: SimulationResult, milestones: [ActivationID: Milestones]) {
    let planned = topology.customers.flatMap { customer in customer.activations.map { (customer.name, $0) } }
    let activations = zip(planned, result.activations).map { planned, outcome in
      let end: End =
        switch outcome.end {
        case .ended(let result): .ended(result)
        case .refused(let reason): .refused(reason)
        case .unfinished(let state): .underWay(state?.name ?? "not on the ledger")
        }
      var activation = Activation(
        planned: planned.1, customer: planned.0, topology: topology, id: outcome.id,
        end: end, milestones: outcome.id.flatMap { milestones[$0] } ?? .init())
      if !outcome.excused.isEmpty { activation.excuse = "faults" }
      return activation
    }
    self.init(
      name: topology.name, activations: activations, height: result.heights.max() ?? 0,
      isConserved: result.money?.isConserved == true, problems: Self.problems(result),
      remarks: [
        "seed         \(result.seed)",
        "trace hash   \(result.traceHash.hexadecimal)",
        "virtual time \(Wording.seconds(result.duration)), \(Wording.counted(result.events, "event"))",
      ] + (result.struck.isEmpty ? [] : ["faults       \(result.struck.count) came"]), origin: World.start)
    isPartial = result.ending == .satisfied
  }

  /// What a simulation finds wrong beyond single activations and money, which the report has already.
  private static func problems(_ result: SimulationResult) -> [String] {
    result.failures.filter { !["money", "expect"].contains($0.name) }.map(\.description)
  }
}

/// Virtual time per real time.
struct Speed: CustomStringConvertible {
  let virtual: Span
  let real: Span

  init(_ virtual: Span, in real: Duration) {
    self.virtual = virtual
    let (seconds, attoseconds) = real.components
    self.real = Span(nanoseconds: seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  var virtualPerReal: Int64 { virtual.nanoseconds / max(1, real.nanoseconds) }

  var description: String {
    "\(Wording.seconds(virtual)) in \(Wording.milliseconds(real)): \(virtualPerReal) virtual seconds in a real one"
  }
}

extension Topology {
  /// What the simulated applications send, all of it: a simulation moves packets in batches and thins none out.
  var plannedPackets: String {
    var perSecond: UInt64 = 0
    for customer in customers {
      for activation in customer.activations {
        for stream in [activation.up, activation.down, activation.stray] { perSecond += stream.packetsPerSecond }
      }
      for acceptance in customer.accepts { perSecond += acceptance.traffic.packetsPerSecond }
    }
    return "\(perSecond) packets/s when everybody sends"
  }
}
