import Signing
import Wire

/// Where packets of a flow are counted (§3.3.1; sla.md, "Metering"). A packet passes points in ascending order of
/// its direction.
///
///     one customer    up    enclaveTransmit → edgeIngress → [slice] → endpointReceive
///                     down  endpointTransmit → [slice] → edgeEgress → enclaveReceive
///     two customers   both  enclaveTransmit → edgeIngress → [slice] → edgeEgress → enclaveReceive
public enum MeasurementPoint: UInt8, Sendable, CaseIterable, WireCodable, Comparable {
  /// The sender's enclave, as the packet leaves it.
  case enclaveTransmit = 1
  /// The operator's edge, as the packet enters the slice.
  case edgeIngress = 2
  /// The operator-side endpoint, as the packet leaves the slice.
  case endpointReceive = 3
  /// The operator-side endpoint, as the packet enters the slice.
  case endpointTransmit = 4
  /// The operator's edge, as the packet leaves the slice.
  case edgeEgress = 5
  /// The receiver's enclave, as the packet enters it.
  case enclaveReceive = 6

  public var side: AccountingSide {
    switch self {
    case .enclaveTransmit, .enclaveReceive: .customer
    case .edgeIngress, .endpointReceive, .endpointTransmit, .edgeEgress: .networkOperator
    }
  }

  public static func < (left: MeasurementPoint, right: MeasurementPoint) -> Bool { left.rawValue < right.rawValue }
}

/// Who signs a point's receipts and answers for them.
public enum AccountingSide: UInt8, Sendable, CaseIterable, WireCodable {
  case customer = 1
  case networkOperator = 2

  public var other: AccountingSide { self == .customer ? .networkOperator : .customer }

  /// The points whose receipts this side owes for every epoch of a flow with these ends under metering, in the order of
  /// its receipt set.
  public func points(_ ends: [FlowEnd]) -> [MeteredPoint] {
    ends.contains(.far) ? points(at: .near, of: ends) + points(at: .far, of: ends) : points(at: .near, of: ends)
  }

  /// Those at one end.
  public func points(at end: FlowEnd, of ends: [FlowEnd]) -> [MeteredPoint] {
    let (sent, received) = (end.sending, end.other.sending)
    switch self {
    case .customer: return [MeteredPoint(sent, .enclaveTransmit), MeteredPoint(received, .enclaveReceive)]
    case .networkOperator where ends.contains(.far):
      return [MeteredPoint(sent, .edgeIngress), MeteredPoint(received, .edgeEgress)]
    case .networkOperator:
      return [
        MeteredPoint(.up, .edgeIngress), MeteredPoint(.up, .endpointReceive), MeteredPoint(.down, .endpointTransmit),
        MeteredPoint(.down, .edgeEgress),
      ]
    }
  }
}

/// A point and the direction it counts there.
public struct MeteredPoint: Hashable, Sendable {
  public let direction: Direction
  public let point: MeasurementPoint

  public init(_ direction: Direction, _ point: MeasurementPoint) {
    self.direction = direction
    self.point = point
  }
}

/// What a side says about its own counting in an epoch.
public enum EpochCondition: UInt8, Sendable, CaseIterable, WireCodable {
  /// It counted from the epoch's start to its close.
  case whole = 1
  /// It crashed or started late: what it counted is not the whole epoch, and that is its own doing.
  case interrupted = 2
  /// It holds the gate shut: the record of two epochs before was missing when this one began.
  case gated = 3
}

/// What a point says about the clock it stamps with.
public struct ClockQuality: Hashable, Sendable, WireCodable {
  public enum Source: UInt8, Sendable, CaseIterable, WireCodable {
    /// Nothing disciplines it.
    case freeRunning = 1
    /// NTP (RFC 5905).
    case ntp = 2
    /// PTP (IEEE 1588).
    case ptp = 3
    case gnss = 4
    /// Both ends read the same clock: one host, or a simulation.
    case common = 5
  }

  public var source: Source
  public var synchronised: Bool
  /// How far it may be off.
  public var errorBound: Span
  /// Steps seen during the epoch.
  public var steps: UInt64

  public init(source: Source, synchronised: Bool, errorBound: Span, steps: UInt64 = 0) {
    self.source = source
    self.synchronised = synchronised
    self.errorBound = errorBound
    self.steps = steps
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(source)
    writer.write(synchronised)
    writer.write(errorBound)
    writer.write(steps)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      let clock = ClockQuality(
        source: try reader.value(), synchronised: try reader.bool(), errorBound: try reader.value(),
        steps: try reader.uint())
      guard clock.errorBound >= .zero else { throw .invalidValue(field: "clock error bound") }
      return clock
    }
  }
}
