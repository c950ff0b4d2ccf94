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

/// One order to the JIT controller: stitch a slice from a cell to an endpoint through a chain of network functions
/// (3GPP TS 28.541 FeasibilityCheckAndReservationJob).
public struct SliceRequest: Hashable, Sendable {
  /// The cell where the user attaches.
  public var cell: String
  /// The operator-side endpoint.
  public var endpoint: String
  /// Kinds of network functions in the order that up traffic passes them; down traffic passes them in reverse.
  public var functionChain: [String]
  /// Exclusive: every node that runs one of the slice's functions serves no other slice during the window.
  /// Throughput is reserved for one slice alone either way.
  public var sharing: ServiceTerms.Sharing
  public var requirements: SliceRequirements

  public init(
    cell: String, endpoint: String, functionChain: [String], sharing: ServiceTerms.Sharing,
    requirements: SliceRequirements
  ) {
    self.cell = cell
    self.endpoint = endpoint
    self.functionChain = functionChain
    self.sharing = sharing
    self.requirements = requirements
  }
}
