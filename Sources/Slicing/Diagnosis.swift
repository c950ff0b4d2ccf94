import Messages

/// Finds out why search found nothing, and what it would have found for a little less.
///
/// The reason asks an idle network first: capacity is to blame exactly if the request could be met were nothing
/// reserved. The recommendation relaxes what the reason names, as little as search can tell, and is the requirements
/// of a path that was found in the calendar as it stands.
struct Diagnosis {
  let problem: PathProblem
  let requirements: SliceRequirements
  let substrate: Substrate
  let bounds: PathBounds
  let calendar: ReservationCalendar

  /// Partial paths of all searches of one diagnosis; then it ends without a recommendation.
  static let maximumLabels = 4 * PathSearch.maximumLabels
  /// Throughput is recommended in steps of one part in so many of what was asked.
  static let throughputSteps: UInt64 = 1024
  /// Later windows that are tried.
  static let maximumPostponements = 16

  private var labelsLeft = Diagnosis.maximumLabels

  init(
    problem: PathProblem, requirements: SliceRequirements, substrate: Substrate, bounds: PathBounds,
    calendar: ReservationCalendar
  ) {
    self.problem = problem
    self.requirements = requirements
    self.substrate = substrate
    self.bounds = bounds
    self.calendar = calendar
  }

  mutating func infeasible() -> Infeasible {
    let reason = self.reason()
    return Infeasible(reason, recommended: recommendation(for: reason))
  }

  // MARK: Reason

  private mutating func reason() -> Infeasible.Reason {
    guard bounds.cost[problem.cell] < PathBounds.unreachable else { return .noRoute }
    switch find(problem, idle: true) {
    case .found(let path): return .capacity(at: tightest(on: path, idle: false))
    case .searchLimit: return .searchLimit
    case .none: break
    }
    // Not even an idle network can. Which limit is it?
    if let path = find(problem.relaxed(delay: true, objective: .delay), idle: true).path {
      return .delay(best: Span(nanoseconds: path.delay))
    }
    if let path = find(problem.relaxed(loss: true, objective: .loss), idle: true).path {
      return .loss(best: LossExponent(femtonepers: path.loss).partsPerBillion)
    }
    if let path = find(problem.relaxed(delay: true, loss: true, objective: .delay), idle: true).path {
      return path.delay > requirements.maximumDelay.nanoseconds
        ? .delay(best: Span(nanoseconds: path.delay))
        : .loss(best: LossExponent(femtonepers: path.loss).partsPerBillion)
    }
    guard labelsLeft > 0 else { return .searchLimit }
    // The chain and the links exist but were never built large enough.
    var least = problem.relaxed(delay: true, loss: true)
    least.up = min(problem.up, 1)
    least.down = min(problem.down, 1)
    guard let path = find(least, idle: true).path else { return .noRoute }
    return .capacity(at: tightest(on: path, idle: true))
  }

  /// The element of the path with the least room for what is asked; the first of equals.
  private func tightest(on path: Path, idle: Bool) -> Resource {
    let availability = Availability(problem, substrate: substrate, calendar: idle ? nil : calendar)
    var worst: (resource: Resource, shortage: Int64)?
    func consider(_ resource: Resource, asked: UInt64, free: UInt64) {
      let shortage = Int64(clamping: asked) - Int64(clamping: free)
      if let found = worst, found.shortage >= shortage { return }
      worst = (resource, shortage)
    }
    for step in path.steps {
      switch step {
      case .cross(let link, let direction):
        consider(.link(link, direction), asked: problem.up, free: availability.free(link.index, direction))
        consider(
          .link(link, direction.reversed), asked: problem.down,
          free: availability.free(link.index, direction.reversed))
      case .place(let kind, let node):
        let units = substrate[node].function(kind)?.computeUnits ?? 0
        consider(.compute(node), asked: units, free: availability.free(compute: node.index))
      }
    }
    return worst?.resource ?? .compute(NodeID(problem.cell))
  }

  // MARK: Recommendation

  private mutating func recommendation(for reason: Infeasible.Reason) -> SliceRequirements? {
    switch reason {
    case .capacity:
      // Half of what was asked now serves most customers better than all of it some other time.
      let widest = self.widest(requirements)
      if let widest, atLeastHalf(widest) { return widest }
      return later() ?? widest ?? slower() ?? lossier()
    case .delay: return slower() ?? slowerAndLossier()
    case .loss: return lossier() ?? slowerAndLossier()
    case .noRoute, .networkFunctionMissing, .areaNotServed, .unknownEndpoint, .malformed, .searchLimit: return nil
    }
  }

  private func atLeastHalf(_ found: SliceRequirements) -> Bool {
    found.throughputUp >= requirements.throughputUp / 2 && found.throughputDown >= requirements.throughputDown / 2
  }

  /// Both throughputs scaled down alike, as little as the step allows.
  private mutating func widest(_ base: SliceRequirements) -> SliceRequirements? {
    var (low, high): (UInt64, UInt64) = (0, Self.throughputSteps)
    var best: SliceRequirements?
    while high - low > 1 {
      let middle = (low + high) / 2
      var tried = base
      tried.throughputUp = scaled(base.throughputUp, by: middle)
      tried.throughputDown = scaled(base.throughputDown, by: middle)
      if find(problem.with(tried)).path != nil {
        best = tried
        low = middle
      } else {
        high = middle
      }
    }
    return best
  }

  /// At least 1 of what is not 0, so that the direction does not vanish.
  private func scaled(_ throughput: UInt64, by numerator: UInt64) -> UInt64 {
    guard throughput > 0 else { return 0 }
    let product = throughput.multipliedFullWidth(by: numerator)
    return max(1, Self.throughputSteps.dividingFullWidth(product).quotient)
  }

  private mutating func later() -> SliceRequirements? {
    guard let (_, window) = later(startingBy: .distantFuture) else { return nil }
    var found = requirements
    found.window = window
    return found
  }

  /// The same for as long, from the first moment at which enough has ended.
  mutating func later(startingBy latest: Instant) -> (path: Path, window: TimeWindow)? {
    guard requirements.window.from < latest, let ideal = find(problem, idle: true).path else { return nil }
    let length = requirements.window.to - requirements.window.from
    var tried = requirements
    for _ in 0..<Self.maximumPostponements {
      let end = ideal.steps.compactMap { step -> Instant? in
        switch step {
        case .cross(let link, _):
          [LinkDirection.forward, .backward].compactMap {
            calendar.firstFall(of: .link(link, $0), after: tried.window.from)
          }.min()
        case .place(_, let node): calendar.firstFall(of: .compute(node), after: tried.window.from)
        }
      }.min()
      guard let end, end <= latest, end + length > end else { return nil }
      tried.window = TimeWindow(from: end, to: end + length)
      if let path = find(problem.with(tried)).path { return (path, tried.window) }
    }
    return nil
  }

  private mutating func slower() -> SliceRequirements? {
    recommend(find(problem.relaxed(delay: true, objective: .delay)))
  }

  private mutating func lossier() -> SliceRequirements? {
    recommend(find(problem.relaxed(loss: true, objective: .loss)))
  }

  private mutating func slowerAndLossier() -> SliceRequirements? {
    recommend(find(problem.relaxed(delay: true, loss: true, objective: .delay)))
  }

  /// The limits of the request, widened to what the path found has.
  private func recommend(_ outcome: PathOutcome) -> SliceRequirements? {
    guard let path = outcome.path else { return nil }
    var found = requirements
    found.maximumDelay = max(requirements.maximumDelay, Span(nanoseconds: path.delay))
    found.maximumLoss = max(requirements.maximumLoss, LossExponent(femtonepers: path.loss).partsPerBillion)
    return found
  }

  private mutating func find(_ problem: PathProblem, idle: Bool = false) -> PathOutcome {
    guard labelsLeft > 0 else { return .searchLimit }
    var search = PathSearch(
      problem, substrate: substrate, bounds: bounds, calendar: idle ? nil : calendar, maximumLabels: labelsLeft)
    let outcome = search.run()
    labelsLeft -= search.labelCount
    return outcome
  }
}
