import Effects
import Messages
import Signing
import Slicing

/// Feasibility (3GPP TS 28.541 FeasibilityCheckAndReservationJob): whether an order can be served, and from when.
extension ControllerCore {
  /// - Returns: when it is to be decided.
  mutating func decideIfDue(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    guard let job = jobs[activation], job.service == nil, job.stitching == nil, job.errand(.reject) == nil else {
      return nil
    }
    guard turn.now >= job.notBefore else { return job.notBefore }
    decide(activation, job, &turn)
    return nil
  }

  private mutating func decide(_ activation: ActivationID, _ job: Job, _ turn: inout Turn) {
    let margin = Self.confirmationMargin * (1 << Int64(min(job.attempts, Self.maximumAttempts)))
    let earliest = max(turn.now + job.terms.deadlines.startLead + margin, job.order.earliestStart)
    guard let (startAt, latest) = starts(job, from: earliest, turn.now),
      job.attempts < Self.maximumAttempts
    else { return reject(activation, .policy, nil, &turn) }
    guard let edges = edges(for: job.order) else { return reject(activation, .areaNotServed, nil, &turn) }
    let window = TimeWindow(from: startAt, to: startAt + job.terms.serviceSpan(epochs: job.order.epochs))
    let request = sliceRequest(
      cell: job.order.cell, destination: destination(of: job.order), under: [job.terms], window, turn.now)
    do throws(Infeasible) {
      let plan = try planner.plan(request, startingBy: latest, in: calendar)
      let startAt = plan.window.from
      let isHeld = stitch(activation, plan, latest: startAt - job.terms.deadlines.startLead, &turn) { plan in
        .start(
          SliceConfirmation(
            activation: activation, planHash: plan.hash, startAt: startAt, edge: edges.near.key,
            peerEdge: edges.far?.key))
      }
      if !isHeld { reject(activation, .capacity, nil, &turn) }
    } catch {
      reject(activation, error.rejectionReason, error.recommended?.recommendation, &turn)
    }
  }

  mutating func reject(
    _ activation: ActivationID, _ reason: RejectionReason, _ recommended: RecommendedRequirements?, _ turn: inout Turn
  ) {
    guard jobs[activation]?.errand(.reject) == nil else { return }
    let rejection = SliceRejection(activation: activation, reason: reason, recommended: recommended)
    turn.add(.observe(.activation(activation, .sliceRejected(reason, recommended))))
    submit(.rejectSlice(rejection), for: .reject, of: activation)
  }

  // MARK: What is asked of the planner

  /// The first edge that serves the near cell, with the operator's endpoint or beside the one that serves the far cell.
  private func edges(for order: ActivationOrder) -> (near: EdgePlace, far: EdgePlace?)? {
    guard let peerCell = order.peerCell else {
      return configuration.edges.first { $0.cells.contains(order.cell) && $0.peers.contains(order.peer) }
        .map { ($0, nil) }
    }
    guard let near = edge(serving: order.cell), let far = edge(serving: peerCell) else { return nil }
    return (near, far)
  }

  func edge(serving cell: String) -> EdgePlace? { configuration.edges.first { $0.cells.contains(cell) } }

  private func destination(of order: ActivationOrder) -> SliceRequest.Destination {
    order.peerCell.map { .cell($0) } ?? .endpoint(order.peer)
  }

  /// - Parameter contracts: what runs within the window; the slice has to do for the most demanding of them.
  func sliceRequest(
    cell: String, destination: SliceRequest.Destination, under contracts: [ContractTerms], _ window: TimeWindow,
    _ now: Instant
  ) -> SliceRequest {
    let isExclusive = contracts.contains { $0.service.sharing == .exclusive }
    return SliceRequest(
      cell: cell, destination: destination, functionChain: contracts.last?.service.functionChain ?? [],
      sharing: isExclusive ? .exclusive : .shared,
      requirements: SliceRequirements(
        throughputUp: contracts.map(\.service.guaranteedUp).max() ?? 0,
        throughputDown: contracts.map(\.service.guaranteedDown).max() ?? 0,
        maximumDelay: contracts.map(\.sliceDelay).min() ?? .zero, maximumLoss: contracts.map(\.sliceLoss).min() ?? 0,
        window: window),
      avoided: underMaintenance(window, now))
  }

  // MARK: Maintenance

  /// What is announced by now, or being announced. Before that nobody knows of it, the planner included.
  private func plannedMaintenance(_ now: Instant) -> [PlannedMaintenance] {
    configuration.maintenance.filter { $0.notBefore <= now }
  }

  /// Nodes that are worked on at some time of the window.
  private func underMaintenance(_ window: TimeWindow, _ now: Instant) -> [String] {
    plannedMaintenance(now).filter { $0.announcement.window.overlaps(window) }
      .flatMap { $0.announcement.cells + $0.nodes }
  }

  /// An order is bound by what was announced before it. To one that is not, nothing can be promised while its own cell
  /// is worked on: it begins after that.
  private func afterMaintenance(_ job: Job, startAt: Instant, _ now: Instant) -> Instant {
    var startAt = startAt
    let cells = job.order.ends.compactMap { job.order.cell(of: $0) }
    let unbound = plannedMaintenance(now).map(\.announcement).filter { planned in
      !job.maintenance.contains(planned.window) && cells.contains(where: planned.cells.contains)
    }
    for planned in unbound.sorted(by: { ($0.window.from, $0.window.to) < ($1.window.from, $1.window.to) }) {
      let window = TimeWindow(from: startAt, to: startAt + job.terms.serviceSpan(epochs: job.order.epochs))
      if planned.window.overlaps(window) { startAt = planned.window.to }
    }
    return startAt
  }

  /// When it may begin: at the earliest what hours and maintenance allow, at the latest what order and hours do. Where
  /// maintenance could be in the way of a later start, only the earliest counts.
  /// - Returns: nil when the order leaves no start.
  private func starts(_ job: Job, from instant: Instant, _ now: Instant) -> (first: Instant, last: Instant)? {
    var first = instant
    // Each round leads past one more interruption.
    for _ in 0...configuration.maintenance.count {
      guard let (opening, last) = withinHours(job, from: first) else { return nil }
      first = afterMaintenance(job, startAt: opening, now)
      guard first == opening else { continue }
      let longest = TimeWindow(from: first, to: last + job.terms.serviceSpan(epochs: job.order.epochs))
      let isClear = !plannedMaintenance(now).contains { $0.announcement.window.overlaps(longest) }
      return (first, isClear ? last : first)
    }
    return nil
  }

  private func withinHours(_ job: Job, from instant: Instant) -> (first: Instant, last: Instant)? {
    let duration = job.terms.metering.epoch * Int64(clamping: job.order.epochs)
    let hours = job.terms.context.serviceTimes.sorted { ($0.from, $0.to) < ($1.from, $1.to) }
    let window = hours.first { max($0.from, instant) + duration <= $0.to }
    guard hours.isEmpty || window != nil else { return nil }
    let first = max(instant, window?.from ?? instant)
    let last = min(job.order.latestStart, window.map { $0.to - duration } ?? job.order.latestStart)
    return first <= last ? (first, last) : nil
  }
}

extension TimeWindow {
  func overlaps(_ other: TimeWindow) -> Bool { from < other.to && other.from < to }
}
