import ArgumentParser
import Messages
import Simulator
import Topology

struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Run a topology in virtual time: the same actors, a seeded network, no sockets.",
    discussion: """
      ajit simulate topologies/congested.yaml
      ajit simulate topologies/congested.yaml --seed 7 --json
      ajit simulate topologies/platoon.yaml --seeds 1..<201 --chaos high

      The same file, seed and program give the same history in any build; the trace hash tells. What goes wrong is \
      what the file says under `faults:`, and with --chaos what is drawn from the seed besides.

      Exit status 0 when no promise of the protocol was broken, every activation ended as its `expect:` says and money \
      is conserved; 2 when not, after saying for each failing seed what was broken first, the command that shows it \
      again, and a topology file with as few faults as still break it. A fault excuses a difference from `expect:` \
      only where the same run without faults has none and the fault hit somebody whom the activation depends on; never \
      that it does not end, and never an operator's penalty when none of that operator's actors was hit.
      """)

  @Argument(help: "Topology file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: "Seed of everything random; the topology's own if left out.")
  var seed: UInt64?

  @Option(help: "Many seeds, one after the other: 1..<201.")
  var seeds: SeedRange?

  @Option(name: .customLong("for"), help: "Virtual time to run; until every activation is over if left out.")
  var duration: SpanArgument?

  @Option(help: "Virtual time after which what is not over has failed; ten minutes if left out.")
  var limit: SpanArgument?

  @Option(help: "Draw faults from the seed: \(ChaosLevel.allCases.map(\.rawValue).joined(separator: ", ")).")
  var chaos: ChaosLevel?

  @Option(help: "The control network: \(NetworkPreset.names).")
  var network = NetworkPreset.calm

  @Option(help: "Where schedules that were made small are written.", completion: .directory)
  var failures = "\(DataOption.home)/failures"

  @Flag(help: "One JSON object per line; the last has type `result`.")
  var json = false

  func validate() throws {
    if duration != nil, limit != nil {
      throw ValidationError("--for ends a run in order, --limit a failed one: leave one out")
    }
    if seed != nil, seeds != nil { throw ValidationError("either one --seed or many --seeds: leave one out") }
  }

  func run() async throws {
    try await reporting {
      let (topology, text) = try Files.topology(file)
      let trial = Trial(
        topology, conditions: network.conditions, chaos: chaos, duration: duration?.span,
        timeLimit: limit?.span ?? Simulation.standardTimeLimit)
      let failures = FailureReporter(trial, file: file, text: text, directory: failures, options: replayOptions)
      do {
        guard let seeds else { return try one(trial, seed ?? topology.seed, failures) }
        return try SeedTrials(trial, seeds: seeds, json: json, failures: failures).run()
      } catch let error as CommandFailure {
        throw error
      } catch {
        throw CommandFailure(.badData, "\(file): this topology cannot be simulated: \(error)")
      }
    }
  }

  /// One seed, with everything that happens on the way.
  private func one(_ trial: Trial, _ seed: UInt64, _ failures: FailureReporter) throws -> CommandStatus {
    let terminal = Terminal()
    var recorder = SimulationRecorder(trial.topology, json: json, terminal: terminal)
    let clock = ContinuousClock()
    let began = clock.now
    let outcome = try trial.run(seed: seed) { recorder.take($1, $2, after: $0) }
    let speed = Speed(outcome.result.duration, in: clock.now - began)
    var report = ScenarioReport(trial.topology, outcome.result, milestones: recorder.milestones)
    report.remarks += ["packets      as planned: \(trial.topology.plannedPackets)", "speed        \(speed)"]
    let failure = try failures.failure(outcome)
    if json {
      var line = ResultLine(report, simulation: .init(outcome.result))
      line.seeds = 1
      line.failures = failure.map { [$0] } ?? []
      line.traceHash = outcome.result.traceHash.hexadecimal
      try JSONLine.print(line)
    } else {
      Terminal.write(lines: ScenarioTables(report: report, terminal: terminal).lines())
      if let failure { Terminal.write(lines: failure.lines) }
    }
    return failure == nil ? report.status : .notAsExpected
  }

  /// What a command that shows the same thing again needs besides file and seed.
  private var replayOptions: FailureReporter.Options {
    var options: [String] = []
    if network != .calm { options += ["--network", network.rawValue] }
    if let duration { options += ["--for", duration.text] }
    if let limit { options += ["--limit", limit.text] }
    return FailureReporter.Options(always: options, chaos: chaos.map { ["--chaos", $0.rawValue] } ?? [])
  }
}

/// `1..<201` on the command line.
struct SeedRange: ExpressibleByArgument, Equatable {
  let range: Range<UInt64>

  /// Of one command.
  static let maximumSeeds: UInt64 = 1_000_000

  init?(argument: String) {
    let parts = argument.split(separator: "..<", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let first = UInt64(parts[0]), let end = UInt64(parts[1]), first < end,
      end - first <= Self.maximumSeeds
    else { return nil }
    range = first..<end
  }
}

/// A control network by name.
enum NetworkPreset: String, CaseIterable, ExpressibleByArgument {
  case calm, lossy

  static let names = allCases.map(\.rawValue).joined(separator: ", ")

  var conditions: NetworkConditions {
    switch self {
    case .calm: .calm
    case .lossy: .lossy
    }
  }
}

extension ChaosLevel: ExpressibleByArgument {}
