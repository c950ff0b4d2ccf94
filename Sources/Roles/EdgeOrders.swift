import Effects
import Messages
import Metering

/// What the controller tells its edges, each answered the same when it is told again.
extension EdgeCore {
  mutating func ordered(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .openService(let order): open(token, order, &turn)
    case .closeService(let activation):
      close(activation, &turn)
      turn.add(.reply(token, .acknowledged))
    case .endSession(let ending):
      let configuration = configuration
      change(token, ending.activation, &turn) { service in
        service.end(after: ending.epochs, configuration) ? nil : "that epoch is over, or beyond those booked"
      }
    case .routeService(let route):
      change(token, route.activation, &turn) { service in
        service.add(route) ? nil : "an end moves \(ActivationLimits.handovers) times at most"
      }
    case .updateBooking(let update):
      let (now, configuration) = (turn.now, configuration)
      change(token, update.activation, &turn) { service in
        service.update(update, configuration, at: now) ? nil : "it does not fit what is booked, or its epochs are over"
      }
    case .settleEpoch(let settling): settle(token, settling, &turn)
    case .getEpochMaterial(let request): giveMaterial(token, request, &turn)
    case .getServiceReport(let request): report(token, request, &turn)
    default: turn.refuse(token, .unimplemented, "not an order")
    }
  }

  private mutating func open(_ token: ReplyToken, _ order: ServiceOrder, _ turn: inout Turn) {
    let slot: UInt64
    if let known = slots[order.activation], var service = services[known] {
      slot = known
      switch service.add(order, configuration) {
      case .known: return turn.add(.reply(token, .serviceOpened(configuration.networkPort)))
      case .contradicts: return turn.refuse(token, .failedPrecondition, "another order stands for this activation")
      case .added: services[slot] = service
      }
    } else {
      guard services.count < Self.maximumServices else {
        return turn.refuse(token, .tooManyRequests, "this edge serves \(Self.maximumServices) at once")
      }
      slot = nextSlot
      guard flows[order.flow] == nil,
        let service = EdgeService(slot: slot, order, configuration, presentSince: turn.now)
      else {
        return turn.refuse(
          token, .invalidArgument, "terms, order, confirmation, flow and this edge do not fit together")
      }
      nextSlot += 1
      services[slot] = service
      slots[order.activation] = slot
      flows[order.flow] = slot
    }
    if let service = services[slot] { turn.add(.persist(service.record)) }
    turn.add(.reply(token, .serviceOpened(configuration.networkPort)))
    tick(slot, &turn)
  }

  /// - Parameter body: changes the service, or says why not.
  private mutating func change(
    _ token: ReplyToken, _ activation: ActivationID, _ turn: inout Turn, _ body: (inout EdgeService) -> String?
  ) {
    guard let slot = slots[activation], var service = services[slot] else {
      return turn.refuse(token, .notFound, "no service for \(activation.short)")
    }
    if let refusal = body(&service) { return turn.refuse(token, .failedPrecondition, refusal) }
    services[slot] = service
    turn.add(.persist(service.record))
    turn.add(.reply(token, .acknowledged))
    tick(slot, &turn)
  }

  /// The activation is settled: nothing of it is needed here any more.
  private mutating func close(_ activation: ActivationID, _ turn: inout Turn) {
    guard let slot = slots.removeValue(forKey: activation), let service = services.removeValue(forKey: slot) else {
      return
    }
    flows[service.flow] = nil
    turn.add(.cancelTimer(TimerID(Purpose.service, slot)))
    turn.add(.persist(.put(stream: Stream.services, key: slot, bytes: [])))
    let least = services.keys.min() ?? nextSlot
    turn.add(.persist(.prune(stream: Stream.flows, below: least << 8)))
    turn.add(.persist(.prune(stream: Stream.sequences, below: least)))
    turn.add(.persist(.prune(stream: Stream.journals, below: Stream.key(slot: least, epoch: 0))))
    // The last service's record stays: it says which slots were used.
    turn.add(.persist(.prune(stream: Stream.services, below: min(least, nextSlot - 1))))
  }

  // MARK: Demands

  /// The ledger opened both sides' receipts: the record follows, and service goes on.
  private mutating func settle(_ token: ReplyToken, _ settling: EpochSettling, _ turn: inout Turn) {
    guard let slot = slots[settling.activation], var service = services[slot], var exchange = service.account.exchange
    else {
      return turn.refuse(token, .notFound, "no records are made here for \(settling.activation.short)")
    }
    do throws(ExchangeRefusal) {
      if let journal = try exchange.settle(settling) {
        turn.add(.persist(service.record(journal)))
        service.tell(of: journal.epoch, at: turn.now)
      }
    } catch {
      turn.count("edge.exchange.refused")
      return turn.refuse(token, .failedPrecondition, "\(error)")
    }
    service.account.exchange = exchange
    services[slot] = service
    turn.add(.reply(token, .acknowledged))
    tick(slot, &turn)
  }

  private mutating func giveMaterial(_ token: ReplyToken, _ request: ReceiptsRequest, _ turn: inout Turn) {
    guard let slot = slots[request.activation], var service = services[slot], var exchange = service.account.exchange
    else {
      return turn.refuse(token, .notFound, "no records are made here for \(request.activation.short)")
    }
    switch exchange.answer(about: request.epoch) {
    case .afterReading(let epochs): recall(.material(token, slot: slot, epoch: request.epoch), epochs, &turn)
    case .now(let answer):
      if let journal = answer.persist { turn.add(.persist(service.record(journal))) }
      turn.add(.reply(token, .epochMaterial(answer.material)))
      service.account.exchange = exchange
      services[slot] = service
    }
  }
}
