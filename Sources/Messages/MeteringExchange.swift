import Signing
import Wire

// What enclaves and edges say to each other. Every answer can be asked for again.
//
//     request             answer              asked by           of
//     FlowOpening         FlowOpened          an enclave         each edge that serves its end
//     FlowOpening         FlowOpening         each enclave       the one at the other end (pair)
//     ReceiptsRequest     ReceiptSet          the near enclave   the far one, for each epoch
//                                             the anchor edge    the other edges, for each epoch
//     CommitmentExchange  CommitmentExchange  the near enclave   the anchor edge
//     ReceiptReveal       ReceiptsRevealed    the near enclave   the anchor edge
//     RecordSubmission    .acknowledged       the near enclave   the anchor edge, which answers after the others know
//                                             the anchor edge    the other edges, whose gates wait for the record
//
// The envelopes are checked by whoever takes the message off the bus; whether their signer is the one expected is for
// the core that knows the activation.

extension MessageKind {
  public static let flowOpening: UInt16 = 35
  public static let flowOpened: UInt16 = 36
}

/// An enclave asks the edge to carry its flow. Signed by the enclave's receipt key, which the activation names.
public struct FlowOpening: Hashable, SignedPayload {
  public static let kind = MessageKind.flowOpening

  public var activation: ActivationID
  /// For the key of the packet tags.
  public var agreementKey: KeyAgreementPublicKey
  /// Where the enclave sends from and receives.
  public var address: DataAddress
  /// What the peer's application is to send back.
  public var down: Traffic

  public init(activation: ActivationID, agreementKey: KeyAgreementPublicKey, address: DataAddress, down: Traffic) {
    self.activation = activation
    self.agreementKey = agreementKey
    self.address = address
    self.down = down
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(activation)
    writer.write(agreementKey)
    writer.write(address)
    writer.write(down)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      FlowOpening(
        activation: try reader.value(), agreementKey: try reader.value(), address: try reader.value(),
        down: try reader.value())
    }
  }
}

/// The edge will carry it. Signed by the edge's key, which ConfirmSlice names.
public struct FlowOpened: Hashable, SignedPayload {
  public static let kind = MessageKind.flowOpened

  public var activation: ActivationID
  /// The flow's number in every packet header.
  public var flow: UInt32
  public var agreementKey: KeyAgreementPublicKey
  /// Where the edge receives and sends from.
  public var address: DataAddress

  public init(activation: ActivationID, flow: UInt32, agreementKey: KeyAgreementPublicKey, address: DataAddress) {
    self.activation = activation
    self.flow = flow
    self.agreementKey = agreementKey
    self.address = address
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(activation)
    writer.write(UInt64(flow))
    writer.write(agreementKey)
    writer.write(address)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      FlowOpened(
        activation: try reader.value(), flow: try reader.uint(UInt32.self, field: "flow"),
        agreementKey: try reader.value(), address: try reader.value())
    }
  }
}

/// One side's signed ``EpochCommitment``. As an answer: the other side's for the same epoch.
public struct CommitmentExchange: Hashable, Sendable, WireCodable {
  public var commitment: Envelope

  public init(commitment: Envelope) { self.commitment = commitment }

  public func encode(to writer: inout CBORWriter) { writer.write(commitment) }
  public init(from reader: inout CBORReader) throws(WireError) { commitment = try reader.value() }
}

/// The customer opens its receipts, holding the operator's commitment.
public struct ReceiptReveal: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var epoch: EpochNumber
  public var receipts: ReceiptSet

  public init(activation: ActivationID, epoch: EpochNumber, receipts: ReceiptSet) {
    self.activation = activation
    self.epoch = epoch
    self.receipts = receipts
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(activation)
    writer.write(epoch)
    writer.write(receipts)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      ReceiptReveal(activation: try reader.value(), epoch: try reader.uint(), receipts: try reader.value())
    }
  }
}

/// The operator opens its own in answer, and signs the record that follows from both.
public struct ReceiptsRevealed: Hashable, Sendable, WireCodable {
  public var receipts: ReceiptSet
  /// The operator's envelope over the ``JointRecord``.
  public var record: Envelope

  public init(receipts: ReceiptSet, record: Envelope) {
    self.receipts = receipts
    self.record = record
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(receipts)
    writer.write(record)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      ReceiptsRevealed(receipts: try reader.value(), record: try reader.value())
    }
  }
}

/// The customer's envelope over the same ``JointRecord``. Answered by an acknowledgement.
public struct RecordSubmission: Hashable, Sendable, WireCodable {
  public var record: Envelope

  public init(record: Envelope) { self.record = record }

  public func encode(to writer: inout CBORWriter) { writer.write(record) }
  public init(from reader: inout CBORReader) throws(WireError) { record = try reader.value() }
}

// MARK: Signatures

extension Envelope {
  /// The check of an envelope of one kind that names its signer.
  func namedSignerCheck<Payload: SignedPayload>(
    _ type: Payload.Type, in context: VerificationContext
  ) throws(VerificationError) -> SignatureCheck {
    guard kind == Payload.kind, version == Payload.version else {
      throw .unexpected("an envelope of kind \(kind), not \(Payload.kind)")
    }
    guard let check = check(network: context.network) else { throw .unexpected("an envelope without its signer") }
    return check
  }
}

/// An envelope that must be of one kind, on its way through the bus: the form in which a signed payload travels alone.
public struct SignedMessage<Payload: SignedPayload & Hashable>: Hashable, Sendable, WireCodable, Verifiable {
  public let envelope: Envelope

  public init(_ envelope: Envelope) { self.envelope = envelope }

  public init(signing payload: Payload, with key: SigningKey, network: Digest) {
    envelope = Envelope(signing: payload, with: key, network: network)
  }

  public func payload() throws(WireError) -> Payload { try envelope.decode() }

  public func encode(to writer: inout CBORWriter) { writer.write(envelope) }
  public init(from reader: inout CBORReader) throws(WireError) { envelope = try reader.value() }

  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    [try envelope.namedSignerCheck(Payload.self, in: context)]
  }
}

extension CommitmentExchange: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    [try commitment.namedSignerCheck(EpochCommitment.self, in: context)]
  }
}

extension ReceiptSet: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    var checks: [SignatureCheck] = []
    for receipt in receipts { checks.append(try receipt.namedSignerCheck(SLAReceipt.self, in: context)) }
    return checks
  }
}

extension ReceiptReveal: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    try receipts.signatureChecks(in: context)
  }
}

extension ReceiptsRevealed: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    try receipts.signatureChecks(in: context) + [try record.namedSignerCheck(JointRecord.self, in: context)]
  }
}

extension RecordSubmission: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    [try record.namedSignerCheck(JointRecord.self, in: context)]
  }
}
