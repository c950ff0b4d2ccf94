import Effects
import Messages
import Metering
import Signing
import Slicing

/// An end of a running flow moves to another cell (paper §3.2; epoch rule 7): make before break. A new slice is
/// stitched while the old one is held, the new edge opens the service, then the ledger is told from which epoch on it
/// serves. The old slice is given back when the last packet of the epoch before has left it. Any failure on the way
/// leaves the old slice in force.
extension ControllerCore {
  /// Besides the contract's lead: for the domains, the new edge and the ledger.
  static let handoverMargin = Span.milliseconds(500)

  mutating func handoverRequested(
    _ token: ReplyToken, _ asker: ActorAddress, _ request: HandoverRequest, _ turn: inout Turn
  ) {
    let activation = request.activation
    func refuse(_ code: RemoteError.Code, _ text: String) { turn.add(.refuse(token, RemoteError(code, text))) }
    guard isReady, let job = jobs[activation], let service = job.service, let end = job.end, !job.isClosing else {
      return refuse(isReady ? .notFound : .unavailable, "no such activation runs at this operator")
    }
    guard service.parties.ends.contains(request.end), mayMove(request.end, of: job, asker) else {
      return refuse(.permissionDenied, "only its owner moves an end")
    }
    if service.parties.servings.last(where: { $0.end == request.end })?.cell == request.cell {
      return turn.add(.reply(token, .acknowledged))
    }
    if let stitching = job.stitching {
      if case .handover(let handover) = stitching.goal, handover.end == request.end, handover.cell == request.cell {
        return turn.add(.reply(token, .acknowledged))
      }
      return refuse(.unavailable, "another change is under way: once more, please")
    }
    guard let edge = edge(serving: request.cell),
      service.parties.segments.allSatisfy({ $0.terms.context.serviceArea.contains(request.cell) })
    else { return refuse(.failedPrecondition, RejectionReason.areaNotServed.text) }
    guard let from = firstEpoch(of: request.end, service, job, turn.now), from < job.epochs,
      let start = job.start(of: from)
    else { return refuse(.failedPrecondition, "too late: it is over before another edge could serve") }
    let plan: SlicePlan
    do throws(Infeasible) {
      let moved = cells(of: service.parties, in: from, with: request)
      let running = service.parties.segments.filter { $0.from + $0.bookedEpochs > from }.map(\.terms)
      plan = try planner.plan(
        sliceRequest(
          cell: moved.near, destination: moved.far, under: running, TimeWindow(from: start, to: end), turn.now),
        beside: activation, in: &calendar)
    } catch {
      return refuse(.failedPrecondition, "no slice to that cell: \(error.rejectionReason.text)")
    }
    let latest = start - job.terms.deadlines.startLead
    let isHeld = stitch(activation, plan, latest: latest, &turn) { plan in
      .handover(
        SliceHandover(
          activation: activation, end: request.end, from: from, cell: request.cell, edge: edge.key, plan: plan.hash))
    }
    guard isHeld else { return refuse(.failedPrecondition, RejectionReason.capacity.text) }
    turn.add(.reply(token, .acknowledged))
    advance(activation, &turn)
  }

  /// The bus says who asks; genesis says whose the payer's key is, and the order names the other owner. A payer whom
  /// genesis does not know has no name on the bus either.
  private func mayMove(_ end: FlowEnd, of job: Job, _ asker: ActorAddress) -> Bool {
    guard asker.role == .customer else { return false }
    switch end {
    case .near:
      let owner = configuration.genesis.organisations.first { $0.keys.contains { $0.key == job.payer } }
      return owner?.name == asker.name
    case .far: return job.order.peer == asker.name
    }
  }

  /// The first epoch that another edge can serve; never before one that is handed over already.
  private func firstEpoch(of end: FlowEnd, _ service: Service, _ job: Job, _ now: Instant) -> EpochNumber? {
    let ready = now + job.terms.deadlines.startLead + Self.handoverMargin
    let startAt = service.confirmation.startAt
    let length = job.terms.metering.epoch.nanoseconds
    let elapsed = max(0, (ready - startAt).nanoseconds)
    let epoch = EpochNumber((elapsed + length - 1) / length)
    let latest = service.parties.servings.last { $0.end == end }?.from ?? 0
    guard service.parties.servings.count < ActivationLimits.handovers else { return nil }
    return max(1, epoch, latest + 1)
  }

  /// Both ends of the slice as they will be.
  private func cells(
    of parties: AccountParties, in epoch: EpochNumber, with request: HandoverRequest
  ) -> (near: String, far: SliceRequest.Destination) {
    func cell(_ end: FlowEnd) -> String? {
      request.end == end ? request.cell : parties.serving(end, in: epoch)?.cell
    }
    let order = jobs[request.activation]?.order
    let far: SliceRequest.Destination =
      parties.ends.contains(.far) ? .cell(cell(.far) ?? "") : .endpoint(order?.peer ?? "")
    return (cell(.near) ?? order?.cell ?? "", far)
  }

  // MARK: The new edge

  /// Before the transaction leaves, the edge that a handover leads to takes packets.
  /// - Returns: when to look again; nil when nothing has to be waited for.
  mutating func openForHandover(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    guard let stitching = jobs[activation]?.stitching, case .handover(let handover) = stitching.goal,
      let address = place(handover.edge)?.address
    else { return nil }
    guard
      let order = serviceOrder(activation, handover.end, from: handover.from, at: address, stitching.slice.plan)
    else { return nil }
    let line = jobs[activation]?.service?.lines.first { $0.address == address }
    if line?.duties.contains(.open(order)) ?? false { return stitching.deadline }
    if jobs[activation]?.stitching?.hasOpened == true { return nil }
    jobs[activation]?.stitching?.hasOpened = true
    open(order, at: address, of: activation)
    return stitching.deadline
  }

  // MARK: On the ledger

  mutating func handedOver(_ handover: SliceHandover, _ turn: inout Turn) {
    let activation = handover.activation
    guard let job = jobs[activation], let service = job.service, let address = place(handover.edge)?.address else {
      return
    }
    touched.append(activation)
    let reservation = carried(activation, &turn) { $0 == .handOver(handover) }
    let slice = job.slices.first { $0.slice.id == reservation }?.slice
    // After a crash the edge may not have been told yet. The order is the same as before.
    if service.lines.first(where: { $0.address == address && $0.ends.contains(handover.end) })?.port == nil,
      let order = serviceOrder(activation, handover.end, from: handover.from, at: address, slice?.plan)
    {
      open(order, at: address, of: activation)
    }
    let port = service.lines.first { $0.address == address }?.port
    let update = BookingUpdate.handover(handover, edge: address, port: port)
    guard jobs[activation]?.service?.parties.apply(update) == true else { return }
    jobs[activation]?.service?.updates.append(update)
    assignToAll(.update(update), of: activation)
    updateRoutes(activation)
    if let start = job.start(of: handover.from), let reservation {
      supersede(activation, by: reservation, at: start + job.terms.metering.grace)
    }
  }

  /// All earlier slices in force are given back when the last packet has left them.
  mutating func supersede(_ activation: ActivationID, by reservation: ReservationID, at instant: Instant) {
    let before = (jobs[activation]?.slices ?? []).map(\.slice).filter { $0.state == .confirmed && $0.id < reservation }
    for slice in before { jobs[activation]?.service?.superseded.append((slice.id, instant)) }
  }

  /// - Returns: when the next slice is to be given back.
  mutating func releaseSuperseded(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    var wake: Instant?
    for (reservation, instant) in jobs[activation]?.service?.superseded ?? [] {
      guard turn.now >= instant else {
        wake = earliest(wake, instant)
        continue
      }
      jobs[activation]?.service?.superseded.removeAll { $0.reservation == reservation }
      guard let slice = jobs[activation]?.slices.first(where: { $0.slice.id == reservation })?.slice else { continue }
      release(slice, &turn)
    }
    return wake
  }
}

extension RejectionReason {
  /// For people.
  var text: String {
    switch self {
    case .noRoute: "no route"
    case .capacity: "not enough capacity"
    case .delay: "the delay cannot be kept"
    case .loss: "the loss cannot be kept"
    case .networkFunctionMissing: "a network function is missing"
    case .areaNotServed: "the cell is not served"
    case .searchLimit: "the search was given up"
    case .policy: "not by this operator's policy"
    }
  }
}
