import Effects
import Messages
import Metering
import Signing
import Wire

/// One activation as its enclave accounts for it: one end of the flow, and the records if it is the near one.
struct Session: Sendable {
  /// An edge that serves this end at some time, and the flow that is open with it.
  struct EdgeFlow: Sendable {
    let edge: ActorAddress
    let key: PublicKey
    var opened: FlowOpened?
    /// Agreed on in this life: an earlier one's address may be gone.
    var isConfirmed = false
    var conversation = Conversation()
  }

  let slot: UInt64
  private(set) var opening: EnclaveSession
  let ownKey: PublicKey
  /// Where packets for the flow's peer say they go.
  let peer: PeerNumber
  var booking: FlowBooking
  var account: FlowAccount<CustomerExchange>
  /// In the order in which they came to serve.
  var edges: [EdgeFlow]
  /// What the tags of packets are made with: agreed on with the other end, …
  private(set) var tagKey: PacketTag.Key?
  /// … whose half of it this is.
  private(set) var otherKey: KeyAgreementPublicKey?
  var pairing = Conversation()
  var recording = Conversation()
  /// Once the flow has its number.
  var sender: FlowSender?
  /// Sequence numbers that an earlier life may have used.
  private var recoveredNumbers: UInt64 = 0
  var transmit: PointMeter
  var receive: PointMeter
  var probes = ProbeSchedule()
  var heading: ReceiptHeading
  /// The near enclave asked before the epoch was closed here: the latest only.
  var waitingForReceipts: (token: ReplyToken, epoch: EpochNumber)?

  /// - Returns: nil unless terms, order and confirmation are of one activation that names this enclave at that end.
  init?(
    slot: UInt64, _ opening: EnclaveSession, _ configuration: EnclaveCore.Configuration, presentSince: Instant
  ) {
    let (terms, order, end) = (opening.terms, opening.order, opening.end)
    let parties = AccountParties(
      activation: opening.activation, terms: terms, order: order, confirmation: opening.confirmation,
      maintenance: opening.maintenance)
    let ownKey = configuration.receiptKey.publicKey
    guard (try? terms.validate()) != nil, terms.id == order.contract,
      opening.confirmation.activation == opening.activation, order.enclave(at: end) == ownKey,
      order.ends.count == 1 || (opening.peerEnclave != nil && order.enclave(at: end.other) != ownKey),
      slot < UInt64(UInt32.max), let edge = parties.serving(end, in: 0)?.edge,
      let booking = FlowBooking(parties, presentSince: presentSince, hearsOfRecords: end == .near)
    else { return nil }
    self.slot = slot
    self.opening = opening
    self.ownKey = ownKey
    self.booking = booking
    peer = terms.number(ofPeer: order.peer)
    account =
      end == .near
      ? FlowAccount(anchoring: parties, key: configuration.receiptKey, network: configuration.network)
      : FlowAccount(
        collectedFrom: 0, parties: parties, key: configuration.receiptKey, network: configuration.network)
    edges = [EdgeFlow(edge: opening.edge, key: edge)]
    transmit = booking.meter(MeteredPoint(end.sending, .enclaveTransmit), from: 0)
    receive = booking.meter(MeteredPoint(end.other.sending, .enclaveReceive), from: 0)
    heading = ReceiptHeading(
      activation: opening.activation, flow: 0, cell: order.cell, clock: configuration.clock,
      attestation: opening.attestation)
  }

  // MARK: Where it stands

  var activation: ActivationID { opening.activation }
  var end: FlowEnd { opening.end }
  var clock: EpochClock { booking.clock }
  var epochs: UInt64 { booking.epochs }
  var hasPeerEnclave: Bool { booking.parties.ends.contains(.far) }

  /// All epochs have what this end owes for them: a record at the near end, receipts at the far one.
  var isFinished: Bool { (account.exchange?.recordedEpochs ?? account.nextToClose) >= epochs }
  /// Finished, and the operator has the last record.
  var isOver: Bool { isFinished && account.exchange?.isIdle ?? true }
  /// When no record can help anybody any more: the contract's time to settle is over.
  var abandonAt: Instant {
    clock.end + booking.parties.deadlines.settleWithin + booking.parties.deadlines.settlementWindow
  }

  /// The open flow with the edge that serves this end in an epoch.
  func flow(in epoch: EpochNumber) -> FlowOpened? {
    guard let serving = booking.parties.serving(end, in: epoch) else { return nil }
    return edges.first { $0.key == serving.edge }?.opened
  }

  /// Whether packets of an epoch can leave.
  func isOpen(in epoch: EpochNumber) -> Bool { tagKey != nil && flow(in: epoch) != nil }

  // MARK: What the customer says

  /// The customer opens the session again, after a restart that gave its application another port, or with evidence
  /// that it renewed since. Nothing that is counted or signed depends on the port, and receipts name the evidence of
  /// their time; all else must be as it was.
  /// - Returns: whether it is the same session.
  mutating func reopen(_ again: EnclaveSession) -> Bool {
    var expected = opening
    expected.host = again.host
    if again.attestation != .zero { expected.attestation = again.attestation }
    var again = again
    again.attestation = expected.attestation
    guard again == expected else { return false }
    opening = expected
    heading.attestation = expected.attestation
    return true
  }

  /// A handover or an amendment that is FINAL.
  /// - Returns: false for one that does not fit, or that comes after its epochs were closed here.
  mutating func update(_ update: BookingUpdate, at now: Instant) -> Bool {
    var changed = self
    guard changed.booking.apply(update, at: now), changed.account.apply(update) else { return false }
    changed.follow(update)
    changed.rebook()
    self = changed
    return true
  }

  private mutating func follow(_ update: BookingUpdate) {
    guard case .handover(let handover, let edge, _) = update, handover.end == end,
      !edges.contains(where: { $0.key == handover.edge })
    else { return }
    edges.append(EdgeFlow(edge: edge, key: handover.edge))
  }

  /// The activation ends after so many epochs: never fewer than are closed, never more than were booked.
  mutating func end(after epochs: UInt64) -> Bool {
    guard !isFinished, booking.end(after: epochs, closed: account.nextToClose) else { return false }
    rebook()
    return true
  }

  private mutating func rebook() {
    booking.rebook(&transmit)
    booking.rebook(&receive)
    if var sender {
      booking.rebook(&sender)
      self.sender = sender
    }
  }

  // MARK: The flow

  /// An edge agreed to carry it.
  /// - Returns: false unless it is the same flow as with the other edges.
  mutating func opened(_ opened: FlowOpened, at index: Int) -> Bool {
    guard sender == nil || heading.flow == opened.flow else { return false }
    edges[index].opened = opened
    edges[index].isConfirmed = true
    if sender == nil {
      heading.flow = opened.flow
      sender = booking.sender(flow: opened.flow, end.sending, recovered: recoveredNumbers)
    }
    return true
  }

  /// - Returns: false when nothing can be agreed on with the other end's half.
  mutating func agree(on other: KeyAgreementPublicKey, _ configuration: EnclaveCore.Configuration) -> Bool {
    guard other != otherKey else { return true }
    guard let key = PacketTag.Key(agreement: configuration.agreementKey, peer: other, activation: activation) else {
      return false
    }
    (tagKey, otherKey) = (key, other)
    return true
  }

  // MARK: Epochs

  /// A life begins.
  mutating func resume(at now: Instant) {
    booking.presentSince = now
    account.resumeCollecting(metering: booking.parties.metering, at: now)
  }

  /// The next epoch to close, and when; nil when the last is closed.
  var nextClose: Instant? { account.nextToClose < epochs ? clock.close(of: account.nextToClose) : nil }

  /// Closes the epoch whose turn it is: one signed receipt per point.
  mutating func closeNext(at now: Instant) -> EpochJournal? {
    let epoch = account.nextToClose
    let tallies = [(transmit.point, transmit.close(epoch)), (receive.point, receive.close(epoch))]
    let receipts = booking.receipts(of: epoch, by: ownKey, tallies, heading: heading) { point in
      account.previousReceipt(of: point)
    }
    return account.close(epoch, receipts: receipts, metering: booking.parties.metering, at: now)
  }

  // MARK: Durable

  /// The opening and what changed since.
  var record: Record {
    var writer = CBORWriter()
    writer.array(2)
    writer.write(opening)
    writer.write(booking.changes)
    return .put(stream: EnclaveCore.Stream.sessions, key: slot, bytes: writer.bytes)
  }

  /// An edge's signed answer.
  func record(_ opened: SignedMessage<FlowOpened>, at place: Int) -> Record {
    .put(stream: EnclaveCore.Stream.flows, key: slot << 8 | UInt64(place), bytes: opened.encoded)
  }

  /// The other end's signed half of the key.
  func record(pairing: SignedMessage<FlowOpening>) -> Record {
    .put(stream: EnclaveCore.Stream.pairings, key: slot, bytes: pairing.encoded)
  }

  func record(_ journal: EpochJournal) -> Record {
    .put(
      stream: EnclaveCore.Stream.journals, key: EnclaveCore.Stream.key(slot: slot, epoch: journal.epoch),
      bytes: journal.encoded)
  }

  /// Takes back what an earlier life kept.
  mutating func recover(_ kept: KeptSession, _ configuration: EnclaveCore.Configuration) throws(HaltReason) {
    guard booking.recover(kept.changes) else {
      throw HaltReason("enclave session \(activation.short): its changes do not fit what is booked")
    }
    for update in kept.changes.updates { follow(update) }
    do throws(ExchangeRefusal) {
      try account.recover(
        kept.journals, from: 0, parties: booking.parties, key: configuration.receiptKey,
        network: configuration.network)
    } catch {
      throw HaltReason("enclave session \(activation.short): sealed epochs do not follow from one another (\(error))")
    }
    // To claim that a record was acknowledged which was not would make an epoch contested that was not served.
    booking.recovered(recordedThrough: account.exchange?.lastAcknowledged)
    transmit = booking.meter(transmit.point, from: account.nextToClose)
    receive = booking.meter(receive.point, from: account.nextToClose)
    recoveredNumbers = kept.numbersReserved
    recoverFlows(kept, configuration)
  }

  /// What was agreed on with edges and the other end holds at once, so that no packet is lost for asking again; the
  /// edges are asked all the same, because this life's address may be another.
  private mutating func recoverFlows(_ kept: KeptSession, _ configuration: EnclaveCore.Configuration) {
    for signed in kept.flows {
      guard let flow = try? signed.payload(), let signer = signed.envelope.signer,
        let index = edges.firstIndex(where: { $0.key == signer }), opened(flow, at: index)
      else { continue }
      edges[index].isConfirmed = false
    }
    if let other = otherAgreementKey(kept.pairing.flatMap { try? $0.payload() }) { _ = agree(on: other, configuration) }
  }

  /// Whom tags are agreed on with: the other end's enclave, or the endpoint, which lives at the first edge for good.
  private func otherAgreementKey(_ pairing: FlowOpening?) -> KeyAgreementPublicKey? {
    hasPeerEnclave ? pairing?.agreementKey : edges[0].opened?.agreementKey
  }
}
