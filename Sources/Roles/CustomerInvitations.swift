import Effects
import Messages
import Signing

/// A flow between two customers: one invites and pays, the other agrees to be metered at its own end. A guest risks no
/// money: towards the operator the payer bears both enclaves (sla.md, "The activation"). What it must not do is sign
/// for terms, places or payers it has not chosen, or without end.
extension CustomerCore {
  // MARK: The payer

  mutating func recoverInvitation(_ index: Int, _ invitation: FlowInvitation, _ found: ContractTerms?) {
    guard configuration.plan.indices.contains(index), let far = configuration.plan[index].far,
      let terms = found ?? configuration.plan[index].offer.terms, terms.id == invitation.order.contract
    else { return }
    set(
      .inviting(
        Invitation(
          draft: invitation.order, nonce: invitation.nonce, expiry: invitation.expiry, terms: terms, far: far)),
      of: index)
  }

  mutating func invite(_ index: Int, _ invitation: Invitation, _ turn: inout Turn) {
    guard turn.now <= invitation.draft.latestStart, tip.height < invitation.expiry else {
      return refuse(index, "\(invitation.draft.peer) did not agree in time", &turn)
    }
    ask(
      index, .invitation, invitation.far.customer,
      .inviteToFlow(
        FlowInvitation(
          payer: key, nonce: invitation.nonce, expiry: invitation.expiry, order: invitation.draft)), &turn)
  }

  mutating func invitationAnswered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn
  ) {
    guard case .inviting(let invitation) = purchases[index].stage else { return }
    switch result {
    case .success(let message):
      guard case .flowAccepted(let order) = message.value, completes(order, invitation) else {
        turn.count("customer.consentRefused")
        return pause(index, Self.resend, &turn)
      }
      place(index, order, invitation.terms, as: (invitation.nonce, invitation.expiry), &turn)
    case .failure(let error) where error.code == .permissionDenied || error.code == .invalidArgument:
      refuse(index, "\(invitation.draft.peer): \(error)", &turn)
    case .failure: pause(index, Self.resend, &turn)
    }
  }

  /// The guest may fill in its enclave, its cell and its consent, and nothing else.
  private func completes(_ order: ActivationOrder, _ invitation: Invitation) -> Bool {
    guard order.enclaves.count == 2, order.enclaves[0] == invitation.draft.enclaves.first,
      let cell = order.peerCell, invitation.terms.context.serviceArea.contains(cell), let consent = order.consent,
      consent.signer.flatMap(directory.organisation).flatMap(directory.name) == order.peer,
      (try? consent.decode(ActivationConsent.self))
        == ActivationConsent(
          payer: key, nonce: invitation.nonce, expiry: invitation.expiry, order: order.consentDigest)
    else { return false }
    var rest = order
    (rest.enclaves, rest.peerCell, rest.consent) = (invitation.draft.enclaves, nil, nil)
    return rest == invitation.draft
  }

  // MARK: The guest

  /// The position of an accepted flow, and the how manieth consent to it: the key of a durable consent.
  struct GuestKey {
    let acceptance: Int
    let number: Int

    init(acceptance: Int, number: Int) {
      self.acceptance = acceptance
      self.number = number
    }

    init(_ key: UInt64) {
      acceptance = Int(key >> 32)
      number = Int(key & 0xFFFF_FFFF)
    }

    var key: UInt64 { UInt64(acceptance) << 32 | UInt64(number) }
  }

  /// The consent is durable before it leaves, and the same question has the same answer.
  mutating func invited(
    _ token: ReplyToken, _ from: ActorAddress, _ invitation: FlowInvitation, _ turn: inout Turn
  ) {
    guard isReady else {
      return turn.add(.refuse(token, RemoteError(.unavailable, "the ledger is still being read")))
    }
    if let order = earlierAnswer(to: invitation) { return turn.add(.reply(token, .flowAccepted(order))) }
    do throws(RemoteError) {
      let (acceptance, terms) = try acceptance(of: invitation, at: turn.now)
      let flow = configuration.acceptances[acceptance]
      guard let receiptKey = receiptKey(of: flow.enclave, &turn) else {
        throw RemoteError(.failedPrecondition, "enclave \(flow.enclave) is not registered yet")
      }
      let given = guests(of: acceptance)
      guard given.count(where: { !$0.stage.isOver }) < flow.flows else {
        throw RemoteError(.permissionDenied, "\(flow.flows) flows of \(flow.label) are agreed to, and no more")
      }
      var consented = invitation
      consented.order.enclaves.append(receiptKey)
      consented.order.peerCell = flow.cell
      let consent = ActivationConsent(
        payer: invitation.payer, nonce: invitation.nonce, expiry: invitation.expiry,
        order: consented.order.consentDigest)
      consented.order.consent = Envelope(
        signing: consent, with: configuration.treasuryKey, network: configuration.genesis.networkID)
      let key = GuestKey(acceptance: acceptance, number: given.count)
      turn.add(.persist(.put(stream: Stream.consents, key: key.key, bytes: consented.encoded)))
      keep(consented, flow, terms)
      turn.add(.reply(token, .flowAccepted(consented.order)))
    } catch {
      turn.count("customer.invitationRefused")
      turn.add(.refuse(token, error))
    }
  }

  private func guests(of acceptance: Int) -> [Purchase] {
    purchases.filter { purchase in
      if case .guest(let flow) = purchase.part {
        flow.label == configuration.acceptances[acceptance].label
      } else {
        false
      }
    }
  }

  private func earlierAnswer(to invitation: FlowInvitation) -> ActivationOrder? {
    for index in consents[invitation.payer] ?? [] {
      guard case .consented(let given) = purchases[index].stage, given.nonce == invitation.nonce,
        given.expiry == invitation.expiry
      else { continue }
      var draft = given.order
      (draft.enclaves, draft.peerCell, draft.consent) = ([draft.enclaves[0]], nil, nil)
      if draft == invitation.order { return given.order }
    }
    return nil
  }

  /// What this customer has agreed to in advance, checked line by line.
  private func acceptance(
    of invitation: FlowInvitation, at now: Instant
  ) throws(RemoteError) -> (Int, ContractTerms) {
    let order = invitation.order
    guard order.enclaves.count == 1, order.peerCell == nil, order.consent == nil else {
      throw RemoteError(.invalidArgument, "an invitation names the payer's enclave and leaves the far end open")
    }
    guard let own = directory.organisation(of: key), order.peer == directory.name(of: own) else {
      throw RemoteError(.invalidArgument, "peer: the flow does not end at this customer")
    }
    guard let payer = directory.organisation(of: invitation.payer),
      let acceptance = configuration.acceptances.firstIndex(where: { flow in
        flow.payer == payer && flow.contracts.contains { $0.id == order.contract }
      }), let terms = configuration.acceptances[acceptance].contracts.first(where: { $0.id == order.contract })
    else { throw RemoteError(.permissionDenied, "no such flow is accepted from this payer under this contract") }
    guard terms.context.serviceArea.contains(configuration.acceptances[acceptance].cell) else {
      throw RemoteError(.invalidArgument, "the contract does not serve this customer's cell")
    }
    guard order.latestStart > now, order.earliestStart <= order.latestStart else {
      throw RemoteError(.invalidArgument, "latestStart: over")
    }
    return (acceptance, terms)
  }

  mutating func recoverConsent(_ key: GuestKey, _ invitation: FlowInvitation) {
    guard configuration.acceptances.indices.contains(key.acceptance) else { return }
    let flow = configuration.acceptances[key.acceptance]
    guard let terms = flow.contracts.first(where: { $0.id == invitation.order.contract }) else { return }
    keep(invitation, flow, terms)
  }

  private mutating func keep(_ invitation: FlowInvitation, _ flow: AcceptedFlow, _ terms: ContractTerms) {
    var purchase = Purchase(part: .guest(flow))
    purchase.booking = Booking(terms: terms, order: invitation.order, envelope: nil)
    purchase.epochs = invitation.order.epochs
    purchase.epochsAtEnclave = invitation.order.epochs
    purchase.stage = .consented(invitation)
    consents[invitation.payer, default: []].append(purchases.count)
    purchases.append(purchase)
  }

  /// The guest's purchase that an Activate on the ledger uses.
  mutating func consentUsed(by order: ActivationOrder, of payer: PublicKey) -> Int? {
    guard let index = consents[payer]?.first(where: { purchases[$0].booking?.order == order }) else { return nil }
    forgetConsent(index, of: payer)
    return index
  }

  private mutating func forgetConsent(_ index: Int, of payer: PublicKey) {
    consents[payer]?.removeAll { $0 == index }
    if consents[payer]?.isEmpty == true { consents[payer] = nil }
  }

  /// An order is refused after its latest start: a consent to it is worth nothing from then on.
  mutating func forgetUnusedConsents() {
    guard !consents.isEmpty else { return }
    for index in purchases.indices {
      guard case .consented(let invitation) = purchases[index].stage, tip.time > invitation.order.latestStart
      else { continue }
      forgetConsent(index, of: invitation.payer)
      set(.refused("the invitation was not used"), of: index)
    }
  }
}

extension CustomerCore.Stage {
  var isOver: Bool {
    switch self {
    case .ended, .refused: true
    default: false
    }
  }
}
