import Messages
import Wire

/// A node's number: its position in ``Substrate/nodes``.
public struct NodeID: Hashable, Comparable, Sendable, WireCodable, CustomStringConvertible {
  public let number: UInt32
  public init(number: UInt32) { self.number = number }
  public init(_ index: Int) { number = UInt32(clamping: index) }
  public var index: Int { Int(number) }
  public static func < (left: NodeID, right: NodeID) -> Bool { left.number < right.number }
  public var description: String { "\(number)" }
  public func encode(to writer: inout CBORWriter) { writer.write(UInt64(number)) }
  public init(from reader: inout CBORReader) throws(WireError) {
    number = try reader.uint(UInt32.self, field: "node")
  }
}

/// A link's number: its position in ``Substrate/links``.
public struct LinkID: Hashable, Comparable, Sendable, WireCodable, CustomStringConvertible {
  public let number: UInt32
  public init(number: UInt32) { self.number = number }
  public init(_ index: Int) { number = UInt32(clamping: index) }
  public var index: Int { Int(number) }
  public static func < (left: LinkID, right: LinkID) -> Bool { left.number < right.number }
  public var description: String { "\(number)" }
  public func encode(to writer: inout CBORWriter) { writer.write(UInt64(number)) }
  public init(from reader: inout CBORReader) throws(WireError) {
    number = try reader.uint(UInt32.self, field: "link")
  }
}

/// A place where network functions run and links meet. In the paper's evaluation: a switch of the tree.
public struct SubstrateNode: Hashable, Sendable, WireCodable {
  /// Who may begin or end a slice here.
  public enum Attachment: UInt8, Sendable, CaseIterable, WireCodable {
    /// Nobody: the node only carries traffic.
    case none = 1
    /// Users, under the node's name as the cell of `serviceArea`.
    case cell = 2
    /// The operator's side of a one-customer flow, under the node's name as the peer.
    case endpoint = 3
  }

  public var name: String
  public var domain: ResourceDomain
  public var attachment: Attachment
  /// Compute capacity, in units of the operator's choosing.
  public var computeUnits: UInt64
  /// What can be placed here, at most one entry per kind.
  public var functions: [HostedFunction]

  public static let maximumFunctions = 64

  public init(
    name: String, domain: ResourceDomain, attachment: Attachment = .none, computeUnits: UInt64 = 0,
    functions: [HostedFunction] = []
  ) {
    self.name = name
    self.domain = domain
    self.attachment = attachment
    self.computeUnits = computeUnits
    self.functions = functions
  }

  public func function(_ kind: String) -> HostedFunction? { functions.first { $0.kind == kind } }

  func check() throws(SubstrateError) {
    guard (1...ServiceTerms.maximumNameBytes).contains(name.utf8.count) else { throw .illegalName(name) }
    guard computeUnits <= Substrate.maximumCapacity else { throw .outOfRange(element: name, field: "computeUnits") }
    guard functions.count <= Self.maximumFunctions else { throw .outOfRange(element: name, field: "functions") }
    for function in functions {
      guard (1...ServiceTerms.maximumNameBytes).contains(function.kind.utf8.count),
        function.computeUnits <= Substrate.maximumCapacity, function.cost <= Substrate.maximumCost,
        Span.zero <= function.processingDelay, function.processingDelay <= Substrate.maximumDelay,
        functions.count(where: { $0.kind == function.kind }) == 1
      else { throw .outOfRange(element: name, field: "function '\(function.kind)'") }
    }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(name)
    writer.write(domain)
    writer.write(attachment)
    writer.write(computeUnits)
    writer.write(list: functions)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      SubstrateNode(
        name: try reader.text(maximum: ServiceTerms.maximumNameBytes), domain: try reader.value(),
        attachment: try reader.value(), computeUnits: try reader.uint(),
        functions: try reader.list(maximum: Self.maximumFunctions))
    }
  }
}

/// A kind of network function that a node can run for a slice: "firewall", "upf", "gateway" …
public struct HostedFunction: Hashable, Sendable, WireCodable {
  public var kind: String
  /// Taken from the node for each slice that places the function here.
  public var computeUnits: UInt64
  /// Added to every packet's one-way delay.
  public var processingDelay: Span
  /// Added to the path's cost, in the units of ``SubstrateLink/cost``.
  public var cost: UInt64

  public init(kind: String, computeUnits: UInt64, processingDelay: Span, cost: UInt64 = 0) {
    self.kind = kind
    self.computeUnits = computeUnits
    self.processingDelay = processingDelay
    self.cost = cost
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(kind)
    writer.write(computeUnits)
    writer.write(processingDelay)
    writer.write(cost)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      HostedFunction(
        kind: try reader.text(maximum: ServiceTerms.maximumNameBytes), computeUnits: try reader.uint(),
        processingDelay: try reader.value(), cost: try reader.uint())
    }
  }
}

/// A link between two nodes. Delay and loss hold for either direction; capacities are separate, and a directed link
/// has none backward.
public struct SubstrateLink: Hashable, Sendable, WireCodable {
  public var from: NodeID
  public var to: NodeID
  public var domain: ResourceDomain
  /// bit/s from `from` to `to`.
  public var forwardCapacity: UInt64
  /// bit/s from `to` to `from`; 0 for a directed link.
  public var backwardCapacity: UInt64
  /// One-way propagation and forwarding delay.
  public var delay: Span
  /// Parts per billion.
  public var loss: UInt32
  /// What search minimises: administrative units, per slice.
  public var cost: UInt64

  public init(
    from: NodeID, to: NodeID, domain: ResourceDomain, forwardCapacity: UInt64, backwardCapacity: UInt64, delay: Span,
    loss: UInt32, cost: UInt64
  ) {
    self.from = from
    self.to = to
    self.domain = domain
    self.forwardCapacity = forwardCapacity
    self.backwardCapacity = backwardCapacity
    self.delay = delay
    self.loss = loss
    self.cost = cost
  }

  public func end(_ direction: LinkDirection) -> NodeID { direction == .forward ? to : from }
  public func start(_ direction: LinkDirection) -> NodeID { direction == .forward ? from : to }

  public func capacity(_ direction: LinkDirection) -> UInt64 {
    direction == .forward ? forwardCapacity : backwardCapacity
  }

  func check(_ id: LinkID, nodes: [SubstrateNode]) throws(SubstrateError) {
    guard from.index < nodes.count, to.index < nodes.count, from != to else { throw .unknownNode(id) }
    let element = "link \(nodes[from.index].name)→\(nodes[to.index].name)"
    guard forwardCapacity <= Substrate.maximumCapacity, backwardCapacity <= Substrate.maximumCapacity else {
      throw .outOfRange(element: element, field: "capacity")
    }
    guard Span.zero <= delay, delay <= Substrate.maximumDelay else {
      throw .outOfRange(element: element, field: "delay")
    }
    guard loss <= Substrate.maximumLoss else { throw .outOfRange(element: element, field: "loss") }
    guard cost <= Substrate.maximumCost else { throw .outOfRange(element: element, field: "cost") }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(8)
    writer.write(from)
    writer.write(to)
    writer.write(domain)
    writer.write(forwardCapacity)
    writer.write(backwardCapacity)
    writer.write(delay)
    writer.write(UInt64(loss))
    writer.write(cost)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(8) { (reader) throws(WireError) in
      SubstrateLink(
        from: try reader.value(), to: try reader.value(), domain: try reader.value(),
        forwardCapacity: try reader.uint(), backwardCapacity: try reader.uint(), delay: try reader.value(),
        loss: try reader.uint(UInt32.self, field: "loss"), cost: try reader.uint())
    }
  }
}

extension Substrate {
  /// bit/s or compute units of one element: sums over many reservations stay far inside 64 bits.
  public static let maximumCapacity: UInt64 = 1 << 50
  /// Of one link or function. Sums over the longest path stay far inside 64 bits.
  public static let maximumCost: UInt64 = 1 << 32
  /// Of one link, parts per billion: what loses more is no link, and the exponents of the longest path still add up
  /// inside 64 bits.
  public static let maximumLoss: UInt32 = 900_000_000
  /// Of one link or function.
  public static let maximumDelay = Span.seconds(60)
}
