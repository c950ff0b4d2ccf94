import Messages

/// One constrained path to find: least of one metric, within limits of the others, on what is free.
struct PathProblem: Sendable {
  enum Objective: Sendable {
    case cost, delay, loss
  }

  let cell: Int
  let endpoint: Int
  let chain: [String]
  let exclusive: Bool
  var up: UInt64
  var down: UInt64
  var window: TimeWindow
  /// Nanoseconds; nil for no limit.
  var maximumDelay: Int64?
  /// Femtonepers (see ``LossExponent``); nil for no limit.
  var maximumLoss: Int64?
  var objective = Objective.cost

  var boundsKey: PathBounds.Key {
    PathBounds.Key(endpoint: endpoint, chain: chain, carriesUp: up > 0, carriesDown: down > 0)
  }

  /// The same problem with other requirements.
  func with(_ requirements: SliceRequirements) -> PathProblem {
    var problem = self
    // More than anything can carry is as infeasible as ever so much more, and cannot overflow.
    problem.up = min(requirements.throughputUp, Substrate.maximumCapacity + 1)
    problem.down = min(requirements.throughputDown, Substrate.maximumCapacity + 1)
    problem.window = requirements.window
    problem.maximumDelay = requirements.maximumDelay.nanoseconds
    problem.maximumLoss = LossExponent(partsPerBillion: requirements.maximumLoss).femtonepers
    return problem
  }

  /// The same problem without limits on delay or loss, or with another metric to minimise.
  func relaxed(delay: Bool = false, loss: Bool = false, objective: Objective = .cost) -> PathProblem {
    var problem = self
    if delay { problem.maximumDelay = nil }
    if loss { problem.maximumLoss = nil }
    problem.objective = objective
    return problem
  }
}

/// A way through the layered graph.
struct Path: Sendable {
  let steps: [SlicePlan.Step]
  let cost: Int64
  let delay: Int64
  let loss: Int64
}

enum PathOutcome: Sendable {
  case found(Path)
  /// No path satisfies the problem.
  case none
  /// Gave up: not known.
  case searchLimit

  var path: Path? { if case .found(let path) = self { path } else { nil } }
}
