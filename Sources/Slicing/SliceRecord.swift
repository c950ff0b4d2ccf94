import Messages
import Wire

/// One slice as the JIT controller keeps it durably. A put of one of these is the only way a slice comes into being,
/// changes or ends, so a crash leaves a slice whole or absent; the store keeps it as rows (paper §3.2.1: resources
/// "are marked as 'reserved' or 'in-use' within the database for the duration of the contract").
public struct SliceRecord: Hashable, Sendable, WireCodable {
  public enum State: UInt8, Sendable, CaseIterable, WireCodable {
    /// Reserved; its ConfirmSlice is signed and may become final until ``confirmationExpiry`` has passed.
    case held = 1
    /// Its ConfirmSlice is final.
    case confirmed = 2
    /// Nothing is reserved any more. Kept for a while as the answer to "which plan was that hash?".
    case released = 3
  }

  /// The stream of these records in the controller's store; ``key`` is the record's key.
  public static let stream: UInt16 = 0x0200

  /// Unique among this controller's slices, ascending in order of holding.
  public var id: ReservationID
  public var activation: ActivationID
  public var state: State
  /// A ConfirmSlice that is not final at this height never will be: only then may a hold be released.
  public var confirmationExpiry: Height
  public var plan: SlicePlan

  public init(
    id: ReservationID, activation: ActivationID, state: State, confirmationExpiry: Height, plan: SlicePlan
  ) {
    self.id = id
    self.activation = activation
    self.state = state
    self.confirmationExpiry = confirmationExpiry
    self.plan = plan
  }

  public var key: UInt64 { id.number }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(id)
    writer.write(activation)
    writer.write(state)
    writer.write(confirmationExpiry)
    writer.write(plan)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      SliceRecord(
        id: try reader.value(), activation: try reader.value(), state: try reader.value(),
        confirmationExpiry: try reader.uint(), plan: try reader.value())
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
      try hold(record.id, record.plan)
      if record.state == .confirmed { try confirm(record.id) }
    }
  }
}
