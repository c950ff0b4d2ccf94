import Messages
import Signing

/// A stretch of an activation under one contract: the first booking, or what Extend or Renegotiate added. It runs to
/// the next one's beginning, the last to its booked end.
public struct BookedSegment: Hashable, Sendable {
  public let terms: ContractTerms
  /// Its first epoch.
  public let from: EpochNumber
  /// As booked, whatever cut it short: what its escrow and bond were computed from.
  public let bookedEpochs: UInt64

  public init(terms: ContractTerms, from: EpochNumber, bookedEpochs: UInt64) {
    self.terms = terms
    self.from = from
    self.bookedEpochs = bookedEpochs
  }
}

/// Which edge serves an end, in which cell, from which epoch on.
public struct Serving: Hashable, Sendable {
  public let end: FlowEnd
  public let from: EpochNumber
  public let edge: PublicKey
  public let cell: String

  public init(end: FlowEnd, from: EpochNumber, edge: PublicKey, cell: String) {
    self.end = end
    self.from = from
    self.edge = edge
    self.cell = cell
  }
}

/// Who accounts for an activation, and under which terms: what everybody who meters it knows before an epoch begins.
///
/// Records are always signed by the two *anchors*, the near enclave and the edge that ConfirmSlice named for the near
/// end, whichever edges serve (session anchor, 3GPP TS 23.501 §5.6.9, SSC mode 1). Receipts are signed by whoever stood
/// at the point in that epoch; a packet belongs to the epoch its sender stamped, so that is never in doubt (epoch
/// rules 1 and 7).
public struct AccountParties: Hashable, Sendable {
  public let activation: ActivationID
  /// Epoch 0 begins here.
  public let startAt: Instant
  /// Receipt keys by end: near, and far in a flow between two customers.
  public let enclaves: [PublicKey]
  public let anchorEdge: PublicKey
  public let booking: BookedSegment
  /// What Extend and Renegotiate added, in order.
  public private(set) var amendments: [BookedSegment] = []
  /// In the order in which the ledger took them: the two ends' first edges, then handovers.
  public private(set) var servings: [Serving]
  /// Announced before the activation (AnnounceMaintenance): epochs that overlap one are not served.
  public let maintenance: [TimeWindow]

  /// - Parameter maintenance: as the activation's record keeps them.
  public init(
    activation: ActivationID, terms: ContractTerms, order: ActivationOrder, confirmation: SliceConfirmation,
    maintenance: [TimeWindow] = []
  ) {
    self.activation = activation
    startAt = confirmation.startAt
    enclaves = order.enclaves
    anchorEdge = confirmation.edge
    booking = BookedSegment(terms: terms, from: 0, bookedEpochs: order.epochs)
    servings = [Serving(end: .near, from: 0, edge: confirmation.edge, cell: order.cell)]
    if let edge = confirmation.peerEdge, let cell = order.peerCell {
      servings.append(Serving(end: .far, from: 0, edge: edge, cell: cell))
    }
    self.maintenance = maintenance
  }

  // MARK: Terms

  /// What no amendment changes: metering and deadlines are the same in every segment (Renegotiate).
  public var metering: MeteringTerms { booking.terms.metering }
  public var deadlines: DeadlineTerms { booking.terms.deadlines }

  /// In order of time, never empty.
  public var segments: [BookedSegment] { [booking] + amendments }

  /// Which segment an epoch belongs to: the last that has begun, so that one that was cut before it began has none.
  public func segmentIndex(of epoch: EpochNumber) -> Int {
    amendments.lastIndex { $0.from <= epoch }.map { $0 + 1 } ?? 0
  }

  public func segment(of epoch: EpochNumber) -> BookedSegment {
    amendments.last { $0.from <= epoch } ?? booking
  }

  public func terms(of epoch: EpochNumber) -> ContractTerms { segment(of: epoch).terms }

  /// All epochs that are booked by now.
  public var bookedEpochs: UInt64 {
    let last = amendments.last ?? booking
    return last.from.addingSaturating(last.bookedEpochs)
  }

  /// Whether an epoch overlaps an announced interruption: it is not served, costs nothing and no rule judges it.
  public func isMaintenance(_ epoch: EpochNumber) -> Bool {
    guard !maintenance.isEmpty else { return false }
    let start = startAt + metering.epoch * Int64(clamping: epoch)
    let end = start + metering.epoch
    return maintenance.contains { $0.from < end && start < $0.to }
  }

  // MARK: Who signs

  /// The ends under metering.
  public var ends: [FlowEnd] { enclaves.count == 2 ? [.near, .far] : [.near] }

  /// Signs a side's commitments and its half of every record.
  public func anchor(of side: AccountingSide) -> PublicKey? {
    side == .customer ? enclaves.first : anchorEdge
  }

  /// The edge at an end in an epoch, and its cell. Of several handovers that took effect by then the latest one counts.
  public func serving(_ end: FlowEnd, in epoch: EpochNumber) -> Serving? {
    servings.last { $0.end == end && $0.from <= epoch }
  }

  /// Whose receipt of a point counts in an epoch.
  public func signer(of point: MeteredPoint, in epoch: EpochNumber) -> PublicKey? {
    let end = self.end(of: point)
    switch point.point.side {
    case .customer:
      switch end {
      case .near: return enclaves.first
      case .far: return enclaves.count == 2 ? enclaves[1] : nil
      }
    case .networkOperator:
      // The operator's endpoint stays with the flow's anchor when the customer's end moves to another edge.
      let isEndpoint = [.endpointReceive, .endpointTransmit].contains(point.point)
      return isEndpoint ? anchorEdge : serving(end, in: epoch)?.edge
    }
  }

  /// What a key signs in an epoch, in the order of the receipt set; nothing for an edge whose end moved on.
  public func points(of signer: PublicKey, in epoch: EpochNumber) -> [MeteredPoint] {
    AccountingSide.allCases.flatMap { $0.points(ends) }.filter { self.signer(of: $0, in: epoch) == signer }
  }

  /// Everyone of a side who owes receipts of an epoch, in the order of the points, each once.
  public func signers(of side: AccountingSide, in epoch: EpochNumber) -> [PublicKey] {
    var signers: [PublicKey] = []
    for point in side.points(ends) {
      if let signer = signer(of: point, in: epoch), !signers.contains(signer) { signers.append(signer) }
    }
    return signers
  }

  /// Whether the edge where packets enter holds the key of their tags (``EpochReceipts/entryChecksTags``).
  func entryChecksTags(in epoch: EpochNumber) -> Bool {
    !ends.contains(.far) && serving(.near, in: epoch)?.edge == anchorEdge
  }

  /// Whether the anchor edge's gate was open in an epoch, as its own receipts say (``EpochReceipts/anchorHadRecord``).
  func anchorHadRecord(_ receipts: [SLAReceipt]) -> Bool {
    receipts.contains { $0.condition == .whole && signer(of: $0.meteredPoint, in: $0.epoch) == anchorEdge }
  }

  /// Whether a point's chain of receipts begins anew with an epoch: another edge stands there than the epoch before.
  func begins(_ point: MeteredPoint, with epoch: EpochNumber) -> Bool {
    epoch == 0 || signer(of: point, in: epoch) != signer(of: point, in: epoch - 1)
  }

  /// At which end a point stands.
  public func end(of point: MeteredPoint) -> FlowEnd {
    guard ends.contains(.far) else { return .near }
    let sender: FlowEnd = point.direction == FlowEnd.near.sending ? .near : .far
    switch point.point {
    case .enclaveTransmit, .edgeIngress, .endpointTransmit: return sender
    case .edgeEgress, .endpointReceive, .enclaveReceive: return sender.other
    }
  }

  // MARK: What changes while it runs

  /// Takes an amendment or a handover that is FINAL on the ledger. Taking the same again changes nothing.
  /// - Parameters:
  ///   - recorded: epochs below have their record; nothing about them can change any more.
  ///   - committed: epochs below have been committed to: who stood where is signed, only what it is worth can change.
  /// - Returns: false for one that does not fit what is booked.
  public mutating func apply(
    _ update: BookingUpdate, recorded: EpochNumber = 0, committed: EpochNumber = 0
  ) -> Bool {
    guard update.activation == activation else { return false }
    switch update {
    case .segment(let order, let terms, let from):
      guard order.index > 0, terms.id == order.contract else { return false }
      let segment = BookedSegment(terms: terms, from: from, bookedEpochs: order.epochs)
      if order.index <= UInt64(amendments.count) { return amendments[Int(order.index) - 1] == segment }
      return order.index == UInt64(amendments.count) + 1 && from >= recorded && append(segment)
    case .handover(let handover, _, _):
      return servings.contains(Serving(handover)) || (handover.from >= max(recorded, committed) && append(handover))
    }
  }

  /// The next segment, as the ledger booked it.
  public mutating func append(_ segment: BookedSegment) -> Bool {
    let last = amendments.last ?? booking
    guard amendments.count + 1 < ActivationLimits.segments, segment.from >= last.from, segment.from <= bookedEpochs,
      segment.terms.metering == metering, segment.terms.deadlines == deadlines
    else { return false }
    amendments.append(segment)
    return true
  }

  /// The next handover, as the ledger took it.
  public mutating func append(_ handover: SliceHandover) -> Bool {
    guard ends.contains(handover.end), servings.count < ActivationLimits.handovers + ends.count else { return false }
    servings.append(Serving(handover))
    return true
  }
}

extension Serving {
  fileprivate init(_ handover: SliceHandover) {
    self.init(end: handover.end, from: handover.from, edge: handover.edge, cell: handover.cell)
  }
}

extension MeteringTerms {
  /// How long an anchor waits, from the close of an epoch, for the receipts of the others on its side. The record is
  /// due by the end of the epoch that follows, and three exchanges come after this, so it may take a quarter of what is
  /// left. Whose receipt has not come by then is named in the record as missing.
  public var collectionPatience: Span { max(epoch - grace, epoch / 2) / 4 }
}
