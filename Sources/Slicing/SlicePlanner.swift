import Messages
import Signing
import Wire

/// Stitches slices (paper §3.2.1): finds the cheapest way from cell to endpoint, through the chain of network
/// functions, that keeps delay and loss and is free during the whole window, or says why there is none.
///
/// A pure function of request, calendar and substrate; what the planner keeps between calls only makes it faster.
public struct SlicePlanner: Sendable {
  public let substrate: Substrate
  private var bounds: [PathBounds.Key: PathBounds] = [:]
  /// Oldest first.
  private var boundsKeys: [PathBounds.Key] = []

  /// Pairs of endpoint and chain whose bounds are kept.
  static let maximumKeptBounds = 16

  public init(substrate: Substrate) {
    self.substrate = substrate
  }

  /// Plans a slice on what is free. Reserves nothing: hold the plan next.
  ///
  /// - Parameter calendar: the reservations on the planner's own substrate.
  public mutating func plan(_ request: SliceRequest, in calendar: ReservationCalendar) throws(Infeasible) -> SlicePlan {
    let problem = try self.problem(for: request)
    let bounds = self.bounds(for: problem.boundsKey)
    var search = PathSearch(problem, substrate: substrate, bounds: bounds, calendar: calendar)
    switch search.run() {
    case .found(let path): return plan(path, for: problem, sharing: request.sharing)
    case .searchLimit: throw Infeasible(.searchLimit)
    case .none:
      var diagnosis = Diagnosis(
        problem: problem, requirements: request.requirements, substrate: substrate, bounds: bounds,
        calendar: calendar)
      throw diagnosis.infeasible()
    }
  }

  private func plan(_ path: Path, for problem: PathProblem, sharing: ServiceTerms.Sharing) -> SlicePlan {
    SlicePlan(
      substrate: substrate.fingerprint, cell: NodeID(problem.cell), endpoint: NodeID(problem.endpoint),
      steps: path.steps, sharing: sharing, throughputUp: problem.up, throughputDown: problem.down,
      window: problem.window, predictedDelay: Span(nanoseconds: path.delay),
      predictedLoss: LossExponent(femtonepers: path.loss).partsPerBillion, cost: UInt64(path.cost))
  }

  private func problem(for request: SliceRequest) throws(Infeasible) -> PathProblem {
    let requirements = request.requirements
    guard requirements.window.from < requirements.window.to else { throw Infeasible(.malformed("empty window")) }
    guard request.functionChain.count <= ServiceTerms.maximumFunctions else {
      throw Infeasible(.malformed("more than \(ServiceTerms.maximumFunctions) network functions"))
    }
    guard requirements.throughputUp > 0 || requirements.throughputDown > 0 else {
      throw Infeasible(.malformed("no throughput in either direction"))
    }
    guard let cell = substrate.node(named: request.cell), substrate[cell].attachment == .cell else {
      throw Infeasible(.areaNotServed(cell: request.cell))
    }
    guard let endpoint = substrate.node(named: request.endpoint), substrate[endpoint].attachment == .endpoint else {
      throw Infeasible(.unknownEndpoint(request.endpoint))
    }
    for kind in request.functionChain where !substrate.hosts(kind) {
      throw Infeasible(.networkFunctionMissing(kind: kind))
    }
    let problem = PathProblem(
      cell: cell.index, endpoint: endpoint.index, chain: request.functionChain,
      exclusive: request.sharing == .exclusive, up: 0, down: 0, window: requirements.window)
    return problem.with(requirements)
  }

  private mutating func bounds(for key: PathBounds.Key) -> PathBounds {
    if let kept = bounds[key] { return kept }
    if boundsKeys.count == Self.maximumKeptBounds { bounds[boundsKeys.removeFirst()] = nil }
    let new = PathBounds(key, on: substrate)
    bounds[key] = new
    boundsKeys.append(key)
    return new
  }
}
