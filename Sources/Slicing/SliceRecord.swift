import Messages
import Wire

/// One slice as the JIT controller keeps it durably. A put of one of these is the only way a slice comes into being,
/// changes or ends, so a crash leaves a slice whole or absent; the store keeps it as rows (paper §3.2.1: resources
/// "are marked as 'reserved' or 'in-use' within the database for the duration of the contract").
public struct SliceRecord: Hashable, Sendable, WireCodable {
  public enum State: UInt8, Sendable, CaseIterable, WireCodable {
    /// Reserved. Once all its sub-slices are allocated, the transaction that takes it to the ledger is signed and may
    /// become final until ``confirmationExpiry`` has passed.
    case held = 1
    /// That transaction is final.
    case confirmed = 2
    /// Nothing is reserved any more. Kept for a while as the answer to "which plan was that hash?".
    case released = 3
  }

  /// How far one domain's part of the slice is.
  public struct SubSliceState: Hashable, Sendable, WireCodable {
    public enum Phase: UInt8, Sendable, CaseIterable, WireCodable {
      /// Its domain manager is being asked.
      case ordered = 1
      /// The domain manager has it durably.
      case allocated = 2
      /// The domain manager is being told to let go.
      case releasing = 3
      case released = 4
    }
    public var domain: ResourceDomain
    public var phase: Phase

    public init(domain: ResourceDomain, phase: Phase) {
      self.domain = domain
      self.phase = phase
    }

    public func encode(to writer: inout CBORWriter) {
      writer.array(2)
      writer.write(domain)
      writer.write(phase)
    }

    public init(from reader: inout CBORReader) throws(WireError) {
      self = try reader.record(2) { (reader) throws(WireError) in
        SubSliceState(domain: try reader.value(), phase: try reader.value())
      }
    }
  }

  /// The stream of these records in the controller's store; ``key`` is the record's key.
  public static let stream: UInt16 = 0x0200

  /// Unique among this controller's slices, ascending in order of holding.
  public var id: ReservationID
  public var activation: ActivationID
  public var state: State
  /// A transaction that is not final at this height never will be: only then may a hold be released. 0 before it is
  /// signed.
  public var confirmationExpiry: Height
  public var plan: SlicePlan
  /// In order of domain; empty where the operator runs no domain managers.
  public var subSlices: [SubSliceState]

  public init(
    id: ReservationID, activation: ActivationID, state: State, confirmationExpiry: Height, plan: SlicePlan,
    subSlices: [SubSliceState] = []
  ) {
    self.id = id
    self.activation = activation
    self.state = state
    self.confirmationExpiry = confirmationExpiry
    self.plan = plan
    self.subSlices = subSlices
  }

  public var key: UInt64 { id.number }

  /// Moves every part that stands in one phase to another.
  public mutating func move(_ from: [SubSliceState.Phase], to phase: SubSliceState.Phase) {
    for index in subSlices.indices where from.contains(subSlices[index].phase) { subSlices[index].phase = phase }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(id)
    writer.write(activation)
    writer.write(state)
    writer.write(confirmationExpiry)
    writer.write(plan)
    writer.write(list: subSlices)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      SliceRecord(
        id: try reader.value(), activation: try reader.value(), state: try reader.value(),
        confirmationExpiry: try reader.uint(), plan: try reader.value(),
        subSlices: try reader.list(maximum: ResourceDomain.allCases.count))
    }
  }
}

extension ReservationCalendar {
  /// Rebuilds the calendar from what the store recovered.
  ///
  /// - Throws: ``CalendarError`` if the records promise more than the substrate has, which no honest history does:
  ///   the substrate shrank, or the database is not this operator's.
  public init(substrate: Substrate, recovering records: [SliceRecord]) throws(CalendarError) {
    self.init(substrate: substrate)
    for record in records where record.state != .released {
      try hold(record.id, record.plan, for: record.activation)
      if record.state == .confirmed { try confirm(record.id) }
    }
  }
}
