import Signing
import Wire

/// Bounds of what one activation's record may hold.
public enum ActivationLimits {
  /// Stretches under one contract each: the first booking and every Extend or Renegotiate.
  public static let segments = 8
  /// Handovers of both ends together.
  public static let handovers = 32
  /// Maintenance windows that bind it.
  public static let maintenanceWindows = 16
}

/// One more stretch of a running activation: Extend (the same contract, from the present end on) or Renegotiate
/// (another contract of the operator, from the first epoch that starts late enough). Signed by the customer's treasury
/// key and by the operator's controller over the same bytes.
public struct SegmentOrder: Hashable, SignedPayload {
  public static let kind = MessageKind.segmentOrder

  public var activation: ActivationID
  /// Of the new segment: 1 for the first amendment. Makes each good for once.
  public var index: UInt64
  public var contract: ContractID
  /// Booked in the new segment.
  public var epochs: UInt64
  /// Digest of the slice plan in force when it is signed: ConfirmSlice's, or the last HandOver's. The customer signs
  /// first and cannot know the plan that follows; that one is the operator's own matter.
  public var plan: Digest
  /// Height of the last block that may carry it. Who signs first gives its word into the other's hand, and must not be
  /// held to it when it wants the segment no more.
  public var expiry: Height

  /// Heights between what a customer knows of the ledger and the expiry it signs: time to plan, hold and carry.
  public static let lifetime = Transaction.orderLifetime

  public init(
    activation: ActivationID, index: UInt64, contract: ContractID, epochs: UInt64, plan: Digest, expiry: Height
  ) {
    self.activation = activation
    self.index = index
    self.contract = contract
    self.epochs = epochs
    self.plan = plan
    self.expiry = expiry
  }

  /// Whether both ask for the same, however long they are good for.
  public func asksTheSame(as other: SegmentOrder) -> Bool {
    var other = other
    other.expiry = expiry
    return self == other
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(activation)
    writer.write(index)
    writer.write(contract)
    writer.write(epochs)
    writer.write(plan)
    writer.write(expiry)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      SegmentOrder(
        activation: try reader.value(), index: try reader.uint(), contract: try reader.value(),
        epochs: try reader.uint(), plan: try reader.value(), expiry: try reader.uint())
    }
  }
}

/// From the start of an epoch on, an end is served in another cell, by another edge, over a slice stitched anew.
/// Packets belong to the epoch their sender stamped, so each knows its edge (epoch rules 1 and 7). By the operator's
/// controller.
public struct SliceHandover: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var end: FlowEnd
  /// First epoch over the new edge; starts at least the contract's lead after the block.
  public var from: EpochNumber
  /// One of the contract's area.
  public var cell: String
  /// Enrolled key of the edge monitor that serves the end from then on.
  public var edge: PublicKey
  /// Digest of the new slice plan.
  public var plan: Digest

  public init(activation: ActivationID, end: FlowEnd, from: EpochNumber, cell: String, edge: PublicKey, plan: Digest) {
    self.activation = activation
    self.end = end
    self.from = from
    self.cell = cell
    self.edge = edge
    self.plan = plan
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(activation)
    writer.write(end)
    writer.write(from)
    writer.write(cell)
    writer.write(edge)
    writer.write(plan)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      SliceHandover(
        activation: try reader.value(), end: try reader.value(), from: try reader.uint(),
        cell: try reader.text(maximum: ServiceTerms.maximumNameBytes), edge: try reader.value(),
        plan: try reader.value())
    }
  }
}

/// An announced interruption. Binds only activations made after it: their epochs that overlap it are NOT_SERVED, cost
/// nothing and are judged by no rule. By an operator's controller.
public struct Maintenance: Hashable, Sendable, WireCodable {
  public var window: TimeWindow
  /// Cells in which service may be missing.
  public var cells: [String]

  public init(window: TimeWindow, cells: [String]) {
    self.window = window
    self.cells = cells
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(window)
    writer.write(list: cells)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      Maintenance(
        window: try reader.value(), cells: try reader.list(maximum: ContextTerms.maximumEntries))
    }
  }
}

/// A customer tells the controller where its end of a flow is going. Answered when the request is taken; whether a
/// slice was found shows on the ledger.
public struct HandoverRequest: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var end: FlowEnd
  public var cell: String

  public init(activation: ActivationID, end: FlowEnd, cell: String) {
    self.activation = activation
    self.end = end
    self.cell = cell
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(activation)
    writer.write(end)
    writer.write(cell)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      HandoverRequest(
        activation: try reader.value(), end: try reader.value(),
        cell: try reader.text(maximum: ServiceTerms.maximumNameBytes))
    }
  }
}

/// What changes about a booking while it runs, for those who meter it: told after it is FINAL.
public enum BookingUpdate: Hashable, Sendable, WireCodable {
  /// A further segment begins with this epoch.
  case segment(SegmentOrder, ContractTerms, from: EpochNumber)
  /// The end is served by this edge from the epoch in the handover on; `port` is where that edge takes packets, where
  /// known.
  case handover(SliceHandover, edge: ActorAddress, port: DataAddress?)

  public var activation: ActivationID {
    switch self {
    case .segment(let order, _, _): order.activation
    case .handover(let handover, _, _): handover.activation
    }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    switch self {
    case .segment(let order, let terms, let from):
      writer.write(UInt64(1))
      writer.write(order)
      writer.write(terms)
      writer.write(from)
    case .handover(let handover, let edge, let port):
      writer.write(UInt64(2))
      writer.write(handover)
      writer.write(edge)
      writer.write(optional: port)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      switch try reader.uint() {
      case 1: return .segment(try reader.value(), try reader.value(), from: try reader.uint())
      case 2: return .handover(try reader.value(), edge: try reader.value(), port: try reader.optional())
      default: throw .invalidValue(field: "booking update")
      }
    }
  }
}

/// An announcement as it stands on the ledger.
public struct AnnouncedMaintenance: Hashable, Sendable, WireCodable {
  public let maintenance: Maintenance
  /// Of its block.
  public let height: Height

  public init(_ maintenance: Maintenance, height: Height) {
    self.maintenance = maintenance
    self.height = height
  }

  /// Whether an Activate in a block of this time is bound: the window is not over, it is about one of the order's
  /// cells, and who signed the order could know it. What a signer knew nobody else can tell, and its block says
  /// nothing: an operator that leads may put its announcement before an order that waits. So the signer says it by the
  /// expiry it chooses, which is ``Transaction/orderLifetime`` above the last block it has read. One that chooses an
  /// earlier expiry is bound by less, and the operator, which sees that, starts it after the window or rejects it.
  public func binds(_ order: ActivationOrder, expiry: Height, at time: Instant) -> Bool {
    let (known, isBeforeGenesis) = expiry.subtractingReportingOverflow(Transaction.orderLifetime)
    return !isBeforeGenesis && height <= known && time < maintenance.window.to
      && order.ends.compactMap { order.cell(of: $0) }.contains(where: maintenance.cells.contains)
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(maintenance)
    writer.write(height)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      AnnouncedMaintenance(try reader.value(), height: try reader.uint())
    }
  }
}

extension [AnnouncedMaintenance] {
  /// The windows that bind an Activate in a block of this time, ascending.
  public func windows(binding order: ActivationOrder, expiry: Height, at time: Instant) -> [TimeWindow] {
    filter { $0.binds(order, expiry: expiry, at: time) }.map(\.maintenance.window)
      .sorted { ($0.from, $0.to) < ($1.from, $1.to) }
  }
}
