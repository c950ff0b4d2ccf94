import Wire

/// An append-only list of which only the peaks are kept: the roots of the complete subtrees, one for each 1 in the
/// binary form of ``count``, largest first. A million leaves take twenty hashes of state. Folding the peaks from
/// the right gives the root of RFC 9162 §2.1.1, so a ``MerkleTree/InclusionProof`` serves the log as well; the leaf
/// hashes to make one are the keeper's, outside of consensus.
public struct MerkleLog: WireCodable, Hashable {
  /// How many leaves were appended.
  public private(set) var count: UInt64
  public private(set) var peaks: [Digest]

  public init() {
    count = 0
    peaks = []
  }

  public mutating func append(_ leaf: [UInt8]) { append(leafHash: MerkleTree.leafHash(leaf)) }

  /// Appends a leaf of which only the ``MerkleTree/leafHash(_:)`` is at hand.
  public mutating func append(leafHash: Digest) {
    var hash = leafHash
    // As in binary addition: each trailing 1 of the count is a peak of the size reached so far.
    for _ in 0..<(~count).trailingZeroBitCount {
      hash = MerkleTree.nodeHash(peaks.removeLast(), hash)
    }
    peaks.append(hash)
    count += 1
  }

  /// The root of RFC 9162 §2.1.1 over all leaves.
  public var root: Digest {
    guard var hash = peaks.last else { return Digest(hashing: []) }
    for peak in peaks.dropLast().reversed() { hash = MerkleTree.nodeHash(peak, hash) }
    return hash
  }

  /// Whether `proof` shows `leaf` in this log as it stands.
  public func contains(_ leaf: [UInt8], by proof: MerkleTree.InclusionProof) -> Bool {
    proof.proves(leaf, count: count, root: root)
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(count)
    writer.write(list: peaks)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (count, peaks) = try reader.record(2) { (reader) throws(WireError) in
      let count = try reader.uint()
      let peaks = try reader.list(of: Digest.self, maximum: UInt64.bitWidth)
      guard peaks.count == count.nonzeroBitCount else { throw .invalidValue(field: "log: peaks") }
      return (count, peaks)
    }
  }
}
