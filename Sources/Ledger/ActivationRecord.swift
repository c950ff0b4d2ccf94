import Messages
import Signing
import Wire

/// One activation (sla.md, "The activation"). Its state is a function of this record and of time: no transaction
/// "moves" it when its start or its end comes.
public struct ActivationRecord: Hashable, Sendable {
  public let id: ActivationID
  public let customer: OrganisationID
  public let operatorID: OrganisationID
  public let order: ActivationOrder
  /// Windows announced before it was ordered: whose epochs they touch are NOT_SERVED. Ascending.
  public let maintenance: [TimeWindow]
  /// The first booking and every Extend or Renegotiate, in order of time; at least one, at most
  /// ``ActivationLimits/segments``.
  public internal(set) var segments: [ActivationSegment]
  public internal(set) var phase: Phase

  /// What is stored. Each case holds only what is known then.
  public enum Phase: Hashable, Sendable {
    /// Until `confirmBy` on the chain's clock.
    case requested(confirmBy: Instant)
    /// RESERVED, and from its start on ACTIVATED, until someone opens CLOSING, `settleBy` on the chain's clock at the
    /// latest.
    case reserved(Reservation, settleBy: Instant)
    case closing(Reservation, Closing)
    case nullified(StatusInfo)
    case settled(Reservation, Settlement)
  }

  /// The one it was ordered under; ``segments`` name those that followed.
  public var contract: ContractID { order.contract }

  /// The state at a block's time.
  public func state(at time: Instant) -> ActivationState {
    switch phase {
    case .requested: .requested
    case .reserved(let reservation, _): time < reservation.startAt ? .reserved : .activated
    case .closing: .closing
    case .nullified: .nullified
    case .settled: .settled
    }
  }

  public var reservation: Reservation? {
    switch phase {
    case .requested, .nullified: nil
    case .reserved(let reservation, _), .closing(let reservation, _), .settled(let reservation, _): reservation
    }
  }

  public var settlement: Settlement? {
    if case .settled(_, let settlement) = phase { settlement } else { nil }
  }

  public var statusInfo: StatusInfo? {
    switch phase {
    case .requested: nil
    case .reserved(let reservation, _): reservation.cause
    case .closing(let reservation, _), .settled(let reservation, _): reservation.cause ?? .durationExpired
    case .nullified(let info): info
    }
  }

  /// What runs out next, on the chain's clock. A demand that waits for its answer comes first: what it brings still
  /// counts in the settlement, so neither `settleBy` nor the end of CLOSING cuts it. That delays nobody for long,
  /// because after those instants no new demand is taken.
  var deadline: Instant? { phase.isFinal ? nil : reservation?.proceedings.answerBy ?? phase.deadline }

  // MARK: Money

  /// E, locked since Activate and each amendment. Saturates; what is really locked was in balances and has 64 bits.
  public var escrow: Amount { Self.sum(segments.map(\.escrow)) }
  /// B, locked since ConfirmSlice and each amendment.
  public var bond: Amount { reservation == nil ? 0 : Self.sum(segments.map(\.bond)) }

  private static func sum(_ amounts: [Amount]) -> Amount {
    Amount(clamping: amounts.reduce(UInt128(0)) { $0 + UInt128($1) })
  }

  /// What is locked for it now.
  var lockedEscrow: Amount { phase.isFinal ? 0 : escrow }
  var lockedBond: Amount { phase.isFinal ? 0 : bond }

  public var money: ActivationMoney {
    var money = ActivationMoney()
    money.escrow = escrow
    money.bond = bond
    switch phase {
    case .requested, .reserved, .closing: break
    case .nullified: money.refunded = escrow
    case .settled(_, let settlement):
      money.paid = settlement.paid
      money.refunded = settlement.refunded
      money.penalty = settlement.penalty
    }
    return money
  }

  // MARK: Epochs

  /// Epochs that records may cover.
  public var epochs: UInt64 { reservation?.epochs ?? segments.last?.end ?? 0 }

  /// The epochs of each segment that records may cover: until the next one begins, or the activation ends.
  public var segmentRanges: [Range<EpochNumber>] {
    let end = epochs
    let nexts = segments.dropFirst().map(\.first) + [end]
    return zip(segments, nexts).map { segment, next in
      let first = min(segment.first, end)
      return first..<max(first, min(segment.end, next, end))
    }
  }

  /// What followers are told.
  public var change: ActivationChange {
    let state: ActivationState =
      switch phase {
      case .requested: .requested
      case .reserved: .reserved
      case .closing: .closing
      case .nullified: .nullified
      case .settled: .settled
      }
    return ActivationChange(
      activation: id, state: state, statusInfo: statusInfo, settlement: settlement?.kind, money: money,
      epochs: epochs, endsAt: reservation?.endsAt, segmentFrom: segments.last?.first ?? 0,
      answerBy: reservation?.proceedings.answerBy, posted: reservation?.proceedings.posted?.record.epoch)
  }
}

extension ActivationRecord.Phase {
  var isFinal: Bool {
    switch self {
    case .requested, .reserved, .closing: false
    case .nullified, .settled: true
    }
  }

  /// What runs out next if nothing is demanded.
  var deadline: Instant? {
    switch self {
    case .requested(let confirmBy): confirmBy
    case .reserved(_, let settleBy): settleBy
    case .closing(_, let closing): closing.closesAt
    case .nullified, .settled: nil
    }
  }
}

/// A stretch of an activation under one contract. It keeps what it was booked with, whatever cuts it: E and B are
/// computed from that.
public struct ActivationSegment: Hashable, Sendable {
  public let contract: ContractID
  public let first: EpochNumber
  /// As booked.
  public let epochs: UInt64
  /// E of this segment, its reservation fee included.
  public let escrow: Amount
  /// B of this segment.
  public let bond: Amount

  /// The first epoch after it, as booked.
  public var end: EpochNumber {
    let (end, overflow) = first.addingReportingOverflow(epochs)
    return overflow ? .max : end
  }
}

extension ActivationRecord: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(id)
    writer.write(customer)
    writer.write(operatorID)
    writer.write(order)
    writer.write(list: maintenance)
    writer.write(list: segments)
    writer.write(phase)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (id, customer, operatorID, order, maintenance, segments, phase) = try reader.record(7) {
      (reader) throws(WireError) in
      (
        try reader.value(), try reader.value(), try reader.value(), try reader.value(),
        try reader.list(maximum: ActivationLimits.maintenanceWindows),
        try reader.list(maximum: ActivationLimits.segments), try reader.value()
      )
    }
  }
}

extension ActivationRecord.Phase: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    func head(_ number: UInt64, _ fields: Int) {
      writer.array(fields + 1)
      writer.write(number)
    }
    switch self {
    case .requested(let confirmBy):
      head(1, 1)
      writer.write(confirmBy)
    case .reserved(let reservation, let settleBy):
      head(2, 2)
      writer.write(reservation)
      writer.write(settleBy)
    case .closing(let reservation, let closing):
      head(3, 2)
      writer.write(reservation)
      writer.write(closing)
    case .nullified(let info):
      head(4, 1)
      writer.write(info)
    case .settled(let reservation, let settlement):
      head(5, 2)
      writer.write(reservation)
      writer.write(settlement)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 3) { (reader, count) throws(WireError) in
      switch (try reader.uint(), count) {
      case (1, 2): return .requested(confirmBy: try reader.value())
      case (2, 3): return .reserved(try reader.value(), settleBy: try reader.value())
      case (3, 3): return .closing(try reader.value(), try reader.value())
      case (4, 2): return .nullified(try reader.value())
      case (5, 3): return .settled(try reader.value(), try reader.value())
      default: throw .invalidValue(field: "activation phase")
      }
    }
  }
}

extension ActivationSegment: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(contract)
    for number in [first, epochs, escrow, bond] { writer.write(number) }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (contract, first, epochs, escrow, bond) = try reader.record(5) { (reader) throws(WireError) in
      (try reader.value(), try reader.uint(), try reader.uint(), try reader.uint(), try reader.uint())
    }
  }
}
