import Effects
import Messages
import Signing

/// What changes while an activation runs: an end moves, the booking is extended or goes on under another contract. The
/// controller is asked, both sides' word stands on the ledger, and from there everybody learns it: the enclave too.
extension CustomerCore {
  /// Everything the plan wants of a running service, at its epoch. What the ledger has already is not asked for again.
  mutating func planErrands(_ index: Int, _ service: Service, _ turn: inout Turn) {
    let purchase = purchases[index]
    for (number, move) in purchase.part.moves.enumerated().dropFirst(purchase.amended.moves) {
      add(.move(number), to: index, at: service.start(of: move.epoch), &turn)
    }
    for (number, amendment) in purchase.part.amendments.enumerated().dropFirst(Int(purchase.amended.segments)) {
      add(.amend(number), to: index, at: service.start(of: amendment.epoch), &turn)
    }
    for number in purchase.amended.updates.indices { add(.update(number), to: index, &turn) }
    guard case .payer(let plan) = purchase.part else { return }
    if let epochs = plan.terminateAfter, epochs < purchase.epochs {
      // It ends with the epoch that runs when the Terminate stands in a block.
      add(.terminate, to: index, at: service.start(of: epochs - min(epochs, 1)), &turn)
    }
    add(.watch, to: index, at: firstWatch(service), &turn)
  }

  // MARK: Asking

  mutating func requestHandover(_ number: Int, _ index: Int, _ service: Service, _ turn: inout Turn) {
    guard let controller = configuration.controllers[service.terms.operatorID] else {
      return finish(.move(number), of: index)
    }
    let request = HandoverRequest(
      activation: service.activation, end: service.end, cell: purchases[index].part.moves[number].cell)
    ask(.move(number), index, controller, .requestHandover(request), &turn)
  }

  /// Signed for one segment of this activation; the plan named is the one in force. Asked for again it is signed again,
  /// good for a little longer, and still for one segment.
  mutating func proposeSegment(_ number: Int, _ index: Int, _ service: Service, _ turn: inout Turn) {
    guard let controller = configuration.controllers[service.terms.operatorID] else {
      return finish(.amend(number), of: index)
    }
    let (amendment, amended) = (purchases[index].part.amendments[number], purchases[index].amended)
    let contract =
      switch amendment.change {
      case .extend: (amended.terms ?? service.terms).id
      case .renegotiate(let terms): terms.id
      }
    let order = SegmentOrder(
      activation: service.activation, index: amended.segments + 1, contract: contract, epochs: amendment.epochs,
      plan: amended.plan ?? service.confirmation.planHash, expiry: tip.height + SegmentOrder.lifetime)
    let message = SignedMessage(
      signing: order, with: configuration.treasuryKey, network: configuration.genesis.networkID)
    ask(.amend(number), index, controller, .proposeSegment(message), &turn)
  }

  /// Taken or refused, for now: another change may be under way, or room may come. Taken is not done, the ledger says
  /// that. Either way it is asked for again a few times.
  mutating func proposalAnswered(
    _ errand: Errand, _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard let position = purchases[index].errands.firstIndex(where: { $0.errand == errand }) else { return }
    // Not heard, so not counted.
    if case .failure(let error) = result, error.isOfThisReceiver {
      return postpone(errand, of: index, by: Self.resend, &turn)
    }
    purchases[index].errands[position].failures += 1
    let mayCome = if case .failure(let error) = result { error.code == .failedPrecondition } else { true }
    if mayCome, purchases[index].errands[position].failures < Self.maximumProposals {
      return postpone(errand, of: index, by: Self.proposalInterval, &turn)
    }
    let answer = if case .failure(let error) = result { "\(error)" } else { "taken, and it does not come" }
    turn.note("\(purchases[index].part.label): \(errand) is given up: \(answer)", .warning)
    finish(errand, of: index)
  }

  // MARK: Following

  /// Of either end: whoever makes records must know which edge owes receipts where.
  mutating func handedOver(_ handover: SliceHandover, _ turn: inout Turn) {
    guard let index = indexes[handover.activation] else { return }
    purchases[index].amended.plan = handover.plan
    if handover.end == purchases[index].part.end {
      finish(.move(purchases[index].amended.moves), of: index)
      purchases[index].amended.moves += 1
    }
    guard let edge = configuration.edges[handover.edge] else {
      return turn.note("\(purchases[index].part.label) is handed over to an edge that nobody knows", .warning)
    }
    update(.handover(handover, edge: edge, port: nil), index, &turn)
  }

  /// - Parameter time: of its block.
  mutating func amended(_ order: SegmentOrder, _ time: Instant, _ turn: inout Turn) {
    guard let index = indexes[order.activation], let service = purchases[index].service else { return }
    let current = purchases[index].amended.terms ?? service.terms
    // Its own plan knows the terms; what it does not know it has not signed, but a guest must follow.
    guard let terms = order.contract == current.id ? current : purchases[index].part.terms(of: order.contract) else {
      return turn.note("\(purchases[index].part.label) goes on under a contract that is not known here", .warning)
    }
    let from =
      order.contract == current.id
      ? purchases[index].epochs : service.firstEpoch(from: time + current.deadlines.startLead)
    finish(.amend(Int(purchases[index].amended.segments)), of: index)
    purchases[index].amended.segments = order.index
    purchases[index].amended.terms = terms
    purchases[index].amended.plan = order.plan
    update(.segment(order, terms, from: from), index, &turn)
  }

  private mutating func update(_ update: BookingUpdate, _ index: Int, _ turn: inout Turn) {
    purchases[index].amended.updates.append(update)
    // Before its session, an enclave has nothing to update; it is told all when it has one.
    guard case .serving = purchases[index].stage else { return }
    add(.update(purchases[index].amended.updates.count - 1), to: index, &turn)
  }
}
