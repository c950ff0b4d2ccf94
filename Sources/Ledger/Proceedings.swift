import Messages
import Signing
import Wire

/// What the parties ask of each other on the ledger: demands that wait for their answer, the record that came of
/// answered ones, and what was disputed. Empty for an activation of two honest parties.
public struct Proceedings: Hashable, Sendable {
  public internal(set) var service: ServiceDemand = .none
  /// Open demands for records: at most one per side.
  public internal(set) var demands: [OpenRecordDemand] = []
  /// The latest epoch each side has demanded. A side demands ascending epochs, so this says for every epoch whether
  /// it may still.
  public internal(set) var latestDemands = PerSide<EpochNumber>()
  /// The latest record that the ledger computed itself.
  public internal(set) var posted: PostedRecord?
  /// Every epoch that a side has disputed.
  public internal(set) var disputes: [DisputedEpoch] = []

  /// Disputes of one activation, both sides together.
  public static let maximumDisputes = 64

  /// When the next demand runs out, on the chain's clock; nil while none waits.
  public var answerBy: Instant? {
    var instants = demands.map(\.answerBy)
    if case .open(let answerBy) = service { instants.append(answerBy) }
    return instants.min()
  }
}

/// DemandService, once per activation.
public enum ServiceDemand: Hashable, Sendable {
  case none
  case open(answerBy: Instant)
  case answered
}

/// DemandRecord, until both sides' receipts of its epoch are open.
public struct OpenRecordDemand: Hashable, Sendable {
  public let by: AccountingSide
  public let epoch: EpochNumber
  /// What the epoch's record follows; nil for epoch 0.
  public let base: PostedRecord?
  /// The demander's own.
  public let commitment: EpochCommitment
  /// The other side's, if the demander showed it.
  public let other: EpochCommitment?
  /// The receipts of the side that was asked, once it opened them; then it is the demander's turn.
  public internal(set) var opened: ReceiptSet?
  /// By when whoever's turn it is must answer, on the chain's clock.
  public internal(set) var answerBy: Instant

  /// Who loses if nothing comes.
  public var turn: AccountingSide { opened == nil ? by.other : by }
}

/// A record with what the pure function carries besides it.
public struct PostedRecord: Hashable, Sendable {
  public let record: JointRecord
  /// The encoded account state after it; its SHA-256 stands in the record.
  public let state: [UInt8]
}

public struct DisputedEpoch: Hashable, Sendable {
  public let by: AccountingSide
  public let epoch: EpochNumber
  /// Who said two things about it: it counts against that side in whichever record CLOSING pays by. Nil where the
  /// record was computed again.
  public let against: AccountingSide?
}

/// Something of each side, where it has it.
public struct PerSide<Value: Hashable & Sendable>: Hashable, Sendable {
  public var customer: Value?
  public var networkOperator: Value?

  public init() {}

  public subscript(side: AccountingSide) -> Value? {
    get { side == .customer ? customer : networkOperator }
    set { if side == .customer { customer = newValue } else { networkOperator = newValue } }
  }
}

extension Proceedings: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(service)
    writer.write(list: demands)
    writer.write(optional: latestDemands.customer)
    writer.write(optional: latestDemands.networkOperator)
    writer.write(optional: posted)
    writer.write(list: disputes)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      var proceedings = Proceedings()
      proceedings.service = try reader.value()
      proceedings.demands = try reader.list(maximum: AccountingSide.allCases.count)
      proceedings.latestDemands.customer = try reader.optional()
      proceedings.latestDemands.networkOperator = try reader.optional()
      proceedings.posted = try reader.optional()
      proceedings.disputes = try reader.list(maximum: Self.maximumDisputes)
      return proceedings
    }
  }
}

extension ServiceDemand: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    switch self {
    case .none:
      writer.array(1)
      writer.write(UInt64(1))
    case .open(let answerBy):
      writer.array(2)
      writer.write(UInt64(2))
      writer.write(answerBy)
    case .answered:
      writer.array(1)
      writer.write(UInt64(3))
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 2) { (reader, count) throws(WireError) in
      switch (try reader.uint(), count) {
      case (1, 1): return .none
      case (2, 2): return .open(answerBy: try reader.value())
      case (3, 1): return .answered
      default: throw .invalidValue(field: "service demand")
      }
    }
  }
}

extension OpenRecordDemand: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(by)
    writer.write(epoch)
    writer.write(optional: base)
    writer.write(commitment)
    writer.write(optional: other)
    writer.write(optional: opened)
    writer.write(answerBy)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(7) { (reader) throws(WireError) in
      OpenRecordDemand(
        by: try reader.value(), epoch: try reader.uint(), base: try reader.optional(), commitment: try reader.value(),
        other: try reader.optional(), opened: try reader.optional(), answerBy: try reader.value())
    }
  }
}

extension PostedRecord: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(record)
    writer.write(bytes: state)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      PostedRecord(
        record: try reader.value(), state: try reader.byteString(maximum: AccountBase.maximumStateBytes))
    }
  }
}

extension DisputedEpoch: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(by)
    writer.write(epoch)
    writer.write(optional: against)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      DisputedEpoch(by: try reader.value(), epoch: try reader.uint(), against: try reader.optional())
    }
  }
}
