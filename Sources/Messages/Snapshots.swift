import Signing
import Wire

// Joining a ledger without its whole history: the state after a final block, in pieces that prove themselves. What
// vouches for it is the quorum's certificate, checked with the members of its era; whom one asks does not matter.

/// Which snapshot: of the state after the block at this height; nil for the latest there is.
public struct SnapshotRequest: Hashable, Sendable, WireCodable {
  public var height: Height?

  public init(height: Height?) { self.height = height }

  public func encode(to writer: inout CBORWriter) {
    writer.array(1)
    writer.write(optional: height)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(1) { (reader) throws(WireError) in
      SnapshotRequest(height: try reader.optional())
    }
  }
}

/// What a snapshot is of, and why it is to be believed.
public struct SnapshotManifest: Hashable, Sendable, WireCodable {
  /// The block after which the state was taken; then its descendants up to the one that was finalized, so that every
  /// member can serve the same heights whichever blocks its certificates are of. At most a segment's.
  public let headers: [BlockHeader]
  /// Of the last of the headers.
  public let finalization: Certificate
  /// Keys in the state: for who shows progress. Nothing proves it.
  public let entries: UInt64
  /// The last block of every era before, with its finalization, in order: who may vouch for the next one.
  public let history: [LedgerSegment]

  /// Eras before the snapshot's.
  public static let maximumEras = 4096

  /// - Parameter headers: 1…``LedgerSegment/maximumBlocks`` of consecutive heights.
  public init(headers: [BlockHeader], finalization: Certificate, entries: UInt64, history: [LedgerSegment] = []) {
    self.headers = headers
    self.finalization = finalization
    self.entries = entries
    self.history = history
  }

  /// The block after which the state was taken.
  public var header: BlockHeader { headers[0] }
  public var height: Height { header.height }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(list: headers)
    writer.write(finalization)
    writer.write(entries)
    writer.write(list: history)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      let headers: [BlockHeader] = try reader.list(maximum: LedgerSegment.maximumBlocks)
      guard !headers.isEmpty else { throw .invalidValue(field: "headers") }
      return SnapshotManifest(
        headers: headers, finalization: try reader.value(), entries: try reader.uint(),
        history: try reader.list(maximum: Self.maximumEras))
    }
  }
}

extension SnapshotManifest: Verifiable {
  /// The members of each era vouch for the next, from the genesis on; then the hash chain, and the certificate of its
  /// end.
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    var context = context
    var checks: [SignatureCheck] = []
    for segment in history {
      checks += try segment.signatureChecks(in: context)
      guard let next = segment.nextEra else { throw .malformed("history of a snapshot") }
      context.learn(next)
    }
    var previous: (header: BlockHeader, hash: Digest)?
    for header in headers {
      guard header.isWellFormed else { throw .malformed("header of a snapshot") }
      if let previous {
        guard header.parentHash == previous.hash, header.height == previous.header.height &+ 1,
          header.parentView == previous.header.view, header.era == previous.header.era
        else { throw .malformed("chain of a snapshot") }
      }
      previous = (header, header.hash)
    }
    guard let last = previous, finalization.ballot == .finalize(last.header.proposition(hash: last.hash)) else {
      throw .malformed("finalization of a snapshot")
    }
    return checks + (try finalization.signatureChecks(in: context))
  }
}

/// A piece of the snapshot of this height: the entries from a key on.
public struct SnapshotChunkRequest: Hashable, Sendable, WireCodable {
  public var height: Height
  /// First key.
  public var from: [UInt8]

  public init(height: Height, from: [UInt8]) {
    self.height = height
    self.from = from
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(height)
    writer.write(bytes: from)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      SnapshotChunkRequest(
        height: try reader.uint(), from: try reader.byteString(maximum: SnapshotChunk.maximumBoundBytes))
    }
  }
}

/// All entries in `from ..< before` of the snapshot of this height, proved against its header's state root. Any other
/// piece begins where one ends, so it does not matter who served which.
public struct SnapshotChunk: Hashable, Sendable, WireCodable {
  public let height: Height
  public let from: [UInt8]
  /// Just behind the last entry; ``end`` in the last chunk.
  public let before: [UInt8]
  public let proof: KeyedMerkleProof

  /// Keys and values in one chunk, bytes; one entry always fits.
  public static let maximumBytes = 256 << 10
  /// Entries in one chunk.
  public static let maximumEntries = 4096
  /// Longest bound of a range, bytes: just behind the longest key.
  static let maximumBoundBytes = KeyedMerkleProof.maximumKeyBytes + 1
  /// Behind every key of the state.
  public static let end: [UInt8] = [0xFF]

  public init(height: Height, from: [UInt8], before: [UInt8], proof: KeyedMerkleProof) {
    self.height = height
    self.from = from
    self.before = before
    self.proof = proof
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(height)
    writer.write(bytes: from)
    writer.write(bytes: before)
    writer.write(proof)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      SnapshotChunk(
        height: try reader.uint(), from: try reader.byteString(maximum: SnapshotChunk.maximumBoundBytes),
        before: try reader.byteString(maximum: SnapshotChunk.maximumBoundBytes), proof: try reader.value())
    }
  }
}
