import Messages
import Signing
import Wire

/// A slice that can be built: the way from cell to endpoint, or to another cell, with the network functions on it, and
/// what it takes. Its ``hash`` goes on the ledger in ConfirmSlice; the plan itself stays in the controller's database
/// and is opened only on a regulator's demand (adversaries.md, O11).
public struct SlicePlan: Hashable, Sendable, WireCodable {
  /// One step of an up packet, in order. Down packets take the same steps in reverse.
  public enum Step: Hashable, Sendable {
    /// Crosses the link in this direction.
    case cross(LinkID, LinkDirection)
    /// Passes the next network function of the chain, here.
    case place(kind: String, node: NodeID)
  }

  /// Which numbering of nodes and links the plan means: ``Substrate/fingerprint``.
  public var substrate: Digest
  public var cell: NodeID
  /// The operator-side endpoint, or the far end's cell.
  public var destination: NodeID
  public var steps: [Step]
  public var sharing: ServiceTerms.Sharing
  public var throughputUp: UInt64
  public var throughputDown: UInt64
  public var window: TimeWindow
  /// One-way: links and network functions.
  public var predictedDelay: Span
  /// Parts per billion, rounded up.
  public var predictedLoss: UInt32
  public var cost: UInt64
  /// The reservation it is held under, 0 before: no two plans that were ever held have the same ``hash``.
  public var reservation: UInt64

  public static let maximumSteps = 1024

  public init(
    substrate: Digest, cell: NodeID, destination: NodeID, steps: [Step], sharing: ServiceTerms.Sharing,
    throughputUp: UInt64, throughputDown: UInt64, window: TimeWindow, predictedDelay: Span, predictedLoss: UInt32,
    cost: UInt64, reservation: UInt64 = 0
  ) {
    self.substrate = substrate
    self.cell = cell
    self.destination = destination
    self.steps = steps
    self.sharing = sharing
    self.throughputUp = throughputUp
    self.throughputDown = throughputDown
    self.window = window
    self.predictedDelay = predictedDelay
    self.predictedLoss = predictedLoss
    self.cost = cost
    self.reservation = reservation
  }

  /// SHA-256 of the canonical bytes: `planHash` of ConfirmSlice.
  public var hash: Digest { Digest(hashing: encoded) }

  /// The links in the order that up packets cross them.
  public var links: [LinkID] {
    steps.compactMap { if case .cross(let link, _) = $0 { link } else { nil } }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(12)
    writer.write(substrate)
    writer.write(cell)
    writer.write(destination)
    writer.write(list: steps)
    writer.write(sharing)
    writer.write(throughputUp)
    writer.write(throughputDown)
    writer.write(window)
    writer.write(predictedDelay)
    writer.write(UInt64(predictedLoss))
    writer.write(cost)
    writer.write(reservation)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(12) { (reader) throws(WireError) in
      SlicePlan(
        substrate: try reader.value(), cell: try reader.value(), destination: try reader.value(),
        steps: try reader.list(maximum: Self.maximumSteps), sharing: try reader.value(),
        throughputUp: try reader.uint(), throughputDown: try reader.uint(), window: try reader.value(),
        predictedDelay: try reader.value(), predictedLoss: try reader.uint(UInt32.self, field: "predictedLoss"),
        cost: try reader.uint(), reservation: try reader.uint())
    }
  }
}

extension SlicePlan.Step: WireCodable {
  private static let crossing: UInt64 = 1
  private static let placement: UInt64 = 2

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    switch self {
    case .cross(let link, let direction):
      writer.write(Self.crossing)
      writer.write(link)
      writer.write(direction)
    case .place(let kind, let node):
      writer.write(Self.placement)
      writer.write(kind)
      writer.write(node)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      switch try reader.uint() {
      case Self.crossing: .cross(try reader.value(), try reader.value())
      case Self.placement:
        .place(kind: try reader.text(maximum: ServiceTerms.maximumNameBytes), node: try reader.value())
      default: throw .invalidValue(field: "step")
      }
    }
  }
}
