import Messages
import Signing
import Simulator
import Topology

/// Many seeds of one topology, one after the other; what fails is told at once.
struct SeedTrials {
  private let trial: Trial
  private let seeds: SeedRange
  private let json: Bool
  private let failures: FailureReporter

  init(_ trial: Trial, seeds: SeedRange, json: Bool, failures: FailureReporter) {
    self.trial = trial
    self.seeds = seeds
    self.json = json
    self.failures = failures
  }

  func run() throws -> CommandStatus {
    var failed: [FailureLine] = []
    var hashes: [Digest] = []
    var virtual = Span.zero
    var excused = 0
    let clock = ContinuousClock()
    let began = clock.now
    for seed in seeds.range {
      let outcome = try trial.run(seed: seed)
      hashes.append(outcome.result.traceHash)
      virtual = virtual + outcome.result.duration
      if outcome.result.activations.contains(where: { !$0.excused.isEmpty }) { excused += 1 }
      let failure = try failures.failure(outcome)
      if let failure { failed.append(failure) }
      if json {
        try JSONLine.print(SeedLine(outcome))
      } else if let failure {
        Terminal.write(lines: failure.lines)
      }
    }
    let hash = Trial.hash(hashes).hexadecimal
    if json {
      try JSONLine.print(
        SeedsLine(
          topology: trial.topology.name, seeds: hashes.count, firstSeed: seeds.range.lowerBound, failures: failed,
          excused: excused, traceHash: hash, virtualMs: virtual.nanoseconds / 1_000_000))
    } else {
      Terminal.write(lines: [
        "\(Wording.counted(hashes.count, "seed")), \(failed.count) failed; in \(excused) a fault explains what"
          + " `expect:` does not",
        "trace hash   \(hash)",
        "packets      as planned: \(trial.topology.plannedPackets)",
        "speed        \(Speed(virtual, in: clock.now - began))",
      ])
    }
    return failed.isEmpty ? .asExpected : .notAsExpected
  }
}

/// One seed of many, under `--json`.
struct SeedLine: Encodable {
  let type = "seed"
  let seed: UInt64
  let traceHash: String
  let virtualMs: Int64
  let events: UInt64
  let faults: Int
  /// What did not hold, worst first.
  let failures: [String]
  /// Differences from `expect:` that faults explain.
  let excused: [String]

  init(_ outcome: Trial.Outcome) {
    let result = outcome.result
    seed = outcome.seed
    traceHash = result.traceHash.hexadecimal
    virtualMs = result.duration.nanoseconds / 1_000_000
    events = result.events
    faults = result.struck.count
    failures = result.failures.map(\.description)
    excused = result.activations.flatMap { activation in activation.excused.map { "\(activation.label): \($0)" } }
  }
}

/// The last line of many seeds, under `--json`.
struct SeedsLine: Encodable {
  let type = "result"
  let topology: String
  /// How many.
  let seeds: Int
  let firstSeed: UInt64
  let failures: [FailureLine]
  /// Seeds in which faults explain a difference from `expect:`.
  let excused: Int
  /// Over the hashes of all seeds, in their order.
  let traceHash: String
  let virtualMs: Int64
}
