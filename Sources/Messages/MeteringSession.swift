import Signing
import Wire

// What a customer and its enclave say to each other, on one host or over the customer's own connection.
//
//     request                          answer
//     EnclaveSession                   .acknowledged
//     SessionEnding                    .acknowledged
//     ReportRequest                    EnclaveStatus
//     get enclave identity             EnclaveIdentity
//
// Application data goes to the enclave's port as ``ApplicationDatagram``s, and comes back the same way.

/// All that an enclave must know to account for its end of one activation. Asking again with the same content is
/// harmless; `host` and `attestation` may change, all else is settled by the first.
public struct EnclaveSession: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var terms: ContractTerms
  /// Names this enclave's receipt key at `end`, else the session is refused.
  public var order: ActivationOrder
  public var confirmation: SliceConfirmation
  public var end: FlowEnd
  /// Where the flow of this end is opened; at the near end also where records are made, for good.
  public var edge: ActorAddress
  /// The enclave at the other end; nil where that is the operator's endpoint.
  public var peerEnclave: ActorAddress?
  /// Announced before the activation: epochs that overlap one are not served.
  public var maintenance: [TimeWindow]
  /// The application's port at the customer: payloads are taken from it and delivered to it.
  public var host: DataAddress
  /// What the peer's application is to send back, where that is the operator's endpoint.
  public var down: Traffic
  /// Digest of the evidence envelope under which the customer registered the receipt key; the enclave's receipts name
  /// it. Zero: not known.
  public var attestation: Digest

  public init(
    activation: ActivationID, terms: ContractTerms, order: ActivationOrder, confirmation: SliceConfirmation,
    end:
      FlowEnd, edge: ActorAddress, peerEnclave: ActorAddress?, maintenance: [TimeWindow], host: DataAddress,
    down:
      Traffic, attestation: Digest
  ) {
    self.activation = activation
    self.terms = terms
    self.order = order
    self.confirmation = confirmation
    self.end = end
    self.edge = edge
    self.peerEnclave = peerEnclave
    self.maintenance = maintenance
    self.host = host
    self.down = down
    self.attestation = attestation
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(11)
    writer.write(activation)
    writer.write(terms)
    writer.write(order)
    writer.write(confirmation)
    writer.write(end)
    writer.write(edge)
    writer.write(optional: peerEnclave)
    writer.write(list: maintenance)
    writer.write(host)
    writer.write(down)
    writer.write(attestation)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(11) { (reader) throws(WireError) in
      EnclaveSession(
        activation: try reader.value(), terms: try reader.value(), order: try reader.value(),
        confirmation: try reader.value(), end: try reader.value(), edge: try reader.value(),
        peerEnclave: try reader.optional(), maintenance: try reader.list(maximum: ActivationLimits.maintenanceWindows),
        host: try reader.value(), down: try reader.value(), attestation: try reader.value())
    }
  }
}

/// A payload between an application and its enclave: the activation's 32 bytes, two bytes (big-endian) that name whom
/// it goes to or comes from, then the payload.
public struct ApplicationDatagram: Hashable, Sendable {
  public let activation: ActivationID
  public let peer: PeerNumber
  public let payload: ArraySlice<UInt8>

  static let prefixBytes = 34

  public init(activation: ActivationID, peer: PeerNumber, payload: ArraySlice<UInt8>) {
    self.activation = activation
    self.peer = peer
    self.payload = payload
  }

  /// A payload of zeros that becomes a packet of `payloadBytes` on the data plane (``Traffic/payloadBytes``).
  public init(activation: ActivationID, peer: PeerNumber, payloadBytes: UInt64) {
    let overhead = UInt64(ServiceTerms.packetOverheadBytes)
    let count = Int(min(payloadBytes, ServiceTerms.packetBytesAtMost) - min(overhead, payloadBytes))
    self.init(activation: activation, peer: peer, payload: [UInt8](repeating: 0, count: count)[...])
  }

  /// - Returns: nil for a datagram too short to name an activation.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count >= Self.prefixBytes, let activation = ActivationID(bytes.prefix(32)) else { return nil }
    let peer = PeerNumber(rawValue: UInt16(bytes[32]) << 8 | UInt16(bytes[33]))
    self.init(activation: activation, peer: peer, payload: bytes.dropFirst(Self.prefixBytes))
  }

  public var bytes: [UInt8] {
    activation.bytes + [UInt8(truncatingIfNeeded: peer.rawValue >> 8), UInt8(truncatingIfNeeded: peer.rawValue)]
      + payload
  }
}

/// Whom a packet is for: the place of its destination among the contract's allowed peers. The edge serves an activation
/// towards its own peer only (§3.1: a platoon, not the Internet) and drops and counts all else.
public struct PeerNumber: RawRepresentable, Hashable, Sendable {
  public let rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// Somebody the contract does not name.
  public static let stranger = PeerNumber(rawValue: .max)
}

extension ContractTerms {
  public func number(ofPeer name: String) -> PeerNumber {
    context.allowedPeers.firstIndex(of: name).flatMap { UInt16(exactly: $0) }.map(PeerNumber.init) ?? .stranger
  }
}

extension ServiceTerms {
  /// Header and tag of a packet on the data plane, bytes (Metering, `PacketHeader`).
  public static let packetOverheadBytes = 40
}

/// The activation ends earlier than booked (Terminate on the ledger): after this many epochs.
public struct SessionEnding: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var epochs: UInt64

  public init(activation: ActivationID, epochs: UInt64) {
    self.activation = activation
    self.epochs = epochs
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(activation)
    writer.write(epochs)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      SessionEnding(activation: try reader.value(), epochs: try reader.uint())
    }
  }
}

/// How far an enclave has come with an activation, as if it were booked for as many epochs as the request says.
public struct EnclaveStatus: Hashable, Sendable, WireCodable {
  public enum Phase: UInt8, Sendable, CaseIterable, WireCodable {
    /// The edge has not agreed on the flow yet.
    case opening = 1
    /// The flow is open and its first epoch has not begun.
    case ready = 2
    case serving = 3
    /// The last epoch is over and not recorded yet.
    case closing = 4
    /// The last epoch's record is signed by both.
    case finished = 5
  }

  public var activation: ActivationID
  public var phase: Phase
  /// The epoch that is running; nil before the first and after the last.
  public var epoch: EpochNumber?
  /// The last record that both sides signed, of an epoch that was asked for.
  public var record: SignedRecord?

  public init(activation: ActivationID, phase: Phase, epoch: EpochNumber?, record: SignedRecord?) {
    self.activation = activation
    self.phase = phase
    self.epoch = epoch
    self.record = record
  }

  public var isFinished: Bool { phase == .finished }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(activation)
    writer.write(phase)
    writer.write(optional: epoch)
    writer.write(optional: record)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      EnclaveStatus(
        activation: try reader.value(), phase: try reader.value(), epoch: try reader.optional(),
        record: try reader.optional())
    }
  }
}

extension EnclaveStatus: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    try record?.signatureChecks(in: context) ?? []
  }
}

/// Who an enclave is: what its launcher puts into evidence and its customer into an order.
public struct EnclaveIdentity: Hashable, Sendable, WireCodable {
  public var receiptKey: PublicKey
  /// Where application data goes.
  public var applicationPort: DataAddress

  public init(receiptKey: PublicKey, applicationPort: DataAddress) {
    self.receiptKey = receiptKey
    self.applicationPort = applicationPort
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(receiptKey)
    writer.write(applicationPort)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      EnclaveIdentity(receiptKey: try reader.value(), applicationPort: try reader.value())
    }
  }
}
