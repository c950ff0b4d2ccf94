import Signing
import Wire

// Who is silent loses by a deadline on the ledger, never by somebody's word (sla.md, "The activation"). A demand names
// a commitment; whoever is asked opens its own receipts there, then the demander does.

/// A signed record to go on from, and what the pure function carries to the next epoch besides.
public struct AccountBase: Hashable, Sendable, WireCodable {
  /// Of the epoch before.
  public var record: SignedRecord
  /// The encoded account state (Metering); its SHA-256 stands in the record.
  public var state: [UInt8]

  /// Rule windows hold a histogram per rule. No contract is deployed whose windows could grow beyond.
  public static let maximumStateBytes = 128 << 10
  /// In that state: a rule's counters, and a bucket of its histogram with a count of 64 bits.
  static let (ruleBytesAtMost, bucketBytesAtMost) = (256, 12)

  public init(record: SignedRecord, state: [UInt8]) {
    self.record = record
    self.state = state
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(record)
    writer.write(bytes: state)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      AccountBase(
        record: try reader.value(), state: try reader.byteString(maximum: Self.maximumStateBytes))
    }
  }
}

/// StartService: "I serve". Either side's joint record, or signed receipts of the serving edges.
public struct ServiceProof: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  /// Of one epoch; empty when a record is shown.
  public var receipts: ReceiptSet
  public var record: SignedRecord?

  public init(activation: ActivationID, receipts: ReceiptSet, record: SignedRecord?) {
    self.activation = activation
    self.receipts = receipts
    self.record = record
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(activation)
    writer.write(receipts)
    writer.write(optional: record)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      ServiceProof(
        activation: try reader.value(), receipts: try reader.value(), record: try reader.optional())
    }
  }
}

/// DemandRecord: "open your receipts of this epoch, or lose it".
public struct RecordDemand: Hashable, Sendable, WireCodable {
  /// The record before; nil for epoch 0, and where the ledger itself holds that record.
  public var base: AccountBase?
  /// The demander's own ``EpochCommitment``, by its enclave or edge: names activation, epoch and side.
  public var commitment: Envelope
  /// The other side's commitment, if the demander holds it: what is opened must open that one.
  public var other: Envelope?

  public init(base: AccountBase?, commitment: Envelope, other: Envelope?) {
    self.base = base
    self.commitment = commitment
    self.other = other
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(optional: base)
    writer.write(commitment)
    writer.write(optional: other)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      RecordDemand(
        base: try reader.optional(), commitment: try reader.value(), other: try reader.optional())
    }
  }
}

/// PostRecord: receipts opened on the ledger.
public struct RecordPost: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var epoch: EpochNumber
  /// Of the side that posts; the receipts are its opening.
  public var commitment: Envelope
  public var receipts: ReceiptSet

  public init(activation: ActivationID, epoch: EpochNumber, commitment: Envelope, receipts: ReceiptSet) {
    self.activation = activation
    self.epoch = epoch
    self.commitment = commitment
    self.receipts = receipts
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(activation)
    writer.write(epoch)
    writer.write(commitment)
    writer.write(receipts)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      RecordPost(
        activation: try reader.value(), epoch: try reader.uint(), commitment: try reader.value(),
        receipts: try reader.value())
    }
  }
}

/// What is wrong with a record, or with a side's statements (Dispute).
public enum DisputeCase: Hashable, Sendable, WireCodable {
  /// Both sides' receipts of one epoch and the record before: the record of that epoch is computed again.
  case recompute(base: AccountBase?, customer: ReceiptSet, networkOperator: ReceiptSet)
  /// Two statements of one signer about one activation, epoch and point that cannot both be true.
  case contradiction(Envelope, Envelope)

  public func encode(to writer: inout CBORWriter) {
    switch self {
    case .recompute(let base, let customer, let networkOperator):
      writer.array(4)
      writer.write(UInt64(1))
      writer.write(optional: base)
      writer.write(customer)
      writer.write(networkOperator)
    case .contradiction(let first, let second):
      writer.array(3)
      writer.write(UInt64(2))
      writer.write(first)
      writer.write(second)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 4) { (reader, count) throws(WireError) in
      switch (try reader.uint(), count) {
      case (1, 4):
        return .recompute(
          base: try reader.optional(), customer: try reader.value(), networkOperator: try reader.value())
      case (2, 3): return .contradiction(try reader.value(), try reader.value())
      default: throw .invalidValue(field: "dispute")
      }
    }
  }
}

/// Only inside CLOSING, once per epoch and side.
public struct Dispute: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var grounds: DisputeCase

  public init(activation: ActivationID, grounds: DisputeCase) {
    self.activation = activation
    self.grounds = grounds
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(activation)
    writer.write(grounds)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      Dispute(
        activation: try reader.value(), grounds: try reader.value())
    }
  }
}

/// "Your signed receipts of this epoch": asked of the far enclave by the near one, of the other serving edges by the
/// anchor edge; with ``EpochMaterial`` as the answer, of the own enclave or edge by customer or controller.
public struct ReceiptsRequest: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var epoch: EpochNumber

  public init(activation: ActivationID, epoch: EpochNumber) {
    self.activation = activation
    self.epoch = epoch
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(activation)
    writer.write(epoch)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      ReceiptsRequest(
        activation: try reader.value(), epoch: try reader.uint())
    }
  }
}

/// All that a side holds of an epoch: what it demands or answers a demand with.
public struct EpochMaterial: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var epoch: EpochNumber
  /// The record before; nil for epoch 0, and where only the ledger has it.
  public var base: AccountBase?
  /// Its own.
  public var commitment: Envelope?
  /// The other side's.
  public var other: Envelope?
  /// Its own side's, as committed to; empty before the epoch is closed.
  public var receipts: ReceiptSet
  /// The other side's; empty before that has opened them.
  public var opened: ReceiptSet

  public init(
    activation: ActivationID, epoch: EpochNumber, base: AccountBase?, commitment: Envelope?, other: Envelope?,
    receipts: ReceiptSet, opened: ReceiptSet = ReceiptSet([])
  ) {
    self.activation = activation
    self.epoch = epoch
    self.base = base
    self.commitment = commitment
    self.other = other
    self.receipts = receipts
    self.opened = opened
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(activation)
    writer.write(epoch)
    writer.write(optional: base)
    writer.write(optional: commitment)
    writer.write(optional: other)
    writer.write(receipts)
    writer.write(opened)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(7) { (reader) throws(WireError) in
      EpochMaterial(
        activation: try reader.value(), epoch: try reader.uint(), base: try reader.optional(),
        commitment: try reader.optional(), other: try reader.optional(), receipts: try reader.value(),
        opened: try reader.value())
    }
  }

  /// For a Dispute of the epoch's record: everything it follows from; nil before both sides have opened their receipts.
  /// - Parameter side: whose material this is.
  public func recomputation(by side: AccountingSide) -> DisputeCase? {
    guard !receipts.receipts.isEmpty, !opened.receipts.isEmpty else { return nil }
    return side == .customer
      ? .recompute(base: base, customer: receipts, networkOperator: opened)
      : .recompute(base: base, customer: opened, networkOperator: receipts)
  }
}

/// The ledger opened both sides' receipts of an epoch: its record follows without signatures, go on from there.
public struct EpochSettling: Hashable, Sendable, WireCodable {
  public var activation: ActivationID
  public var epoch: EpochNumber
  public var customer: ReceiptSet
  public var networkOperator: ReceiptSet

  public init(activation: ActivationID, epoch: EpochNumber, customer: ReceiptSet, networkOperator: ReceiptSet) {
    self.activation = activation
    self.epoch = epoch
    self.customer = customer
    self.networkOperator = networkOperator
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(activation)
    writer.write(epoch)
    writer.write(customer)
    writer.write(networkOperator)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      EpochSettling(
        activation: try reader.value(), epoch: try reader.uint(), customer: try reader.value(),
        networkOperator: try reader.value())
    }
  }
}

extension AccountBase: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    try record.signatureChecks(in: context)
  }
}

extension EpochMaterial: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    var checks = try base?.signatureChecks(in: context) ?? []
    for envelope in [commitment, other].compactMap({ $0 }) {
      checks.append(try envelope.namedSignerCheck(EpochCommitment.self, in: context))
    }
    return try checks + receipts.signatureChecks(in: context)
  }
}

extension EpochSettling: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    try customer.signatureChecks(in: context) + networkOperator.signatureChecks(in: context)
  }
}
