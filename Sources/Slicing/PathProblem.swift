import Messages

/// One constrained path to find: least of one metric, within limits of the others, on what is free.
struct PathProblem: Sendable {
  enum Objective: Sendable {
    case cost, delay, loss
  }

  let cell: Int
  /// The operator-side endpoint, or the far end's cell.
  let destination: Int
  /// What to pass on the way, in order: kinds of network functions, and ``turn``.
  let chain: [String]
  /// Nodes that the way must not touch, its two ends excepted.
  var avoided: Set<Int> = []
  let exclusive: Bool
  var up: UInt64
  var down: UInt64
  var window: TimeWindow
  /// Nanoseconds; nil for no limit.
  var maximumDelay: Int64?
  /// Femtonepers (see ``LossExponent``); nil for no limit.
  var maximumLoss: Int64?
  var objective = Objective.cost

  /// The first node beyond the cell, where a flow that stays in its cell turns round: from user to user it goes up the
  /// radio link and down again. Passed like a network function that any other node has and that takes nothing. No
  /// function has an empty kind.
  static let turn = ""

  var boundsKey: PathBounds.Key {
    PathBounds.Key(destination: destination, chain: chain, carriesUp: up > 0, carriesDown: down > 0)
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
