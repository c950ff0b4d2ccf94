import Effects
import Messages
import Signing
import Slicing

/// From a plan to a slice on the ledger, and back: held durably, allocated by every domain, then carried by a signed
/// transaction (paper §3.2.1; a slice is cut into sub-slices, one per domain, each acknowledged).
///
/// A crash at any point leaves nothing half-done. What is on disk says what remains: a hold without its transaction is
/// undone; with it, the same bytes are sent until the ledger answers or they expire; a released slice is let go of by
/// its domains until they say so, and by its edges as long as its transaction is kept.
extension ControllerCore {
  /// How long every domain has to acknowledge its part.
  static let allocationPatience = Span.seconds(2)

  // MARK: Hold

  /// Reserves the plan and goes on with it.
  /// - Parameters:
  ///   - goal: of the plan as it is held, whose hash nothing else has.
  ///   - latest: when its transaction has to leave, at the latest.
  /// - Returns: whether it could be held.
  mutating func stitch(
    _ activation: ActivationID, _ plan: SlicePlan, latest: Instant, _ turn: inout Turn, goal: (SlicePlan) -> Goal
  ) -> Bool {
    var plan = plan
    plan.reservation = nextReservation
    var slice = SliceRecord(
      id: ReservationID(nextReservation), activation: activation, state: .held, confirmationExpiry: 0, plan: plan)
    do throws(CalendarError) {
      try calendar.hold(slice.id, plan, for: activation)
    } catch {
      turn.note("the plan for \(activation.short) cannot be held: \(error)", .warning)
      return false
    }
    nextReservation += 1
    let parts = subnetLines(of: slice)
    slice.subSlices = parts.map { SliceRecord.SubSliceState(domain: $0.order.domain, phase: .ordered) }
    let deadline = min(turn.now + Self.allocationPatience, latest)
    jobs[activation]?.stitching = Stitching(
      slice: slice, goal: goal(plan), parts: parts, phase: .allocating, deadline: deadline)
    if !parts.isEmpty { persist(slice, &turn) }
    return true
  }

  func persist(_ slice: SliceRecord, _ turn: inout Turn) {
    turn.add(.persist(.put(stream: SliceRecord.stream, key: slice.key, bytes: slice.encoded)))
  }

  /// What each domain manager gives to the slice.
  private func subnetLines(of slice: SliceRecord) -> [SubnetLine] {
    guard !configuration.domains.isEmpty, let parts = try? slice.plan.subSlices(on: configuration.substrate) else {
      return []
    }
    return parts.compactMap { part in
      guard let place = configuration.domains.first(where: { $0.domain == part.domain }) else { return nil }
      let order = SubnetOrder(
        activation: slice.activation, plan: slice.plan.hash, domain: part.domain, window: slice.plan.window,
        elements: part.elements)
      return SubnetLine(order: order, address: place.address)
    }
  }

  // MARK: Progress

  /// Does what the slice needs next.
  /// - Returns: when it needs something again.
  mutating func advanceStitching(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    guard let stitching = jobs[activation]?.stitching else { return nil }
    switch stitching.phase {
    case .submitted: return nil
    case .allocating, .opening:
      guard turn.now < stitching.deadline else {
        turn.note("slice \(stitching.slice.key) of \(activation.short) took too long: undone", .warning)
        undo(activation, &turn)
        return turn.now
      }
    }
    if case .allocating = stitching.phase {
      guard stitching.parts.allSatisfy(\.isDone) else {
        let wake = askDomains(activation, &turn)
        return min(wake ?? stitching.deadline, stitching.deadline)
      }
      sign(activation, stitching, &turn)
    }
    guard let opening = openForHandover(activation, &turn) else {
      submitCarrier(activation, &turn)
      return nil
    }
    return min(opening, stitching.deadline)
  }

  /// - Returns: when one of them is to be asked again.
  private mutating func askDomains(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    guard var stitching = jobs[activation]?.stitching else { return nil }
    var wake: Instant?
    for index in stitching.parts.indices where !stitching.parts[index].isDone {
      let order = stitching.parts[index].order
      let asked = Asked.allocation(activation, stitching.slice.id, order.domain)
      wake = earliest(wake, ask(&stitching.parts[index], asked, .allocateSubnet(order), &turn))
    }
    jobs[activation]?.stitching = stitching
    return wake
  }

  /// Asks a domain manager unless it is being asked or its pause is not over.
  private mutating func ask(
    _ line: inout SubnetLine, _ about: Asked, _ message: Message, _ turn: inout Turn
  ) -> Instant? {
    guard line.question == nil else { return nil }
    guard turn.now >= line.notBefore else { return line.notBefore }
    let id = numbers.next()
    asked[id] = about
    line.question = id
    turn.add(.request(id, to: line.address, message, deadline: Self.orderDeadline))
    return nil
  }

  mutating func allocationAnswered(
    _ id: RequestID, _ activation: ActivationID, _ reservation: ReservationID, _ domain: ResourceDomain,
    _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard var stitching = jobs[activation]?.stitching, stitching.slice.id == reservation,
      let index = stitching.parts.firstIndex(where: { $0.order.domain == domain && $0.question == id })
    else { return }
    stitching.parts[index].question = nil
    switch result {
    case .success:
      stitching.parts[index].isDone = true
      jobs[activation]?.stitching = stitching
    case .failure(let error) where error.isOfThisReceiver:
      stitching.parts[index].notBefore = turn.now + orderPause(&stitching.parts[index].backoff)
      jobs[activation]?.stitching = stitching
    case .failure(let error):
      turn.note("the \(domain) domain refused slice \(reservation) of \(activation.short): \(error)", .warning)
      undo(activation, &turn)
      if case .start = stitching.goal { reject(activation, .capacity, nil, &turn) }
    }
    advance(activation, &turn)
  }

  /// Every part is allocated: the slice and its transaction become durable together, before anybody else hears of it.
  private mutating func sign(_ activation: ActivationID, _ done: Stitching, _ turn: inout Turn) {
    var stitching = done
    let expiry = follower.height + Self.carrierLifetime
    stitching.slice.confirmationExpiry = expiry
    stitching.slice.move([.ordered], to: .allocated)
    let carrier = sign(action(of: stitching.goal), expiry: expiry)
    persist(stitching.slice, &turn)
    keep(carrier, reservation: stitching.slice.key, &turn)
    stitching.phase = .opening
    jobs[activation]?.slices.append(KeptSlice(slice: stitching.slice, carrier: carrier))
    jobs[activation]?.stitching = stitching
    if case .start = stitching.goal {
      turn.add(.observe(.activation(activation, .sliceFound(stitching.slice.plan.hash))))
    }
  }

  private func action(of goal: Goal) -> Action {
    switch goal {
    case .start(let confirmation): return .confirmSlice(confirmation)
    case .handover(let handover): return .handOver(handover)
    case .segment(let order, _, let byCustomer):
      let byOperator = Envelope(signing: order, with: configuration.key, network: configuration.genesis.networkID)
      let isExtension = jobs[order.activation]?.service?.parties.segments.last?.terms.id == order.contract
      return isExtension
        ? .extend(byCustomer: byCustomer, byOperator: byOperator)
        : .renegotiate(byCustomer: byCustomer, byOperator: byOperator)
    }
  }

  private mutating func submitCarrier(_ activation: ActivationID, _ turn: inout Turn) {
    guard let id = jobs[activation]?.stitching?.slice.id,
      let kept = jobs[activation]?.slices.first(where: { $0.slice.id == id })
    else { return }
    jobs[activation]?.stitching?.phase = .submitted
    add(Errand(purpose: .carry(id), transaction: kept.carrier), activation)
    advance(activation, &turn)
  }

  // MARK: The ledger's answer

  /// The ledger has the slice.
  /// - Returns: its reservation; nil when this database does not have it.
  mutating func carried(_ activation: ActivationID, _ turn: inout Turn, by matches: (Action) -> Bool) -> ReservationID?
  {
    guard let index = jobs[activation]?.slices.firstIndex(where: { matches($0.carrier.transaction.action) }),
      var slice = jobs[activation]?.slices[index].slice
    else { return nil }
    if slice.state == .held {
      slice.state = .confirmed
      persist(slice, &turn)
      try? calendar.confirm(slice.id)
      jobs[activation]?.slices[index].slice = slice
    }
    if jobs[activation]?.stitching?.slice.id == slice.id { jobs[activation]?.stitching = nil }
    return slice.id
  }

  /// The slice that is on its way is given up: its transaction never left, was refused, or has expired.
  mutating func undo(_ activation: ActivationID, _ turn: inout Turn) {
    guard let stitching = jobs[activation]?.stitching else { return }
    jobs[activation]?.stitching = nil
    remove(.carry(stitching.slice.id), activation)
    // A handover's transaction is kept: it names an edge that may have opened the service, to be closed at the end.
    if case .handover = stitching.goal {
      release(stitching.slice, &turn)
    } else {
      jobs[activation]?.slices.removeAll { $0.slice.id == stitching.slice.id }
      forget(reservation: stitching.slice.key, &turn)
      release(stitching.slice, &turn)
    }
    if case .start = stitching.goal { jobs[activation]?.attempts += 1 }
  }

  // MARK: Release

  /// Gives the slice's resources back, here and at every domain manager that may know of it.
  mutating func release(_ slice: SliceRecord, _ turn: inout Turn) {
    guard slice.state != .released else { return }
    _ = try? calendar.release(slice.id)
    var released = slice
    released.state = .released
    released.move([.ordered, .allocated], to: .releasing)
    if let index = jobs[slice.activation]?.slices.firstIndex(where: { $0.slice.id == slice.id }) {
      jobs[slice.activation]?.slices[index].slice = released
    }
    persist(released, &turn)
    startReleasing(released, &turn)
  }

  mutating func startReleasing(_ slice: SliceRecord, _ turn: inout Turn) {
    let pending = slice.subSlices.filter { $0.phase == .releasing }.map(\.domain)
    let parts = subnetLines(of: slice).filter { pending.contains($0.order.domain) }
    guard !parts.isEmpty else { return }
    releasing[slice.key] = Releasing(slice: slice, parts: parts)
    askToRelease(slice.key, &turn)
  }

  mutating func askToRelease(_ reservation: UInt64, _ turn: inout Turn) {
    guard var pending = releasing[reservation] else { return }
    var wake: Instant?
    for index in pending.parts.indices where !pending.parts[index].isDone {
      let order = pending.parts[index].order
      let about = Asked.subnetRelease(reservation: reservation, order.domain)
      wake = earliest(wake, ask(&pending.parts[index], about, .releaseSubnet(order.subnet), &turn))
    }
    releasing[reservation] = pending
    if let wake { turn.add(.setTimer(TimerID(Purpose.releasing, reservation), at: wake)) }
  }

  mutating func releaseAnswered(
    _ reservation: UInt64, _ domain: ResourceDomain, _ result: Result<Verified<Message>, RemoteError>,
    _ turn: inout Turn
  ) {
    guard var pending = releasing[reservation],
      let index = pending.parts.firstIndex(where: { $0.order.domain == domain })
    else { return }
    pending.parts[index].question = nil
    if case .failure(let error) = result {
      if !error.isOfThisReceiver { turn.note("the \(domain) domain keeps slice \(reservation): \(error)", .warning) }
      pending.parts[index].notBefore = turn.now + pending.parts[index].backoff.failed()
    } else {
      pending.parts[index].isDone = true
    }
    guard pending.parts.allSatisfy(\.isDone) else {
      releasing[reservation] = pending
      return askToRelease(reservation, &turn)
    }
    releasing[reservation] = nil
    pending.slice.move([.releasing], to: .released)
    if let index = jobs[pending.slice.activation]?.slices.firstIndex(where: { $0.slice.id == pending.slice.id }) {
      jobs[pending.slice.activation]?.slices[index].slice = pending.slice
    }
    persist(pending.slice, &turn)
  }

  // MARK: Carriers

  /// Before it leaves.
  private mutating func keep(_ transaction: SignedTransaction, reservation: UInt64, _ turn: inout Turn) {
    kept.insert(reservation)
    turn.add(.persist(.put(stream: Stream.carriers, key: reservation, bytes: transaction.envelope.bytes)))
  }

  mutating func forget(reservation: UInt64, _ turn: inout Turn) {
    guard kept.remove(reservation) != nil else { return }
    guard reservation == lowestKept else {
      return turn.add(.persist(.put(stream: Stream.carriers, key: reservation, bytes: [])))
    }
    while lowestKept < nextReservation, !kept.contains(lowestKept) { lowestKept += 1 }
    turn.add(.persist(.prune(stream: Stream.carriers, below: lowestKept)))
  }
}

/// The earlier of two moments that may not be.
func earliest(_ left: Instant?, _ right: Instant?) -> Instant? {
  guard let left else { return right }
  return right.map { min(left, $0) } ?? left
}
