import Messages
import Signing
import Wire

/// What ConfirmSlice added, and what changed since.
public struct Reservation: Hashable, Sendable {
  /// Of the latest plan: from ConfirmSlice, an amendment or a handover.
  public internal(set) var planHash: Digest
  public let startAt: Instant
  /// Serves the near end from epoch 0 on, and is the anchor: its signature stands on records, also after a handover.
  public let edge: PublicKey
  /// Serves the far end from epoch 0 on; nil for a flow that ends at the operator's endpoint.
  public let peerEdge: PublicKey?
  /// In the order they were made, so ascending for each end; at most ``ActivationLimits/handovers``.
  public internal(set) var handovers: [SliceHandover]
  /// Epochs that records may cover: all that are booked, or fewer after an end before that.
  public internal(set) var epochs: UInt64
  /// When service ends, in block time: after the last of those epochs, or at the moment that ended it.
  public internal(set) var endsAt: Instant
  /// Nil while nothing but its duration ends it.
  public internal(set) var cause: StatusInfo?
  public internal(set) var proceedings: Proceedings

  var endCause: EndCause {
    switch cause {
    case .networkTerminated, .serviceWithheld: .operatorFailed
    case .deleteRequested: .customerTerminated
    case nil, .durationExpired, .receiptWithheld, .sliceRejected, .confirmationExpired: .completed
    }
  }

  /// The edge that serves an end in an epoch; nil for an end that no edge serves.
  public func edge(at end: FlowEnd, in epoch: EpochNumber) -> PublicKey? {
    latestHandover(of: end, until: epoch)?.edge ?? (end == .near ? edge : peerEdge)
  }

  /// The cell in which an end is served in an epoch.
  public func cell(at end: FlowEnd, in epoch: EpochNumber, of order: ActivationOrder) -> String? {
    latestHandover(of: end, until: epoch)?.cell ?? order.cell(of: end)
  }

  /// All cells in which an end is served from an epoch on, as far as is decided.
  func cells(from epoch: EpochNumber, of order: ActivationOrder) -> [String] {
    order.ends.compactMap { cell(at: $0, in: epoch, of: order) } + handovers.filter { $0.from > epoch }.map(\.cell)
  }

  func latestHandover(of end: FlowEnd, until epoch: EpochNumber = .max) -> SliceHandover? {
    handovers.last { $0.end == end && $0.from <= epoch }
  }

  /// When an epoch begins. Epochs are the same length in all segments.
  func start(of epoch: EpochNumber, _ terms: ContractTerms) -> Instant { startAt + terms.duration(epochs: epoch) }

  /// The first epoch that begins at or after an instant.
  func firstEpoch(from instant: Instant, _ terms: ContractTerms) -> EpochNumber {
    guard instant > startAt else { return 0 }
    let length = max(1, terms.metering.epoch.nanoseconds)
    return UInt64(clamping: ((instant - startAt).nanoseconds - 1) / length + 1)
  }

  /// How many epochs are over.
  func completeEpochs(at time: Instant, _ terms: ContractTerms) -> UInt64 {
    UInt64(clamping: (time - startAt).nanoseconds / max(1, terms.metering.epoch.nanoseconds))
  }
}

/// CLOSING: open for a record of a higher epoch and for disputes.
public struct Closing: Hashable, Sendable {
  public internal(set) var record: JointRecord?
  /// On the chain's clock; later when a demand still waits for its answer.
  public let closesAt: Instant
  /// How it will have been settled: unilateral, or disputed once a Dispute changed the record.
  public internal(set) var kind: SettlementKind = .unilateral
}

/// How it ended.
public struct Settlement: Hashable, Sendable {
  public let kind: SettlementKind
  /// What it was paid by; nil when no epoch was recorded.
  public let record: JointRecord?
  public let paid: Amount
  public let refunded: Amount
  public let penalty: Amount
  public let bondReturned: Amount
}

extension Reservation: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(9)
    writer.write(planHash)
    writer.write(startAt)
    writer.write(edge)
    writer.write(optional: peerEdge)
    writer.write(list: handovers)
    writer.write(epochs)
    writer.write(endsAt)
    writer.write(optional: cause)
    writer.write(proceedings)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(9) { (reader) throws(WireError) in
      Reservation(
        planHash: try reader.value(), startAt: try reader.value(), edge: try reader.value(),
        peerEdge: try reader.optional(), handovers: try reader.list(maximum: ActivationLimits.handovers),
        epochs: try reader.uint(), endsAt: try reader.value(), cause: try reader.optional(),
        proceedings: try reader.value())
    }
  }
}

extension Closing: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(optional: record)
    writer.write(closesAt)
    writer.write(kind)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (record, closesAt, kind) = try reader.record(3) { (reader) throws(WireError) in
      (try reader.optional(), try reader.value(), try reader.value())
    }
  }
}

extension Settlement: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(kind)
    writer.write(optional: record)
    for amount in [paid, refunded, penalty, bondReturned] { writer.write(amount) }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (kind, record, paid, refunded, penalty, bondReturned) = try reader.record(6) { (reader) throws(WireError) in
      (
        try reader.value(), try reader.optional(), try reader.uint(), try reader.uint(), try reader.uint(),
        try reader.uint()
      )
    }
  }
}
