import Signing
import Wire

// Slices are stitched from sub-slices, one per technological domain (paper §2 after Nour et al.; the NSSMF of 3GPP TS
// 28.531). Controller and domain managers belong to one operator.

/// Whose resources a part of a slice is made of.
public enum ResourceDomain: UInt8, Sendable, CaseIterable, WireCodable, Comparable {
  case radio = 1
  case transport = 2
  case compute = 3

  public static func < (left: ResourceDomain, right: ResourceDomain) -> Bool { left.rawValue < right.rawValue }
}

/// The controller asks a domain manager for one sub-slice. Acknowledged once it is durable there, or refused; asking
/// again is harmless.
public struct SubnetOrder: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  /// Of the whole slice: an activation that is stitched anew has several.
  public var plan: Digest
  public var domain: ResourceDomain
  public var window: TimeWindow
  public var elements: [SubnetElement]

  public init(
    activation: ActivationID, plan: Digest, domain: ResourceDomain, window: TimeWindow, elements: [SubnetElement]
  ) {
    self.activation = activation
    self.plan = plan
    self.domain = domain
    self.window = window
    self.elements = elements
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(activation)
    writer.write(plan)
    writer.write(domain)
    writer.write(window)
    writer.write(list: elements)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      SubnetOrder(
        activation: try reader.value(), plan: try reader.value(), domain: try reader.value(),
        window: try reader.value(), elements: try reader.list(maximum: SubnetElement.maximumElements))
    }
  }
}

/// What one element of a domain gives to a slice.
public struct SubnetElement: Hashable, Sendable, WireCodable {
  /// As in the operator's substrate.
  public var name: String
  /// bit/s; compute: units.
  public var up: UInt64
  public var down: UInt64

  public static let maximumNameBytes = 256
  public static let maximumElements = 512

  public init(name: String, up: UInt64, down: UInt64) {
    self.name = name
    self.up = up
    self.down = down
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(name)
    writer.write(up)
    writer.write(down)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      SubnetElement(
        name: try reader.text(maximum: Self.maximumNameBytes), up: try reader.uint(), down: try reader.uint())
    }
  }
}

/// The slice is gone, or was never finished.
public struct SubnetRelease: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var plan: Digest

  public init(activation: ActivationID, plan: Digest) {
    self.activation = activation
    self.plan = plan
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(activation)
    writer.write(plan)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      SubnetRelease(
        activation: try reader.value(), plan: try reader.value())
    }
  }
}

/// Where an edge sends what leaves its part of the slice, for packets of this epoch and later ones.
public struct ServiceRoute: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var from: EpochNumber
  public var port: DataAddress

  public init(activation: ActivationID, from: EpochNumber, port: DataAddress) {
    self.activation = activation
    self.from = from
    self.port = port
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(activation)
    writer.write(from)
    writer.write(port)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      ServiceRoute(
        activation: try reader.value(), from: try reader.uint(), port: try reader.value())
    }
  }
}
