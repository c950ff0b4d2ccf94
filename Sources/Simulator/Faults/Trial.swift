import Effects
import Messages
import Signing
import Topology

/// One topology, tried with many seeds: runs a seed with the faults of the file and of chaos, and makes the schedule of
/// one that fails as small as it can.
public struct Trial: Sendable {
  public let topology: Topology
  public let conditions: NetworkConditions
  public let chaos: ChaosLevel?
  /// Virtual time of a run; until everything is over when nil.
  public let duration: Span?
  /// Virtual time after which a run that is not over has failed.
  public let timeLimit: Span

  public init(
    _ topology: Topology, conditions: NetworkConditions = .calm, chaos: ChaosLevel? = nil, duration: Span? = nil,
    timeLimit: Span = Simulation.standardTimeLimit
  ) {
    self.topology = topology
    self.conditions = conditions
    self.chaos = chaos
    self.duration = duration
    self.timeLimit = timeLimit
  }

  /// What came of one seed.
  public struct Outcome: Sendable {
    public let seed: UInt64
    public let faults: [Fault]
    public let result: SimulationResult

    /// The first promise that did not hold; nil when all did.
    public var failure: SimulationResult.Failure? { result.failures.first }
  }

  public func run(
    seed: UInt64, observer: @escaping (Span, ActorAddress, Observation) -> Void = { _, _, _ in }
  ) throws -> Outcome {
    try run(seed: seed, faults: faults(seed: seed), observer: observer)
  }

  /// A schedule as short as it can be made that fails in the same way.
  public func shrink(_ outcome: Outcome) throws -> Shrinking {
    try Shrinking(outcome.faults) { faults in
      try run(seed: outcome.seed, faults: faults).failure?.name == outcome.failure?.name
    }
  }

  /// The file's own, and what chaos draws for this seed.
  public func faults(seed: UInt64) -> [Fault] {
    guard let chaos else { return topology.faults }
    return topology.faults
      + Chaos.schedule(chaos, seed: seed, topology: topology, horizon: duration ?? topology.plannedSpan)
  }

  private func run(
    seed: UInt64, faults: [Fault], observer: @escaping (Span, ActorAddress, Observation) -> Void = { _, _, _ in }
  ) throws -> Outcome {
    let simulation = Simulation(
      topology: topology, seed: seed, conditions: conditions, faults: faults,
      timeLimit: duration ?? timeLimit, runsFullTime: duration != nil)
    return Outcome(seed: seed, faults: faults, result: try simulation.judge(observer: observer))
  }

  /// One hash for many runs, in their order.
  public static func hash(_ hashes: [Digest]) -> Digest {
    if let only = hashes.first, hashes.count == 1 { return only }
    return Digest(label: "AJIT traces", hashes.flatMap(\.bytes))
  }
}

extension Topology {
  /// About how long its activations take, from the network's start to the last epoch's end.
  var plannedSpan: Span {
    let ends = customers.flatMap(\.activations).map { activation -> Span in
      guard let contract = contract(activation.contract) else { return activation.at + activation.startWithin }
      let epochs = activation.epochs + activation.amendments.reduce(0) { $0 + $1.epochs }
      let served = Int64(clamping: epochs) * contract.metering.epoch.nanoseconds
      return activation.at + activation.startIn + .seconds(2) + Span(nanoseconds: served)
    }
    return (ends.max() ?? .zero) + .seconds(2)
  }
}
