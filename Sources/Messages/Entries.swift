import Signing
import Wire

// Reading the ledger without trusting whom one asks (sla.md: presence, absence and ranges).

/// A range of the ledger's state tree: keys as Ledger's `LedgerKey` writes them.
public struct EntriesRequest: Hashable, Sendable, WireCodable {
  /// First key.
  public var from: [UInt8]
  /// First key beyond.
  public var before: [UInt8]
  /// Most entries of the answer, up to ``maximumEntries``. A fuller range is answered up to the last entry given; the
  /// proof covers just that.
  public var limit: UInt64

  public static let maximumEntries: UInt64 = 256

  public init(from: [UInt8], before: [UInt8], limit: UInt64) {
    self.from = from
    self.before = before
    self.limit = limit
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(bytes: from)
    writer.write(bytes: before)
    writer.write(limit)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      EntriesRequest(
        from: try reader.byteString(maximum: KeyedMerkleProof.maximumKeyBytes),
        before: try reader.byteString(maximum: KeyedMerkleProof.maximumKeyBytes), limit: try reader.uint())
    }
  }
}

/// The entries in `from ..< before` of the state after a final block, with the proof that these are all. `before` is
/// the request's, or just behind the last entry where the answer was cut.
public struct ProvenEntries: Hashable, Sendable, WireCodable {
  public var header: BlockHeader
  /// Of that block.
  public var finalization: Certificate
  public var from: [UInt8]
  public var before: [UInt8]
  /// Whether that is all that was asked for.
  public var isWhole: Bool
  public var proof: KeyedMerkleProof

  public init(
    header: BlockHeader, finalization: Certificate, from: [UInt8], before: [UInt8], isWhole: Bool,
    proof:
      KeyedMerkleProof
  ) {
    self.header = header
    self.finalization = finalization
    self.from = from
    self.before = before
    self.isWhole = isWhole
    self.proof = proof
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    writer.write(header)
    writer.write(finalization)
    writer.write(bytes: from)
    writer.write(bytes: before)
    writer.write(isWhole)
    writer.write(proof)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      ProvenEntries(
        header: try reader.value(), finalization: try reader.value(),
        from: try reader.byteString(maximum: KeyedMerkleProof.maximumKeyBytes),
        before: try reader.byteString(maximum: KeyedMerkleProof.maximumKeyBytes), isWhole: try reader.bool(),
        proof: try reader.value())
    }
  }
}

extension ProvenEntries: Verifiable {
  /// The quorum's signatures; that the certificate is of this header, here; what the proof shows is for the reader.
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    guard header.isWellFormed, finalization.ballot == .finalize(header.proposition(hash: header.hash)) else {
      throw .malformed("finalization of entries")
    }
    return try finalization.signatureChecks(in: context)
  }
}
