import Messages
import Signing
import Wire

/// Stitches slices (paper §3.2.1): finds the cheapest way from a cell to an endpoint or another cell, through the chain
/// of network functions, that keeps delay and loss and is free during the whole window, or says why there is none.
///
/// A pure function of request, calendar and substrate; what the planner keeps between calls only makes it faster.
public struct SlicePlanner: Sendable {
  public let substrate: Substrate
  private var bounds: [PathBounds.Key: PathBounds] = [:]
  /// Oldest first.
  private var boundsKeys: [PathBounds.Key] = []

  /// Pairs of destination and chain whose bounds are kept.
  static let maximumKeptBounds = 16

  public init(substrate: Substrate) {
    self.substrate = substrate
  }

  /// Plans a slice on what is free. Reserves nothing: hold the plan next.
  ///
  /// - Parameters:
  ///   - calendar: the reservations on the planner's own substrate.
  ///   - latest: where nothing is free in the request's window, the same for as long is tried later, from no later
  ///     than this (an advance booking may begin anywhere between its earliest and its latest start).
  public mutating func plan(
    _ request: SliceRequest, startingBy latest: Instant? = nil, in calendar: ReservationCalendar
  ) throws(Infeasible) -> SlicePlan {
    let problem = try self.problem(for: request)
    let bounds = self.bounds(for: problem.boundsKey)
    var search = PathSearch(problem, substrate: substrate, bounds: bounds, calendar: calendar)
    switch search.run() {
    case .found(let path): return plan(path, for: problem, sharing: request.sharing)
    case .searchLimit: throw Infeasible(.searchLimit)
    case .none: break
    }
    var diagnosis = Diagnosis(
      problem: problem, requirements: request.requirements, substrate: substrate, bounds: bounds, calendar: calendar)
    if let latest, let (path, window) = diagnosis.later(startingBy: latest) {
      var postponed = problem
      postponed.window = window
      return plan(path, for: postponed, sharing: request.sharing)
    }
    throw diagnosis.infeasible()
  }

  /// Plans another slice for somebody who holds one already (a handover, a further segment). Its flow runs over one of
  /// them at a time, so what they share is there once: the search sees the network as if the holder had nothing.
  public mutating func plan(
    _ request: SliceRequest, beside holder: ActivationID, in calendar: inout ReservationCalendar
  ) throws(Infeasible) -> SlicePlan {
    calendar.setAside(holder)
    defer { calendar.putBack(holder) }
    return try plan(request, in: calendar)
  }

  /// The same way for another window and rate, where that is free and keeps the limits; else another way.
  public mutating func prolong(
    _ plan: SlicePlan, _ request: SliceRequest, of holder: ActivationID, in calendar: inout ReservationCalendar
  ) throws(Infeasible) -> SlicePlan {
    let requirements = request.requirements
    var same = plan
    same.window = requirements.window
    same.throughputUp = requirements.throughputUp
    same.throughputDown = requirements.throughputDown
    same.sharing = request.sharing
    same.reservation = 0
    let functions = plan.steps.compactMap { if case .place(let kind, _) = $0 { kind } else { nil } }
    if functions == request.functionChain, plan.predictedDelay <= requirements.maximumDelay,
      plan.predictedLoss <= requirements.maximumLoss, !crosses(same, request.avoided),
      let demands = try? same.demands(on: substrate), calendar.isFree(demands, during: same.window, for: holder)
    {
      return same
    }
    return try self.plan(request, beside: holder, in: &calendar)
  }

  /// Whether the way leads over one of the nodes, its two ends excepted.
  private func crosses(_ plan: SlicePlan, _ names: [String]) -> Bool {
    guard !names.isEmpty else { return false }
    return plan.steps.contains { step in
      guard case .cross(let link, let direction) = step else { return false }
      let node = substrate[link].end(direction)
      return node != plan.cell && node != plan.destination && names.contains(substrate[node].name)
    }
  }

  private func plan(_ path: Path, for problem: PathProblem, sharing: ServiceTerms.Sharing) -> SlicePlan {
    SlicePlan(
      substrate: substrate.fingerprint, cell: NodeID(problem.cell), destination: NodeID(problem.destination),
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
    let cell = try self.cell(named: request.cell)
    let destination = try self.destination(request.destination)
    for kind in request.functionChain where !substrate.hosts(kind) {
      throw Infeasible(.networkFunctionMissing(kind: kind))
    }
    let problem = PathProblem(
      cell: cell.index, destination: destination.index,
      chain: cell == destination ? [PathProblem.turn] + request.functionChain : request.functionChain,
      avoided: Set(request.avoided.compactMap { substrate.node(named: $0)?.index }),
      exclusive: request.sharing == .exclusive, up: 0, down: 0, window: requirements.window)
    return problem.with(requirements)
  }

  private func cell(named name: String) throws(Infeasible) -> NodeID {
    guard let cell = substrate.node(named: name), substrate[cell].attachment == .cell else {
      throw Infeasible(.areaNotServed(cell: name))
    }
    return cell
  }

  private func destination(_ destination: SliceRequest.Destination) throws(Infeasible) -> NodeID {
    switch destination {
    case .cell(let name): return try cell(named: name)
    case .endpoint(let name):
      guard let endpoint = substrate.node(named: name), substrate[endpoint].attachment == .endpoint else {
        throw Infeasible(.unknownEndpoint(name))
      }
      return endpoint
    }
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
