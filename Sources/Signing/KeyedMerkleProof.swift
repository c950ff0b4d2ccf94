import Wire

/// Why a proof proves nothing. Whoever receives one of these drops the answer and asks somebody else.
public enum ProofError: Error, Equatable, Sendable {
  /// The steps are not one tree in key order.
  case malformed
  /// A part that may hold keys of the range is hidden.
  case incomplete
  /// The tree shown has another root than the one trusted.
  case wrongRoot
}

/// A part of a ``KeyedMerkleTree``: the subtrees that may hold keys of some range are shown, the others are only
/// hashes. Presence and absence are ranges of one key.
///
/// The steps are the nodes in preorder. A flat list, because a proof is hundreds of levels deep when somebody wants
/// it to be: reading it takes no recursion, and memory in proportion to the bytes received.
public struct KeyedMerkleProof: WireCodable, Hashable {
  public enum Step: WireCodable, Hashable {
    /// A subtree outside the range: its hash.
    case pruned(Digest)
    /// A branch; its left subtree follows, then its right one. The prefix is given in nine bits per byte: one for
    /// "the key goes on", then the byte.
    case branch(bits: Int, prefix: [UInt8])
    /// A pair inside the range.
    case leaf(key: [UInt8], value: [UInt8])
    /// A pair outside the range that shows that nothing else is in its place.
    case sealedLeaf(key: [UInt8], valueDigest: Digest)
  }

  public let steps: [Step]

  /// Longest key, bytes.
  public static let maximumKeyBytes = 128
  /// Most nodes in one proof.
  public static let maximumSteps = 1 << 16

  public init(steps: [Step]) { self.steps = steps }

  // MARK: What is proved

  /// The value of `key` under `root`; nil when it is proved that the key has none.
  public func value(of key: [UInt8], root: Digest) throws(ProofError) -> [UInt8]? {
    try values(from: key, before: key + [0], root: root).first?.value
  }

  /// As ``value(of:root:)``, decoded.
  public func value<Value: WireCodable>(
    of key: [UInt8], as type: Value.Type, root: Digest
  ) throws(ProofError) -> Value? {
    guard let bytes = try value(of: key, root: root) else { return nil }
    do { return try Value(decoding: bytes) } catch { throw .malformed }
  }

  /// All pairs under `root` with keys in `from ..< before`, in order.
  public func values(
    from: [UInt8], before: [UInt8], root: Digest
  ) throws(ProofError) -> [(key: [UInt8], value: [UInt8])] {
    guard !steps.isEmpty else {
      guard root == .zero else { throw .wrongRoot }
      return []
    }
    var pairs: [(key: [UInt8], value: [UInt8])] = []
    var builder = Builder()
    for step in steps {
      guard builder.root == nil else { throw .malformed }
      let known = builder.known
      switch step {
      case .pruned(let hash):
        guard known.isOutside(from: from, before: before) else { throw .incomplete }
        builder.close(hash)
      case .branch(let bits, let bytes):
        guard let prefix = KeyPrefix(branchBytes: bytes, bits: bits), known.isPrefix(of: prefix) else {
          throw .malformed
        }
        builder.open(prefix)
      case .leaf(let key, let value):
        guard known.isPrefix(of: key) else { throw .malformed }
        builder.close(KeyedMerkleNode.leafHash(key: key, valueDigest: Digest(hashing: value)))
        if Self.contains(key, from: from, before: before) { pairs.append((key, value)) }
      case .sealedLeaf(let key, let digest):
        guard known.isPrefix(of: key) else { throw .malformed }
        guard !Self.contains(key, from: from, before: before) else { throw .incomplete }
        builder.close(KeyedMerkleNode.leafHash(key: key, valueDigest: digest))
      }
    }
    guard let shown = builder.root else { throw .malformed }
    guard shown == root else { throw .wrongRoot }
    return pairs
  }

  private static func contains(_ key: [UInt8], from: [UInt8], before: [UInt8]) -> Bool {
    !KeyBits.precedes(key, from) && KeyBits.precedes(key, before)
  }

  /// Folds the preorder list into the root. Its stack is no deeper than nine times the longest key: each branch's
  /// prefix is longer than its parent's.
  private struct Builder {
    private var open: [(prefix: KeyPrefix, left: Digest?)] = []
    private(set) var root: Digest?

    /// What the branches above say of the keys of the subtree that comes next.
    var known: KeyPrefix {
      guard let parent = open.last else { return .empty }
      return parent.prefix.appending(parent.left != nil)
    }

    mutating func open(_ prefix: KeyPrefix) { open.append((prefix, nil)) }

    /// A subtree is complete; so are the branches whose right one it ends.
    mutating func close(_ hash: Digest) {
      var hash = hash
      while let branch = open.popLast() {
        guard let left = branch.left else {
          open.append((branch.prefix, hash))
          return
        }
        hash = KeyedMerkleNode.branchHash(branch.prefix, left, hash)
      }
      root = hash
    }
  }

  // MARK: Wire

  public func encode(to writer: inout CBORWriter) { writer.write(list: steps) }

  public init(from reader: inout CBORReader) throws(WireError) {
    steps = try reader.list(maximum: Self.maximumSteps)
  }
}

extension KeyedMerkleProof.Step {
  public func encode(to writer: inout CBORWriter) {
    switch self {
    case .pruned(let hash):
      writer.array(2)
      writer.write(UInt64(0))
      writer.write(hash)
    case .branch(let bits, let prefix):
      writer.array(3)
      writer.write(UInt64(1))
      writer.write(UInt64(bits))
      writer.write(bytes: prefix)
    case .leaf(let key, let value):
      writer.array(3)
      writer.write(UInt64(2))
      writer.write(bytes: key)
      writer.write(bytes: value)
    case .sealedLeaf(let key, let digest):
      writer.array(3)
      writer.write(UInt64(3))
      writer.write(bytes: key)
      writer.write(digest)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 3) { (reader, count) throws(WireError) in
      switch (try reader.uint(), count) {
      case (0, 2):
        return .pruned(try Digest(from: &reader))
      case (1, 3):
        let bits = try reader.uint(UInt16.self, field: "proof: prefix bits")
        return .branch(bits: Int(bits), prefix: try reader.byteString(maximum: KeyedMerkleProof.maximumKeyBytes))
      case (2, 3):
        let key = try reader.byteString(maximum: KeyedMerkleProof.maximumKeyBytes)
        return .leaf(key: key, value: try reader.byteString())
      case (3, 3):
        let key = try reader.byteString(maximum: KeyedMerkleProof.maximumKeyBytes)
        return .sealedLeaf(key: key, valueDigest: try Digest(from: &reader))
      default:
        throw .invalidValue(field: "proof: step")
      }
    }
  }
}
