import Effects
import Messages
import Metering
import Signing
import Wire

/// One activation as the edge serves and accounts for it.
struct EdgeService: Sendable {
  let slot: UInt64
  let order: ServiceOrder
  let parties: AccountParties
  /// Booked epochs, or fewer when the activation ends early.
  private(set) var clock: EpochClock
  /// This life began counting here: epochs that had begun before are interrupted.
  var presentSince: Instant
  var exchange: OperatorExchange
  var gate: RecordGate
  var flow: OpenFlow?
  var ingress: PointMeter
  var endpointReceive: PointMeter
  var endpointTransmit: PointMeter
  var egress: PointMeter
  /// At the ingress; and the endpoint's application keeps to its own.
  var upLimiter: RateLimiter
  var downLimiter: RateLimiter
  var upPath: PathEmulator
  var downPath: PathEmulator
  /// The enclave asked before this side had closed the epoch.
  var waiting: (token: ReplyToken, commitment: CommitmentExchange)?
  /// Of the downlink.
  var sequences: SequenceReservation
  /// When the endpoint's application sends next.
  var nextTraffic: Instant
  var isGenerating = false
  private let heading: ReceiptHeading

  struct OpenFlow: Sendable {
    /// Who opened it: nobody else may move it.
    let enclave: ActorAddress
    let opening: FlowOpening
    let key: PacketTag.Key
    var stamper: PacketStamper
  }

  /// - Returns: nil unless order, terms and confirmation are of one activation that this edge is named for.
  init?(
    slot: UInt64, _ order: ServiceOrder, _ configuration: EdgeCore.Configuration, presentSince: Instant,
    epochs: UInt64? = nil
  ) {
    let (terms, confirmation) = (order.terms, order.confirmation)
    guard (try? terms.validate()) != nil, terms.id == order.order.contract,
      confirmation.activation == order.activation, confirmation.edge == configuration.key.publicKey,
      terms.context.allowedPeers.contains(order.order.peer), slot <= UInt64(UInt32.max),
      (epochs ?? order.order.epochs) <= order.order.epochs,
      let clock = EpochClock(
        startAt: confirmation.startAt, epochs: epochs ?? order.order.epochs, metering: terms.metering)
    else { return nil }
    self.slot = slot
    self.order = order
    self.clock = clock
    self.presentSince = presentSince
    parties = AccountParties(
      activation: order.activation, terms: terms, order: order.order, confirmation: confirmation)
    exchange = OperatorExchange(parties: parties, key: configuration.key, network: configuration.network)
    gate = RecordGate(terms: terms.metering, clock: clock)
    func meter(_ direction: Direction, _ point: MeasurementPoint) -> PointMeter {
      PointMeter(point: MeteredPoint(direction, point), terms: terms, clock: clock)
    }
    ingress = meter(.up, .edgeIngress)
    endpointReceive = meter(.up, .endpointReceive)
    endpointTransmit = meter(.down, .endpointTransmit)
    egress = meter(.down, .edgeEgress)
    upLimiter = terms.edgeLimiter(.up)
    downLimiter = terms.senderLimiter(.down)
    sequences = SequenceReservation(packetsPerEpoch: terms.packetsPerEpoch(.down))
    func path(_ direction: Direction, _ rate: UInt64) -> PathEmulator {
      let planned = PathCondition(
        delay: order.pathDelay, jitter: .zero, loss: UInt64(order.pathLoss),
        rate: rate == 0 ? 0 : rate &+ terms.probeRate)
      let seed = configuration.seed ^ order.activation.value.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
      return PathEmulator(
        planned.impaired(by: configuration.impairment, direction), seed: seed &+ UInt64(direction.rawValue))
    }
    upPath = path(.up, order.rateUp)
    downPath = path(.down, order.rateDown)
    nextTraffic = clock.startAt
    heading = ReceiptHeading(
      activation: order.activation, flow: UInt32(slot), cell: order.order.cell, clock: configuration.clock,
      attestation: configuration.attestation)
  }

  // MARK: Where it stands

  var epochs: UInt64 { clock.count }

  var isFinished: Bool { exchange.recordedEpochs >= epochs }

  /// The activation ends after so many epochs: never fewer than are closed, never more than were booked.
  mutating func end(after epochs: UInt64) -> Bool {
    guard epochs >= 1, epochs <= order.order.epochs, epochs >= exchange.nextToClose, !isFinished,
      let shorter = clock.with(epochs: epochs, metering: parties.terms.metering)
    else { return false }
    clock = shorter
    ingress.rebook(shorter)
    endpointReceive.rebook(shorter)
    endpointTransmit.rebook(shorter)
    egress.rebook(shorter)
    flow?.stamper.rebook(shorter)
    return true
  }

  // MARK: Durable

  var record: Record {
    var writer = CBORWriter()
    writer.array(2)
    writer.write(order)
    writer.write(epochs)
    return .put(stream: EdgeCore.Stream.services, key: slot, bytes: writer.bytes)
  }

  func record(_ journal: EpochJournal) -> Record {
    .put(
      stream: EdgeCore.Stream.journals, key: EdgeCore.Stream.key(slot: slot, epoch: journal.epoch),
      bytes: journal.encoded)
  }

  /// Reserves further downlink sequence numbers when few are left.
  /// - Returns: what must be durable, and read back, before any of them is used.
  mutating func reserveSequences() -> Record? {
    guard let next = flow?.stamper.nextSequence, let limit = sequences.extend(next: next) else { return nil }
    return .put(stream: EdgeCore.Stream.sequences, key: slot, bytes: limit.encoded)
  }

  mutating func reserved(_ records: [StoredRecord]) {
    guard let stored = records.first, stored.key == slot, let limit = try? UInt64(decoding: stored.bytes) else {
      return
    }
    sequences.readBack(limit)
  }

  // MARK: Epochs

  /// When the next epoch is to be closed; nil when the last is.
  var nextClose: Instant? { exchange.nextToClose < epochs ? clock.close(of: exchange.nextToClose) : nil }

  /// Closes the epoch whose turn it is: one signed receipt per point.
  mutating func closeNext() -> EpochJournal? {
    let epoch = exchange.nextToClose
    let isTerminal = epoch + 1 == epochs
    let condition = condition(of: epoch)
    let tallies = [
      ingress.close(epoch), endpointReceive.close(epoch), endpointTransmit.close(epoch), egress.close(epoch),
    ]
    let points = AccountingSide.networkOperator.points
    return exchange.close(
      epoch,
      receipts: zip(points, tallies).map { point, tally in
        tally.receipt(
          heading, point: point, epoch: epoch, condition: condition,
          previous: exchange.previousReceipt(of: point), terminal: isTerminal)
      })
  }

  private func condition(of epoch: EpochNumber) -> EpochCondition {
    if clock.start(of: epoch) < presentSince { return .interrupted }
    return gate.isOpen(for: epoch) ? .whole : .gated
  }

  /// - Returns: false when the flow's key cannot be agreed on.
  mutating func openFlow(_ opening: FlowOpening, by enclave: ActorAddress, _ configuration: EdgeCore.Configuration)
    -> Bool
  {
    guard
      let key = PacketTag.Key(
        agreement: configuration.agreementKey, peer: opening.agreementKey, activation: order.activation)
    else { return false }
    let stamper =
      flow?.stamper
      ?? PacketStamper(flow: UInt32(slot), direction: .down, clock: clock, nextSequence: sequences.first)
    flow = OpenFlow(enclave: enclave, opening: opening, key: key, stamper: stamper)
    return true
  }
}
