import Effects
import Messages
import Signing

/// From the plan to an order on the ledger.
extension CustomerCore {
  /// Does what a purchase's stage asks for next. Called when the ledger said something about it, when a question was
  /// answered and by the purchase's timer; doing it twice does no harm.
  mutating func advance(_ index: Int, _ turn: inout Turn) {
    guard isReady, purchases[index].question == nil else { return }
    let purchase = purchases[index]
    if turn.now < purchase.notBefore { return wake(index, at: purchase.notBefore, &turn) }
    switch purchase.stage {
    case .planned: begin(index, &turn)
    case .choosing(let reading): askForOffers(index, reading, &turn)
    case .inviting(let invitation): invite(index, invitation, &turn)
    case .ordered: resendOrder(index, &turn)
    case .consented, .requested, .ended, .refused: break
    case .opening(let service): openSession(index, service, &turn)
    case .serving(let service): serve(index, service, &turn)
    case .settling(let service, let agreement, let record): settle(index, service, agreement, record, &turn)
    }
  }

  mutating func ask(_ index: Int, _ question: Question, _ to: ActorAddress, _ message: Message, _ turn: inout Turn) {
    let id = numbers.next()
    asked[id] = .purchase(index, question, of: to)
    purchases[index].question = id
    turn.add(.request(id, to: to, message, deadline: Self.requestDeadline))
  }

  func wake(_ index: Int, at instant: Instant, _ turn: inout Turn) {
    turn.add(.setTimer(TimerID(Purpose.purchase, UInt64(index)), at: max(instant, turn.now)))
  }

  mutating func pause(_ index: Int, _ span: Span, _ turn: inout Turn) {
    purchases[index].notBefore = turn.now + span
    wake(index, at: turn.now + span, &turn)
  }

  mutating func answered(
    _ index: Int, _ question: Question, _ result: Result<Verified<Message>, RemoteError>, of asked: ActorAddress,
    _ turn: inout Turn
  ) {
    if case .failure = result { purchases[index].failures += 1 }
    switch question {
    case .offers: offersAnswered(index, result, of: asked, &turn)
    case .invitation: invitationAnswered(index, result, &turn)
    case .order: orderAnswered(index, result, &turn)
    case .session: sessionAnswered(index, result, &turn)
    case .ending(let epochs): endingAnswered(index, epochs, result, &turn)
    case .status: statusAnswered(index, result, &turn)
    case .agreement, .settlement:
      if case .success = result { pause(index, Self.resend, &turn) } else { pause(index, Self.retry, &turn) }
    }
  }

  // MARK: The order

  /// When it is due, with a contract that is deployed and an enclave that is registered.
  private mutating func begin(_ index: Int, _ turn: inout Turn) {
    guard case .payer(let plan) = purchases[index].part else { return }
    let due = (start ?? turn.now) + plan.at
    guard turn.now >= due else { return wake(index, at: due, &turn) }
    switch plan.offer {
    case .contract(let terms) where undeployed.contains(terms.id): blocked.insert(index)
    case .contract(let terms): order(index, plan, terms, epochs: plan.epochs, &turn)
    case .cheapest(let wish):
      guard receiptKey(of: plan.enclave, &turn) != nil else {
        blocked.insert(index)
        return
      }
      set(.choosing(OfferReading(wish, of: plan, at: turn.now)), of: index)
      advance(index, &turn)
    }
  }

  /// Alone at once; a flow between two customers once the other has agreed.
  mutating func order(
    _ index: Int, _ plan: PlannedActivation, _ terms: ContractTerms, epochs: UInt64, _ turn: inout Turn
  ) {
    guard let receiptKey = receiptKey(of: plan.enclave, &turn) else {
      set(.planned, of: index)
      blocked.insert(index)
      return
    }
    let order = ActivationOrder(
      contract: terms.id, epochs: epochs, earliestStart: turn.now + plan.startAfter,
      latestStart: turn.now + plan.startWithin, cell: plan.cell, peer: plan.peer, enclaves: [receiptKey])
    if plan.offer.terms == nil {
      turn.add(.persist(.put(stream: Stream.offers, key: UInt64(index), bytes: terms.encoded)))
    }
    if let far = plan.far {
      let invitation = FlowInvitation(
        payer: key, nonce: nonces.next(), expiry: tip.height + Self.transactionLifetime, order: order)
      turn.add(.persist(.put(stream: Stream.invitations, key: UInt64(index), bytes: invitation.encoded)))
      set(
        .inviting(
          Invitation(draft: order, nonce: invitation.nonce, expiry: invitation.expiry, terms: terms, far: far)),
        of: index)
      advance(index, &turn)
    } else {
      place(index, order, terms, as: nil, &turn)
    }
  }

  /// Durable first.
  mutating func place(
    _ index: Int, _ order: ActivationOrder, _ terms: ContractTerms, as identity: (nonce: UInt64, expiry: Height)?,
    _ turn: inout Turn
  ) {
    guard case .payer(let plan) = purchases[index].part else { return }
    let transaction = sign(.activate(order), as: identity)
    turn.add(.persist(.put(stream: Stream.orders, key: UInt64(index), bytes: transaction.envelope.bytes)))
    ordered(index, Booking(terms: terms, order: order, envelope: transaction.envelope))
    turn.add(
      .observe(
        .activation(
          ActivationID(transaction.id),
          .submitted(label: plan.label, contract: terms.id, customer: configuration.name))))
    resendOrder(index, &turn)
  }

  /// The order is durable.
  mutating func ordered(_ index: Int, _ booking: Booking) {
    guard let envelope = booking.envelope else { return }
    let id = ActivationID(envelope.digest)
    purchases[index].booking = booking
    purchases[index].epochs = booking.order.epochs
    purchases[index].epochsAtEnclave = booking.order.epochs
    indexes[id] = index
    awaited[envelope.digest] = .order(index)
    set(.ordered(id), of: index)
  }

  /// The order is not on the ledger yet: the same bytes again, until they can no longer be accepted. Every other time
  /// past the contract's actor, in case that is down, and past the member that it asks, in case that keeps it to
  /// itself.
  private mutating func resendOrder(_ index: Int, _ turn: inout Turn) {
    let purchase = purchases[index]
    guard let booking = purchase.booking, let envelope = booking.envelope,
      let transaction = try? SignedTransaction(envelope)
    else { return }
    guard tip.time <= booking.order.latestStart, transaction.transaction.expiry > tip.height else {
      return refuse(index, TransactionResult.deadlinePassed.name, &turn)
    }
    if purchase.failures.isMultiple(of: 2) {
      ask(index, .order, .contract(booking.order.contract), .activate(transaction), &turn)
    } else {
      ask(index, .order, members.member(repeats: (purchase.failures + 1) / 2), .submit(transaction), &turn)
    }
  }

  private mutating func orderAnswered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    switch result {
    case .success:
      // Taken, not on the ledger: if this has to be repeated, then by another way.
      purchases[index].failures += 1
      pause(index, Self.resend, &turn)
    case .failure(let error) where error.code == .invalidArgument || error.code == .permissionDenied:
      refuse(index, error.description, &turn)
    case .failure: pause(index, Self.retry, &turn)
    }
  }
}
