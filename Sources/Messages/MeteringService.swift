import Signing
import Wire

// What an operator's controller and its edge say to each other. Both belong to one organisation; the bus ties each
// connection to its enrolled key.
//
//     request                          answer
//     ServiceOrder                     where this edge takes packets (service opened)
//     ServiceRoute, BookingUpdate      .acknowledged
//     close service (activation)       .acknowledged
//     ReportRequest                    ServiceReport

/// A constant packet stream in one direction.
public struct Traffic: Hashable, Sendable, WireCodable {
  /// 0: silent; probes still make an empty epoch judgeable.
  public var packetsPerSecond: UInt64
  /// Bytes in one UDP datagram on the data plane, AJIT's packet header and tag included.
  public var payloadBytes: UInt64

  public static let silent = Traffic(packetsPerSecond: 0, payloadBytes: 0)
  public static let maximumPacketsPerSecond: UInt64 = 1_000_000

  public init(packetsPerSecond: UInt64, payloadBytes: UInt64) {
    self.packetsPerSecond = packetsPerSecond
    self.payloadBytes = payloadBytes
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(packetsPerSecond)
    writer.write(payloadBytes)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      let traffic = Traffic(packetsPerSecond: try reader.uint(), payloadBytes: try reader.uint())
      guard traffic.packetsPerSecond <= Self.maximumPacketsPerSecond,
        traffic.payloadBytes <= ServiceTerms.packetBytesAtMost
      else { throw .invalidValue(field: "traffic") }
      return traffic
    }
  }
}

/// The controller tells an edge monitor to serve one end of an activation, over the slice that it stitched.
public struct ServiceOrder: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var terms: ContractTerms
  public var order: ActivationOrder
  public var confirmation: SliceConfirmation
  /// Which end this edge serves.
  public var end: FlowEnd
  /// First epoch that this edge serves: 0, or the handover's.
  public var from: EpochNumber
  /// The flow's number in every packet header, the operator's own and the same at all its edges.
  public var flow: UInt32
  /// The edge that signs the records and collects this one's receipts; nil: this one.
  public var anchor: ActorAddress?
  /// The edge at the other end; nil for a flow that ends at this edge's own endpoint.
  public var peerEdge: ActorAddress?
  /// Announced before the activation: epochs that overlap one are not served.
  public var maintenance: [TimeWindow]
  /// What the slice's plan predicts, per direction: one-way delay between edge and endpoint (or edge and edge), …
  public var pathDelay: Span
  /// … loss, parts per billion, …
  public var pathLoss: UInt32
  /// … and the reserved rates, bit/s. The emulated path has them; 0 means without limit.
  public var rateUp: UInt64
  public var rateDown: UInt64

  public init(
    activation: ActivationID, terms: ContractTerms, order: ActivationOrder, confirmation: SliceConfirmation,
    end:
      FlowEnd, from: EpochNumber, flow: UInt32, anchor: ActorAddress?, peerEdge: ActorAddress?,
    maintenance:
      [TimeWindow], pathDelay: Span, pathLoss: UInt32, rateUp: UInt64, rateDown: UInt64
  ) {
    self.activation = activation
    self.terms = terms
    self.order = order
    self.confirmation = confirmation
    self.end = end
    self.from = from
    self.flow = flow
    self.anchor = anchor
    self.peerEdge = peerEdge
    self.maintenance = maintenance
    self.pathDelay = pathDelay
    self.pathLoss = pathLoss
    self.rateUp = rateUp
    self.rateDown = rateDown
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(14)
    writer.write(activation)
    writer.write(terms)
    writer.write(order)
    writer.write(confirmation)
    writer.write(end)
    writer.write(from)
    writer.write(UInt64(flow))
    writer.write(optional: anchor)
    writer.write(optional: peerEdge)
    writer.write(list: maintenance)
    writer.write(pathDelay)
    writer.write(UInt64(pathLoss))
    writer.write(rateUp)
    writer.write(rateDown)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(14) { (reader) throws(WireError) in
      ServiceOrder(
        activation: try reader.value(), terms: try reader.value(), order: try reader.value(),
        confirmation: try reader.value(), end: try reader.value(), from: try reader.uint(),
        flow: try reader.uint(UInt32.self, field: "flow"), anchor: try reader.optional(),
        peerEdge: try reader.optional(), maintenance: try reader.list(maximum: ActivationLimits.maintenanceWindows),
        pathDelay: try reader.value(), pathLoss: try reader.uint(UInt32.self, field: "path loss"),
        rateUp: try reader.uint(), rateDown: try reader.uint())
    }
  }
}

/// "How far have you come with this activation?": asked of the edge by the controller, of the enclave by the customer.
///
/// The ledger counts fewer epochs than were booked when a Terminate came, and by then both sides may have recorded more
/// of them. Their last record is then worth nothing there; the one to settle with is the last that is counted.
public struct ReportRequest: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  /// Epochs that the ledger counts: the answer's record is the last of an epoch below. Nil: all there are.
  public var epochs: UInt64?

  public init(_ activation: ActivationID, epochs: UInt64? = nil) {
    self.activation = activation
    self.epochs = epochs
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(activation)
    writer.write(optional: epochs)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      ReportRequest(try reader.value(), epochs: try reader.optional())
    }
  }
}

/// How far the edge has come with an activation: what the controller settles with.
public struct ServiceReport: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  /// The last record that both sides signed, of an epoch that was asked for; nil before the first.
  public var record: SignedRecord?
  /// Whether that is the last epoch's of those asked for.
  public var isFinished: Bool

  public init(activation: ActivationID, record: SignedRecord?, isFinished: Bool) {
    self.activation = activation
    self.record = record
    self.isFinished = isFinished
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(activation)
    writer.write(optional: record)
    writer.write(isFinished)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      ServiceReport(activation: try reader.value(), record: try reader.optional(), isFinished: try reader.bool())
    }
  }
}

extension SignedRecord: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    [
      try byEnclave.namedSignerCheck(JointRecord.self, in: context),
      try byEdge.namedSignerCheck(JointRecord.self, in: context),
    ]
  }
}

extension ServiceReport: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    try record?.signatureChecks(in: context) ?? []
  }
}
