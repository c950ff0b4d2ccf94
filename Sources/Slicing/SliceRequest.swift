import Messages
import Wire

/// What a slice must satisfy: the part of a request that ``Infeasible/recommended`` may relax.
public struct SliceRequirements: Hashable, Sendable, WireCodable {
  /// Reserved towards the endpoint, bit/s.
  public var throughputUp: UInt64
  /// Reserved towards the attachment, bit/s.
  public var throughputDown: UInt64
  /// One-way, either direction, network functions included.
  public var maximumDelay: Span
  /// Parts per billion over the whole path, either direction.
  public var maximumLoss: UInt32
  /// Reserved from `from` until just before `to`.
  public var window: TimeWindow

  public init(
    throughputUp: UInt64, throughputDown: UInt64, maximumDelay: Span, maximumLoss: UInt32, window: TimeWindow
  ) {
    self.throughputUp = throughputUp
    self.throughputDown = throughputDown
    self.maximumDelay = maximumDelay
    self.maximumLoss = maximumLoss
    self.window = window
  }

  /// As it travels in RejectSlice.
  public var recommendation: RecommendedRequirements {
    RecommendedRequirements(
      throughputUp: throughputUp, throughputDown: throughputDown, maximumDelay: maximumDelay, from: window.from)
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(throughputUp)
    writer.write(throughputDown)
    writer.write(maximumDelay)
    writer.write(UInt64(maximumLoss))
    writer.write(window)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      SliceRequirements(
        throughputUp: try reader.uint(), throughputDown: try reader.uint(), maximumDelay: try reader.value(),
        maximumLoss: try reader.uint(UInt32.self, field: "maximumLoss"), window: try reader.value())
    }
  }
}

/// One order to the JIT controller: stitch a slice from a cell to an endpoint or to another cell, through a chain of
/// network functions (3GPP TS 28.541 FeasibilityCheckAndReservationJob).
public struct SliceRequest: Hashable, Sendable {
  public enum Destination: Hashable, Sendable {
    /// The operator's side of a one-customer flow.
    case endpoint(String)
    /// Where the other customer of a two-customer flow attaches; the same cell is as good as any.
    case cell(String)
  }

  /// The cell where the user attaches.
  public var cell: String
  public var destination: Destination
  /// Kinds of network functions in the order that up traffic passes them; down traffic passes them in reverse.
  public var functionChain: [String]
  /// Exclusive: every node that runs one of the slice's functions serves no other slice during the window.
  /// Throughput is reserved for one slice alone either way.
  public var sharing: ServiceTerms.Sharing
  public var requirements: SliceRequirements
  /// Names of nodes that the way must not lead over (announced maintenance); its own two ends are not asked about.
  public var avoided: [String]

  public init(
    cell: String, destination: Destination, functionChain: [String], sharing: ServiceTerms.Sharing,
    requirements: SliceRequirements, avoided: [String] = []
  ) {
    self.cell = cell
    self.destination = destination
    self.functionChain = functionChain
    self.sharing = sharing
    self.requirements = requirements
    self.avoided = avoided
  }
}
