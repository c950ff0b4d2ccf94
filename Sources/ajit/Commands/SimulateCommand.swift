import ArgumentParser
import Effects
import Messages
import Signing
import Simulator
import Topology

struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Run a topology in virtual time: the same actors, a seeded network, no sockets.",
    discussion: """
      ajit simulate topologies/congested.yaml
      ajit simulate topologies/congested.yaml --seed 7 --json

      The same file, seed and program give the same history in any build; the trace hash tells. Checks that no promise \
      of the protocol was broken on the way. Exit status 0 when every activation ended as its `expect:` says and money \
      is conserved, 2 when not.
      """)

  @Argument(help: "Topology file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: "Seed of everything random; the topology's own if left out.")
  var seed: UInt64?

  @Flag(help: "One JSON object per line; the last has type `result`.")
  var json = false

  func run() async throws {
    try await reporting {
      let (topology, _) = try Files.topology(file)
      let terminal = Terminal()
      var recorder = SimulationRecorder(topology, json: json, terminal: terminal)
      let simulation = Simulation(topology: topology, seed: seed ?? topology.seed)
      let result: SimulationResult
      do {
        result = try simulation.run { recorder.take($1, $2, after: $0) }
      } catch {
        throw CommandFailure(.badData, "\(file): this topology cannot be simulated: \(error)")
      }
      let report = ScenarioReport(topology, result, milestones: recorder.milestones)
      if json {
        try JSONLine.print(ResultLine(report, simulation: .init(result)))
      } else {
        Terminal.write(lines: ScenarioTables(report: report, terminal: terminal).lines())
      }
      return report.status
    }
  }
}

/// Prints what happens in a simulation, and remembers when.
private struct SimulationRecorder {
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
      return Activation(
        planned: planned.1, customer: planned.0, topology: topology, id: outcome.id,
        end: end, milestones: outcome.id.flatMap { milestones[$0] } ?? .init())
    }
    self.init(
      name: topology.name, activations: activations, height: result.heights.max() ?? 0,
      isConserved: result.money?.isConserved == true, problems: Self.problems(result),
      remarks: [
        "seed         \(result.seed)",
        "trace hash   \(result.traceHash.hexadecimal)",
        "virtual time \(Wording.seconds(result.duration)), \(Wording.counted(result.events, "event"))",
      ], origin: World.start)
  }

  /// What a simulation finds wrong beyond single activations and money, which the report has already.
  private static func problems(_ result: SimulationResult) -> [String] {
    var problems: [String] = []
    if result.ending != .satisfied { problems.append("ended by \(result.ending) before every activation was over") }
    if !result.membersAgree { problems.append("two members hold different blocks at one height") }
    problems += result.violations.map(\.description)
    problems += result.halts.map { "\($0.actor) stopped: \($0.reason)" }
    problems += result.refusals.map { "refused \($0.count) times: \($0.what)" }
    return problems
  }
}
