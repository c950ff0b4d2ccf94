import Wire

/// The Merkle tree of RFC 9162 §2.1.1: leaves hash with a 0x00 prefix, nodes with 0x01.
public enum MerkleTree {
  /// The root over leaf contents in order; the hash of nothing for an empty list.
  public static func root(of leaves: [[UInt8]]) -> Digest { root(ofLeafHashes: leaves.map(leafHash)) }

  /// The root over leaves of which only the hashes are at hand.
  public static func root(ofLeafHashes leafHashes: [Digest]) -> Digest {
    var level = leafHashes
    guard !level.isEmpty else { return Digest(hashing: []) }
    while level.count > 1 { level = parents(of: level) }
    return level[0]
  }

  public static func leafHash(_ content: [UInt8]) -> Digest { Digest(hashing: [0x00] + content) }

  public static func nodeHash(_ left: Digest, _ right: Digest) -> Digest {
    var input: [UInt8] = []
    input.reserveCapacity(65)
    input.append(0x01)
    input.append(left.value)
    input.append(right.value)
    return Digest(hashing: input)
  }

  /// An odd node moves up unhashed, which gives the same root as RFC 9162's split at the largest power of two.
  private static func parents(of level: [Digest]) -> [Digest] {
    var next: [Digest] = []
    next.reserveCapacity((level.count + 1) / 2)
    for index in stride(from: 0, to: level.count, by: 2) {
      next.append(index + 1 < level.count ? nodeHash(level[index], level[index + 1]) : level[index])
    }
    return next
  }

  // MARK: Inclusion

  /// Shows that the leaf at `index` is under the root of `leafHashes` (RFC 9162 §2.1.3.1).
  /// - Returns: nil when there is no such leaf.
  public static func inclusionProof(of index: Int, leafHashes: [Digest]) -> InclusionProof? {
    guard leafHashes.indices.contains(index) else { return nil }
    var path: [Digest] = []
    var level = leafHashes
    var position = index
    while level.count > 1 {
      let sibling = position ^ 1
      if sibling < level.count { path.append(level[sibling]) }
      level = parents(of: level)
      position >>= 1
    }
    return InclusionProof(index: UInt64(index), count: UInt64(leafHashes.count), path: path)
  }

  /// That one leaf is in a tree (the inclusion proof of RFC 9162 §2.1.3).
  public struct InclusionProof: WireCodable, Hashable {
    public let index: UInt64
    /// How many leaves the tree has.
    public let count: UInt64
    /// The siblings on the way up, lowest first.
    public let path: [Digest]

    /// Longest path: a tree has fewer than 2⁶⁴ leaves.
    public static let maximumPath = 64

    public init(index: UInt64, count: UInt64, path: [Digest]) {
      self.index = index
      self.count = count
      self.path = path
    }

    /// Whether `leaf` stands at ``index`` in the tree of `count` leaves with this root. Both must be trusted: with
    /// a count from elsewhere the position proves nothing.
    public func proves(_ leaf: [UInt8], count: UInt64, root: Digest) -> Bool {
      proves(leafHash: MerkleTree.leafHash(leaf), count: count, root: root)
    }

    /// RFC 9162 §2.1.3.2.
    public func proves(leafHash: Digest, count: UInt64, root: Digest) -> Bool {
      guard self.count == count, index < count else { return false }
      var position = index
      var last = count - 1
      var hash = leafHash
      for sibling in path {
        guard last > 0 else { return false }
        if position & 1 == 1 || position == last {
          hash = MerkleTree.nodeHash(sibling, hash)
          // A node without a right sibling moves up unhashed.
          while position & 1 == 0, position > 0 {
            position >>= 1
            last >>= 1
          }
        } else {
          hash = MerkleTree.nodeHash(hash, sibling)
        }
        position >>= 1
        last >>= 1
      }
      return last == 0 && hash == root
    }

    public func encode(to writer: inout CBORWriter) {
      writer.array(3)
      writer.write(index)
      writer.write(count)
      writer.write(list: path)
    }

    public init(from reader: inout CBORReader) throws(WireError) {
      (index, count, path) = try reader.record(3) { (reader) throws(WireError) in
        let index = try reader.uint()
        let count = try reader.uint()
        guard index < count else { throw .invalidValue(field: "inclusion proof: index") }
        return (index, count, try reader.list(of: Digest.self, maximum: Self.maximumPath))
      }
    }
  }
}
