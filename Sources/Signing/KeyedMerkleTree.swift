import Wire

/// An authenticated map ordered by key: the ledger's state. Its root commits to every key and value, and short
/// proofs show that a key has a value, that it has none, or what all the keys of a range are.
///
/// It is a binary Patricia tree (Morrison, "PATRICIA", J. ACM 15(4), 1968; "crit-bit tree" elsewhere) with values
/// in the leaves. Why this one among the ordered trees:
/// - its shape depends on the set of keys alone, so members that took different ways to the same state have the
///   same root, and a snapshot needs only the pairs;
/// - its depth is bounded by the length of a key and about log₂ n for hashed keys. A treap with hashed priorities
///   is independent of history too, but whoever chooses keys can grind 2√N levels out of N hashes; here one more
///   level costs twice the hashes;
/// - a proof carries 32 bytes and a short prefix per level, not a key and a value digest.
///
/// Copies are free and share their nodes (value semantics): a block is executed on a copy of its parent's state.
/// Hashes are computed when ``root`` or a proof is asked for and kept in the nodes. With 100 000 values of 300 bytes
/// a set costs about 7 µs, the root after 100 sets 2 ms, and a proof has 1.1 kB.
public struct KeyedMerkleTree<Value: WireCodable>: Sendable {
  private var top: KeyedMerkleNode?
  public private(set) var count: Int

  /// Longest key, bytes. It bounds the depth too: at most nine levels for each byte.
  public static var maximumKeyBytes: Int { KeyedMerkleProof.maximumKeyBytes }

  public init() {
    top = nil
    count = 0
  }

  public var isEmpty: Bool { top == nil }

  /// The hash of the top node; ``Digest/zero`` when empty. Costs two SHA-256 blocks per node changed since it was
  /// last asked for, and is then remembered.
  public var root: Digest { top?.hash ?? .zero }

  // MARK: One key

  public subscript(key: [UInt8]) -> Value? {
    guard let leaf = top?.nearestLeaf(to: key), leaf.key == key else { return nil }
    return leaf.value as? Value
  }

  /// - Precondition: `key` has at most ``maximumKeyBytes`` bytes. Keys are made by the caller, never taken as they
  ///   come from outside.
  public mutating func set(_ key: [UInt8], _ value: Value) {
    precondition(key.count <= Self.maximumKeyBytes, "a key of \(key.count) bytes is above the limit")
    let leaf = KeyedMerkleNode(.leaf(key: key, value: value))
    guard let top else {
      self.top = leaf
      count = 1
      return
    }
    let difference = KeyBits.firstDifference(key, top.nearestLeaf(to: key).key)
    self.top = top.setting(leaf, key: key, difference: difference)
    if difference != nil { count += 1 }
  }

  /// - Returns: the value the key had.
  @discardableResult
  public mutating func remove(_ key: [UInt8]) -> Value? {
    guard let top, let value = self[key] else { return nil }
    self.top = top.removing(key)
    count -= 1
    return value
  }

  // MARK: Ranges

  /// Visits the pairs with keys in `from ..< before`, in order, until `body` returns false.
  public func forEach(from: [UInt8], before: [UInt8], _ body: ([UInt8], Value) -> Bool) {
    _ = top?.visit(from: from, before: before) { key, value in
      guard let value = value as? Value else { return true }
      return body(key, value)
    }
  }

  /// The least key at or after `lower` and before `upper`, with its value.
  public func first(from lower: [UInt8], before upper: [UInt8]) -> (key: [UInt8], value: Value)? {
    var found: (key: [UInt8], value: Value)?
    forEach(from: lower, before: upper) { key, value in
      found = (key, value)
      return false
    }
    return found
  }

  /// The pairs with keys in `from ..< before`, in order, at most `limit` of them.
  public func range(from: [UInt8], before: [UInt8], limit: Int) -> [(key: [UInt8], value: Value)] {
    guard limit > 0 else { return [] }
    var pairs: [(key: [UInt8], value: Value)] = []
    forEach(from: from, before: before) { key, value in
      pairs.append((key, value))
      return pairs.count < limit
    }
    return pairs
  }

  /// The bounds of all keys that begin with `prefix`.
  public static func prefixRange(_ prefix: [UInt8]) -> (from: [UInt8], before: [UInt8]) {
    var before = prefix
    while let last = before.popLast() {
      if last < 0xFF {
        before.append(last + 1)
        return (prefix, before)
      }
    }
    // Nothing but 0xFF: longer than any key, so after all of them.
    return (prefix, [UInt8](repeating: 0xFF, count: maximumKeyBytes + 1))
  }

  // MARK: Proofs

  /// Shows the value of `key`, or that it has none.
  public func proof(of key: [UInt8]) -> KeyedMerkleProof { rangeProof(from: key, before: key + [0]) }

  /// Shows all pairs with keys in `from ..< before`. As large as they are: ask for ranges of known size.
  public func rangeProof(from: [UInt8], before: [UInt8]) -> KeyedMerkleProof {
    var steps: [KeyedMerkleProof.Step] = []
    if let top { Self.prove(top, known: .empty, from: from, before: before, into: &steps) }
    return KeyedMerkleProof(steps: steps)
  }

  /// - Parameter known: what a verifier knows of the subtree's keys before it sees it.
  private static func prove(
    _ node: KeyedMerkleNode, known: KeyPrefix, from: [UInt8], before: [UInt8],
    into steps: inout [KeyedMerkleProof.Step]
  ) {
    if known.isOutside(from: from, before: before) {
      steps.append(.pruned(node.hash))
      return
    }
    switch node.content {
    case .leaf(let key, let value):
      let isInside = !KeyBits.precedes(key, from) && KeyBits.precedes(key, before)
      let encoded = value.encoded
      steps.append(
        isInside ? .leaf(key: key, value: encoded) : .sealedLeaf(key: key, valueDigest: Digest(hashing: encoded)))
    case .branch(let prefix, let left, let right):
      steps.append(.branch(bits: prefix.bits, prefix: prefix.bytes))
      prove(left, known: prefix.appending(false), from: from, before: before, into: &steps)
      prove(right, known: prefix.appending(true), from: from, before: before, into: &steps)
    }
  }
}
