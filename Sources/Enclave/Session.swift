import Effects
import Messages
import Metering
import Signing
import Wire

/// One activation as its enclave accounts for it.
struct Session: Sendable {
  let slot: UInt64
  private(set) var opening: EnclaveSession
  let parties: AccountParties
  /// Booked epochs, or fewer when the activation ends early.
  private(set) var clock: EpochClock
  /// This life began counting here: epochs that had begun before are interrupted.
  var presentSince: Instant
  var exchange: CustomerExchange
  var gate: RecordGate
  var flow: OpenFlow?
  var up: PointMeter
  var down: PointMeter
  var limiter: RateLimiter
  var sequences: SequenceReservation
  var probes = ProbeSchedule()
  /// A request to the edge is in flight, or a retry is set.
  var isAsking = false
  var failures: UInt64 = 0
  var heading: ReceiptHeading

  struct OpenFlow: Sendable {
    let opened: FlowOpened
    let key: PacketTag.Key
    var stamper: PacketStamper
  }

  /// - Returns: nil unless terms, order and confirmation are of one activation that names this enclave.
  init?(
    slot: UInt64, _ opening: EnclaveSession, _ configuration: EnclaveCore.Configuration, presentSince: Instant,
    epochs: UInt64? = nil
  ) {
    let (terms, order) = (opening.terms, opening.order)
    guard (try? terms.validate()) != nil, terms.id == order.contract,
      opening.confirmation.activation == opening.activation,
      order.enclaves.contains(configuration.receiptKey.publicKey),
      slot < UInt64(UInt32.max), (epochs ?? order.epochs) <= order.epochs,
      let clock = EpochClock(
        startAt: opening.confirmation.startAt, epochs: epochs ?? order.epochs, metering: terms.metering)
    else { return nil }
    self.slot = slot
    self.opening = opening
    self.clock = clock
    self.presentSince = presentSince
    parties = AccountParties(
      activation: opening.activation, terms: terms, order: order, confirmation: opening.confirmation)
    exchange = CustomerExchange(
      parties: parties, key: configuration.receiptKey, network: configuration.network)
    gate = RecordGate(terms: terms.metering, clock: clock)
    up = PointMeter(point: MeteredPoint(.up, .enclaveTransmit), terms: terms, clock: clock)
    down = PointMeter(point: MeteredPoint(.down, .enclaveReceive), terms: terms, clock: clock)
    limiter = terms.senderLimiter(.up)
    sequences = SequenceReservation(packetsPerEpoch: terms.packetsPerEpoch(.up))
    heading = ReceiptHeading(
      activation: opening.activation, flow: 0, cell: order.cell, clock: configuration.clock,
      attestation: opening.attestation)
  }

  // MARK: Where it stands

  var epochs: UInt64 { clock.count }
  var isFinished: Bool { exchange.recordedEpochs >= epochs }
  /// Finished, and the operator has the last record.
  var isOver: Bool { isFinished && exchange.isIdle }
  /// When no record can help anybody any more: the contract's time to settle is over.
  var abandonAt: Instant {
    clock.end + parties.terms.deadlines.settleWithin + parties.terms.deadlines.settlementWindow
  }
  var flowKey: FlowKey? { flow.map { FlowKey(edge: $0.opened.address, flow: $0.opened.flow) } }

  /// How long the edge may take to answer one question. Three answers make a record, and it is due within the epoch
  /// that follows, so one lost message must leave time to ask again; each failure allows twice as long, so that an edge
  /// under load is not asked faster than it can answer.
  var patience: Span {
    let metering = parties.terms.metering
    let first = max(Span.zero, metering.epoch - metering.grace) / 3
    return min(EnclaveCore.longestPatience, max(EnclaveCore.leastPatience, first) * (1 << Int64(min(failures, 6))))
  }

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

  /// The activation ends after so many epochs: never fewer than are closed, never more than were booked.
  mutating func end(after epochs: UInt64) -> Bool {
    guard epochs >= 1, epochs <= opening.order.epochs, epochs >= exchange.nextToClose, !isFinished,
      let shorter = clock.with(epochs: epochs, metering: parties.terms.metering)
    else { return false }
    clock = shorter
    up.rebook(shorter)
    down.rebook(shorter)
    flow?.stamper.rebook(shorter)
    return true
  }

  // MARK: Durable

  /// The opening and where it ends.
  var record: Record {
    var writer = CBORWriter()
    writer.array(2)
    writer.write(opening)
    writer.write(epochs)
    return .put(stream: EnclaveCore.Stream.sessions, key: slot, bytes: writer.bytes)
  }

  func record(_ journal: EpochJournal) -> Record {
    .put(
      stream: EnclaveCore.Stream.journals, key: EnclaveCore.Stream.key(slot: slot, epoch: journal.epoch),
      bytes: journal.encoded)
  }

  /// Reserves further sequence numbers when few are left.
  /// - Returns: what must be durable, and read back, before any of them is used.
  mutating func reserveSequences() -> Record? {
    guard let next = flow?.stamper.nextSequence, let limit = sequences.extend(next: next) else { return nil }
    return .put(stream: EnclaveCore.Stream.sequences, key: slot, bytes: limit.encoded)
  }

  mutating func reserved(_ records: [StoredRecord]) {
    guard let stored = records.first, stored.key == slot, let limit = try? UInt64(decoding: stored.bytes) else {
      return
    }
    sequences.readBack(limit)
  }

  // MARK: Epochs

  /// The next epoch to close, and when; nil when the last is closed.
  var nextClose: Instant? { exchange.nextToClose < epochs ? clock.close(of: exchange.nextToClose) : nil }

  /// Closes the epoch whose turn it is: one signed receipt per point.
  mutating func closeNext() -> EpochJournal? {
    let epoch = exchange.nextToClose
    let isTerminal = epoch + 1 == epochs
    let receipts = [up.close(epoch), down.close(epoch)]
    let points = AccountingSide.customer.points
    let condition = condition(of: epoch)
    return exchange.close(
      epoch,
      receipts: zip(points, receipts).map { point, tally in
        tally.receipt(
          heading, point: point, epoch: epoch, condition: condition,
          previous: exchange.previousReceipt(of: point), terminal: isTerminal)
      })
  }

  private func condition(of epoch: EpochNumber) -> EpochCondition {
    if clock.start(of: epoch) < presentSince { return .interrupted }
    return gate.isOpen(for: epoch) ? .whole : .gated
  }

  // MARK: The flow

  mutating func opened(_ opened: FlowOpened, key: PacketTag.Key) {
    heading.flow = opened.flow
    flow = OpenFlow(
      opened: opened, key: key,
      stamper: PacketStamper(flow: opened.flow, direction: .up, clock: clock, nextSequence: sequences.first))
  }
}

/// When an enclave probes: a few times per epoch, early enough that every echo is back before the epoch closes, so
/// that an epoch without data can still be judged.
struct ProbeSchedule: Sendable {
  private var epoch: EpochNumber = 0
  private var index: UInt64 = 0
  /// Probes that have no echo yet, by sequence number.
  private var outstanding: [UInt64: (epoch: EpochNumber, sent: Instant)] = [:]

  static let outstandingAtMost = 64

  /// When the next probe is due; nil after the last epoch.
  func next(_ clock: EpochClock, metering: MeteringTerms) -> Instant? {
    guard epoch < clock.count else { return nil }
    let usable = max(metering.epoch - metering.maximumTransit, metering.epoch / 2)
    let spacing = usable / Int64(ContractTerms.probesPerEpoch + 1)
    return clock.start(of: epoch) + spacing * Int64(index + 1)
  }

  /// Goes on to the first probe that is due after `now`.
  mutating func skip(past now: Instant, _ clock: EpochClock, metering: MeteringTerms) {
    if let running = clock.epoch(at: now), running > epoch { (epoch, index) = (running, 0) }
    while let due = next(clock, metering: metering), due <= now {
      index += 1
      if index == ContractTerms.probesPerEpoch { (epoch, index) = (epoch + 1, 0) }
    }
  }

  mutating func sent(_ header: PacketHeader) {
    if outstanding.count >= Self.outstandingAtMost, let oldest = outstanding.keys.min() { outstanding[oldest] = nil }
    outstanding[header.sequence] = (header.epoch, header.sent)
  }

  /// - Returns: the epoch of the probe that the echo answers and the round trip; nil for an echo nobody waits for.
  ///
  /// What the endpoint says it held the probe is taken off only as far as the contract lets a clock be off: it is the
  /// endpoint's word, and would otherwise make any round trip short.
  mutating func echoed(_ echo: EchoPayload, at now: Instant, metering: MeteringTerms) -> (EpochNumber, Span)? {
    guard let probe = outstanding[echo.sequence], probe.sent == echo.sent else { return nil }
    outstanding[echo.sequence] = nil
    return (probe.epoch, now - probe.sent - min(echo.held, metering.clockErrorBound))
  }
}
