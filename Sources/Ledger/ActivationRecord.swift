import Messages
import Signing
import Wire

/// One activation (sla.md, "The activation"). Its state is a function of this record and of time: no transaction
/// "moves" it when its start or its end comes.
public struct ActivationRecord: Hashable, Sendable {
  public let id: ActivationID
  public let contract: ContractID
  public let customer: OrganisationID
  public let operatorID: OrganisationID
  public let order: ActivationOrder
  /// E, locked since Activate.
  public let escrow: Amount
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

  /// What runs out next, on the chain's clock.
  var deadline: Instant? {
    switch phase {
    case .requested(let confirmBy): confirmBy
    case .reserved(_, let settleBy): settleBy
    case .closing(_, let closing): closing.closesAt
    case .nullified, .settled: nil
    }
  }

  /// What is locked for it now.
  var lockedEscrow: Amount { phase.isFinal ? 0 : escrow }
  var lockedBond: Amount { phase.isFinal ? 0 : reservation?.bond ?? 0 }

  public var money: ActivationMoney {
    var money = ActivationMoney()
    money.escrow = escrow
    money.bond = reservation?.bond ?? 0
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
      epochs: reservation?.epochs ?? order.epochs)
  }
}

extension ActivationRecord.Phase {
  var isFinal: Bool {
    switch self {
    case .requested, .reserved, .closing: false
    case .nullified, .settled: true
    }
  }
}

/// What ConfirmSlice added.
public struct Reservation: Hashable, Sendable {
  public let planHash: Digest
  public let startAt: Instant
  /// The edge monitor whose signature stands on records.
  public let edge: PublicKey
  /// B, locked since ConfirmSlice.
  public let bond: Amount
  /// Epochs that records may cover: as booked, or fewer after a Terminate.
  public internal(set) var epochs: UInt64
  /// When service ends, in block time: after the last of those epochs, or at the operator's Terminate.
  public internal(set) var endsAt: Instant
  /// Nil while nothing but its duration ends it.
  public internal(set) var cause: StatusInfo?

  var endCause: EndCause {
    switch cause {
    case .networkTerminated, .serviceWithheld: .operatorFailed
    case .deleteRequested: .customerTerminated
    case nil, .durationExpired, .receiptWithheld, .sliceRejected, .confirmationExpired: .completed
    }
  }
}

/// CLOSING: open for a record of a higher epoch.
public struct Closing: Hashable, Sendable {
  public internal(set) var record: JointRecord?
  /// On the chain's clock.
  public let closesAt: Instant
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

extension ActivationRecord: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(id)
    writer.write(contract)
    writer.write(customer)
    writer.write(operatorID)
    writer.write(order)
    writer.write(escrow)
    writer.write(phase)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (id, contract, customer, operatorID, order, escrow, phase) = try reader.record(7) { (reader) throws(WireError) in
      (
        try reader.value(), try reader.value(), try reader.value(), try reader.value(), try reader.value(),
        try reader.uint(), try reader.value()
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

extension Reservation: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(planHash)
    writer.write(startAt)
    writer.write(edge)
    writer.write(bond)
    writer.write(epochs)
    writer.write(endsAt)
    writer.write(optional: cause)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (planHash, startAt, edge, bond, epochs, endsAt, cause) = try reader.record(7) { (reader) throws(WireError) in
      (
        try reader.value(), try reader.value(), try reader.value(), try reader.uint(), try reader.uint(),
        try reader.value(), try reader.optional()
      )
    }
  }
}

extension Closing: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(optional: record)
    writer.write(closesAt)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (record, closesAt) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.optional(), try reader.value())
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
