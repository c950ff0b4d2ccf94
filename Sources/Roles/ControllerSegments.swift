import Effects
import Messages
import Metering
import Signing
import Slicing

/// Extend and Renegotiate: the customer signs first, the controller looks whether it can keep the promise, holds what
/// it takes, signs the same bytes and brings both to the ledger (sla.md, "The activation").
extension ControllerCore {
  /// A renegotiated segment begins with the first epoch that starts late enough after its block; the slice is held for
  /// as many epochs more, should the block come late.
  static let renegotiationSlackEpochs: UInt64 = 4

  mutating func segmentProposed(_ token: ReplyToken, _ envelope: Envelope, _ turn: inout Turn) {
    func refuse(_ code: RemoteError.Code, _ text: String) { turn.add(.refuse(token, RemoteError(code, text))) }
    guard let order = try? envelope.decode(SegmentOrder.self) else {
      return refuse(.invalidArgument, "not a segment order")
    }
    guard isReady, let job = jobs[order.activation], let service = job.service else {
      return refuse(isReady ? .notFound : .unavailable, "no such activation runs at this operator")
    }
    guard envelope.signer == job.payer else {
      return refuse(.permissionDenied, "not signed by who pays for this activation")
    }
    let segments = service.parties.segments
    if order.index < UInt64(segments.count) { return turn.add(.reply(token, .acknowledged)) }
    if let stitching = job.stitching {
      if case .segment(let held, _, _) = stitching.goal, held.asksTheSame(as: order) {
        return turn.add(.reply(token, .acknowledged))
      }
      return refuse(.unavailable, "another change is under way: once more, please")
    }
    guard service.confirmation.startAt <= turn.now, let end = job.end, turn.now < end, !job.isClosing,
      !job.isCutShort
    else { return refuse(.failedPrecondition, "the activation is not running") }
    guard order.plan == planInForce(service), order.expiry > follower.height + Self.carrierLifetime else {
      return refuse(.failedPrecondition, "the order names a plan that is not in force, or is about to expire")
    }
    guard let terms = contracts[order.contract], let current = segments.last,
      order.index == UInt64(segments.count), (1...ContractTerms.maximumEpochs).contains(order.epochs),
      segments.count < ActivationLimits.segments,
      terms.id == current.terms.id
        || (terms.metering == job.terms.metering && terms.deadlines == job.terms.deadlines)
    else { return refuse(.invalidArgument, "no segment that could follow") }
    guard let from = firstEpoch(of: order, service, job, turn.now) else {
      return refuse(.failedPrecondition, "too late: the running segment ends before another could begin")
    }
    guard let plan = plan(order, terms, from: from, job, turn.now) else {
      return refuse(.failedPrecondition, RejectionReason.capacity.text)
    }
    let isHeld = stitch(order.activation, plan, latest: .distantFuture, &turn) { _ in
      .segment(order, from: from, byCustomer: envelope)
    }
    guard isHeld else { return refuse(.failedPrecondition, RejectionReason.capacity.text) }
    turn.add(.reply(token, .acknowledged))
    advance(order.activation, &turn)
  }

  /// The one that the ledger has: ConfirmSlice's, or the last handover's.
  private func planInForce(_ service: Service) -> Digest {
    let handovers = service.updates.compactMap { update -> SliceHandover? in
      if case .handover(let handover, _, _) = update { handover } else { nil }
    }
    return handovers.last?.plan ?? service.confirmation.planHash
  }

  /// - Returns: nil when it is too late.
  private func firstEpoch(
    of order: SegmentOrder, _ service: Service, _ job: Job, _ now: Instant
  ) -> EpochNumber? {
    let lead = job.terms.deadlines.startLead
    let ready = now + lead + Self.confirmationMargin
    if order.contract == service.parties.segments.last?.terms.id {
      return (job.start(of: job.epochs) ?? .zero) >= ready ? job.epochs : nil
    }
    let length = job.terms.metering.epoch.nanoseconds
    let elapsed = max(0, (now + lead - service.confirmation.startAt).nanoseconds)
    let from = EpochNumber((elapsed + length - 1) / length)
    return from < job.epochs ? from : nil
  }

  /// The way in force, prolonged, where that is possible.
  private mutating func plan(
    _ order: SegmentOrder, _ terms: ContractTerms, from: EpochNumber, _ job: Job, _ now: Instant
  ) -> SlicePlan? {
    let isExtension = from == job.epochs
    let slack = isExtension ? 0 : Self.renegotiationSlackEpochs
    guard let start = job.start(of: from),
      let last = job.start(of: from + order.epochs + slack),
      let current = job.slices.last(where: { $0.slice.state == .confirmed })?.slice.plan
    else { return nil }
    let substrate = configuration.substrate
    let destination = substrate[current.destination]
    let request = sliceRequest(
      cell: substrate[current.cell].name,
      destination: destination.attachment == .cell ? .cell(destination.name) : .endpoint(destination.name),
      under: [terms], TimeWindow(from: start, to: last + terms.metering.grace), now)
    return try? planner.prolong(current, request, of: order.activation, in: &calendar)
  }

  // MARK: On the ledger

  mutating func amended(_ order: SegmentOrder, from: EpochNumber, _ turn: inout Turn) {
    let activation = order.activation
    guard let job = jobs[activation], let service = job.service, let terms = contracts[order.contract] else { return }
    let isRenegotiation = service.parties.segments.last?.terms.id != order.contract
    let reservation = carried(activation, &turn) { action in
      switch action {
      case .extend(let byCustomer, _), .renegotiate(let byCustomer, _):
        (try? byCustomer.decode(SegmentOrder.self)) == order
      default: false
      }
    }
    let update = BookingUpdate.segment(order, terms, from: from)
    guard jobs[activation]?.service?.parties.apply(update) == true else {
      return turn.note("segment \(order.index) of \(activation.short) does not fit what is known of it", .warning)
    }
    jobs[activation]?.service?.epochsTold = job.epochs
    jobs[activation]?.service?.updates.append(update)
    assignToAll(.update(update), of: activation)
    guard isRenegotiation, let reservation, let start = job.start(of: from) else { return }
    supersede(activation, by: reservation, at: start + job.terms.metering.grace)
    let window = job.slices.first { $0.slice.id == reservation }?.slice.plan.window
    if let window, let end = job.end, window.to < end {
      turn.note("segment \(order.index) of \(activation.short) began later than its slice was held for", .warning)
    }
  }
}
