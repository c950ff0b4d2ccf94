import Effects
import Messages
import Metering
import Signing
import Slicing

/// What the edges of a service are told: to open it, where to send what leaves their part of the slice, what the ledger
/// changed, when it ends, and to let go. One edge is asked one thing at a time; each is repeated until acknowledged.
extension ControllerCore {
  /// An order has to arrive within the start lead, also when the first message is lost: asked again soon.
  static let orderDeadline = Span.milliseconds(200)
  static let longestOrderPause = Span.milliseconds(200)
  /// Before a start, orders are repeated that soon; an advance booking has time until then.
  static let nearStart = Span.seconds(5)

  /// The pause before an order is repeated that others wait for.
  func orderPause(_ backoff: inout Backoff) -> Span { min(backoff.failed(), Self.longestOrderPause) }

  func place(_ edge: PublicKey) -> EdgePlace? { configuration.edges.first { $0.key == edge } }

  // MARK: Duties

  /// Gives an edge of the service something to do, after all that it was given before.
  mutating func assign(_ duty: Duty, to address: ActorAddress, of activation: ActivationID) {
    guard let index = jobs[activation]?.service?.lines.firstIndex(where: { $0.address == address }) else { return }
    jobs[activation]?.service?.lines[index].duties.append(duty)
  }

  /// The edge is to open the service for an end. One that comes into it later is told what has changed before.
  mutating func open(_ order: ServiceOrder, at address: ActorAddress, of activation: ActivationID) {
    guard var service = jobs[activation]?.service else { return }
    if let index = service.lines.firstIndex(where: { $0.address == address }) {
      service.lines[index].ends.insert(order.end)
      service.lines[index].duties.append(.open(order))
    } else {
      var line = EdgeLine(address: address, ends: [order.end])
      line.duties = [.open(order)] + service.updates.map { .update($0) }
      service.lines.append(line)
    }
    jobs[activation]?.service = service
  }

  mutating func assignToAll(_ duty: Duty, of activation: ActivationID) {
    for line in jobs[activation]?.service?.lines ?? [] { assign(duty, to: line.address, of: activation) }
  }

  /// Asks each edge what is next.
  /// - Returns: when one of them is to be asked again.
  mutating func advanceLines(_ activation: ActivationID, _ turn: inout Turn) -> Instant? {
    var wake: Instant?
    for index in jobs[activation]?.service?.lines.indices ?? 0..<0 {
      guard let job = jobs[activation], let line = job.service?.lines[index], line.question == nil,
        let duty = line.duties.first
      else { continue }
      if case .open = duty, let end = job.end, turn.now >= end {
        // Nothing is left to serve.
        jobs[activation]?.service?.lines[index].duties.removeFirst()
        wake = turn.now
        continue
      }
      guard turn.now >= line.notBefore else {
        wake = earliest(wake, line.notBefore)
        continue
      }
      let id = numbers.next()
      asked[id] = .duty(activation, line.address)
      jobs[activation]?.service?.lines[index].question = id
      turn.add(.request(id, to: line.address, message(duty, activation), deadline: Self.orderDeadline))
    }
    return wake
  }

  private func message(_ duty: Duty, _ activation: ActivationID) -> Message {
    switch duty {
    case .open(let order): .openService(order)
    case .route(let route): .routeService(route)
    case .update(let update): .updateBooking(update)
    case .end(let epochs): .endSession(SessionEnding(activation: activation, epochs: epochs))
    case .settle(let settling): .settleEpoch(settling)
    case .record(let submission): .submitRecord(submission)
    }
  }

  mutating func dutyAnswered(
    _ id: RequestID, _ activation: ActivationID, _ address: ActorAddress,
    _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard
      let index = jobs[activation]?.service?.lines.firstIndex(where: { $0.address == address && $0.question == id }),
      let duty = jobs[activation]?.service?.lines[index].duties.first
    else { return }
    jobs[activation]?.service?.lines[index].question = nil
    switch (duty, result) {
    case (.open, .success(let message)):
      if case .serviceOpened(let port) = message.value { jobs[activation]?.service?.lines[index].port = port }
      done(activation, index)
      updateRoutes(activation)
    // It serves already, by an order of an earlier life.
    case (.open, .failure(let error)) where error.code == .failedPrecondition: done(activation, index)
    // It had closed that epoch before it heard: it ends with the next it can.
    case (.end(let epochs), .failure(let error))
    where error.code == .failedPrecondition && epochs + 1 < jobs[activation]?.service?.parties.bookedEpochs ?? 0:
      jobs[activation]?.service?.lines[index].duties[0] = .end(epochs: epochs + 1)
    case (.open, .failure(let error)):
      turn.note("\(address) did not take \(activation.short): \(error)", .warning)
      repeatLater(activation, index, &turn)
    case (_, .failure(let error)) where error.isOfThisReceiver: repeatLater(activation, index, &turn)
    case (_, .failure(let error)):
      turn.note("\(address) refused an order about \(activation.short): \(error)", .warning)
      done(activation, index)
    case (_, .success): done(activation, index)
    }
    advance(activation, &turn)
  }

  private mutating func done(_ activation: ActivationID, _ index: Int) {
    jobs[activation]?.service?.lines[index].duties.removeFirst()
    jobs[activation]?.service?.lines[index].backoff.succeeded()
  }

  /// Soon while the start is near, later and later afterwards.
  private mutating func repeatLater(_ activation: ActivationID, _ index: Int, _ turn: inout Turn) {
    guard var line = jobs[activation]?.service?.lines[index] else { return }
    let startAt = jobs[activation]?.service?.confirmation.startAt ?? .zero
    let isNear = startAt - Self.nearStart < turn.now && turn.now < startAt + Self.resend
    let isUrgent = isNear || jobs[activation]?.stitching != nil
    line.notBefore = turn.now + (isUrgent ? orderPause(&line.backoff) : line.backoff.failed())
    jobs[activation]?.service?.lines[index] = line
  }

  // MARK: Orders

  /// The edges that ConfirmSlice names open the service, each for its end.
  mutating func openAtStart(_ activation: ActivationID, _ plan: SlicePlan?) {
    guard let service = jobs[activation]?.service else { return }
    for serving in service.parties.servings where serving.from == 0 {
      guard let address = place(serving.edge)?.address,
        let order = serviceOrder(activation, serving.end, from: 0, at: address, plan)
      else { continue }
      open(order, at: address, of: activation)
    }
  }

  /// The same at any time for the same place on the ledger, so that asking again after a crash changes nothing.
  func serviceOrder(
    _ activation: ActivationID, _ end: FlowEnd, from: EpochNumber, at address: ActorAddress, _ plan: SlicePlan?
  ) -> ServiceOrder? {
    guard let job = jobs[activation], let service = job.service else { return nil }
    let anchor = place(service.parties.anchorEdge)?.address
    let other = service.parties.serving(end.other, in: from).flatMap { place($0.edge)?.address }
    return ServiceOrder(
      activation: activation, terms: job.terms, order: job.order, confirmation: service.confirmation, end: end,
      from: from,
      flow: service.flow, anchor: anchor == address ? nil : anchor,
      // A flow that ends at the operator's endpoint ends at the anchor's.
      peerEdge: service.parties.ends.contains(.far) ? other : anchor == address ? nil : anchor,
      maintenance: job.maintenance, pathDelay: plan?.predictedDelay ?? .zero, pathLoss: plan?.predictedLoss ?? 0,
      rateUp: plan?.throughputUp ?? job.terms.service.guaranteedUp,
      rateDown: plan?.throughputDown ?? job.terms.service.guaranteedDown)
  }

  /// Where each edge sends what leaves its part of the slice: the port of whoever serves the other end, epoch by epoch.
  mutating func updateRoutes(_ activation: ActivationID) {
    guard let service = jobs[activation]?.service else { return }
    for line in service.lines {
      for route in routes(of: line, activation, service) where !line.routes.contains(route) {
        assign(.route(route), to: line.address, of: activation)
        if let index = jobs[activation]?.service?.lines.firstIndex(where: { $0.address == line.address }) {
          jobs[activation]?.service?.lines[index].routes.append(route)
        }
      }
    }
  }

  private func routes(of line: EdgeLine, _ activation: ActivationID, _ service: Service) -> [ServiceRoute] {
    func port(_ edge: PublicKey) -> DataAddress? {
      guard let address = place(edge)?.address else { return nil }
      return service.lines.first { $0.address == address }?.port
    }
    let parties = service.parties
    var routes: [ServiceRoute] = []
    for serving in parties.servings where line.ends.contains(serving.end.other) {
      // An edge that serves both ends needs no way to itself, and must not take it for the way to the other one.
      guard place(serving.edge)?.address != line.address, let port = port(serving.edge) else { continue }
      routes.append(ServiceRoute(activation: activation, from: serving.from, port: port))
    }
    guard !parties.ends.contains(.far) else { return routes }
    // The other end is the anchor's own endpoint.
    let isAnchor = place(parties.anchorEdge)?.address == line.address
    if isAnchor {
      for serving in parties.servings where serving.from > 0 {
        guard let port = port(serving.edge) else { continue }
        routes.append(ServiceRoute(activation: activation, from: serving.from, port: port))
      }
    } else if let port = port(parties.anchorEdge) {
      routes.append(ServiceRoute(activation: activation, from: 0, port: port))
    }
    return routes
  }

  /// A Terminate or a lost demand shortened the activation: no edge serves further than the ledger pays.
  mutating func tellEnding(_ activation: ActivationID) {
    guard let job = jobs[activation], let service = job.service, job.epochs < service.epochsTold else { return }
    jobs[activation]?.service?.epochsTold = job.epochs
    assignToAll(.end(epochs: max(1, job.epochs)), of: activation)
  }

  // MARK: Letting go

  mutating func askToClose(_ reservation: UInt64, _ turn: inout Turn) {
    guard let closing = closings[reservation], let edge = closing.edges.first else { return }
    let id = numbers.next()
    asked[id] = .closing(reservation: reservation)
    turn.add(.request(id, to: edge, .closeService(closing.activation), deadline: Self.orderDeadline))
  }

  /// All edges that a kept transaction names are asked to let go; then it is not needed any more.
  mutating func close(_ kept: KeptSlice, _ turn: inout Turn) {
    let edges = (kept.carrier.transaction.action.carried?.edges ?? []).compactMap { place($0)?.address }
    guard !edges.isEmpty else { return forget(reservation: kept.slice.key, &turn) }
    closings[kept.slice.key] = Closing(activation: kept.slice.activation, edges: edges)
    if isReady { askToClose(kept.slice.key, &turn) }
  }

  mutating func closed(
    _ reservation: UInt64, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard closings[reservation] != nil else { return }
    switch result {
    case .failure(let error) where error.isOfThisReceiver:
      let pause = closings[reservation]?.backoff.failed() ?? Backoff.longest
      turn.add(.setTimer(TimerID(Purpose.closing, reservation), at: turn.now + pause))
    case .success, .failure:
      closings[reservation]?.edges.removeFirst()
      closings[reservation]?.backoff.succeeded()
      guard closings[reservation]?.edges.isEmpty == true else { return askToClose(reservation, &turn) }
      closings[reservation] = nil
      forget(reservation: reservation, &turn)
    }
  }
}
