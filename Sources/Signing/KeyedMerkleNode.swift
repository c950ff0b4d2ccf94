import Synchronization
import Wire

/// A node of a ``KeyedMerkleTree``. Not generic, so that its loops are compiled once, in this module; the typed
/// face is the tree. Nodes never change: trees share them, which makes a copy free.
final class KeyedMerkleNode: Sendable {
  enum Content: Sendable {
    case leaf(key: [UInt8], value: any WireCodable)
    /// Keys with a 0 after the prefix are to the left. Both children are there, always.
    case branch(KeyPrefix, left: KeyedMerkleNode, right: KeyedMerkleNode)
  }

  let content: Content
  /// Filled when first asked for. Two threads may compute it at once: they write the same thing.
  private let cachedHash = Mutex<Digest?>(nil)

  init(_ content: Content) { self.content = content }

  /// A key set ten times between two roots is encoded and hashed once.
  var hash: Digest {
    if let hash = cachedHash.withLock({ $0 }) { return hash }
    let hash: Digest
    switch content {
    case .leaf(let key, let value):
      hash = Self.leafHash(key: key, valueDigest: Digest(hashing: value.encoded))
    case .branch(let prefix, let left, let right):
      hash = Self.branchHash(prefix, left.hash, right.hash)
    }
    cachedHash.withLock { $0 = hash }
    return hash
  }

  /// `SHA-256(0x02 ‖ key length as 2 bytes ‖ key ‖ SHA-256(value))`
  static func leafHash(key: [UInt8], valueDigest: Digest) -> Digest {
    var input: [UInt8] = []
    input.reserveCapacity(3 + key.count + 32)
    input.append(0x02)
    input.append(bigEndian: UInt16(truncatingIfNeeded: key.count))
    input.append(contentsOf: key)
    input.append(valueDigest.value)
    return Digest(hashing: input)
  }

  /// `SHA-256(0x03 ‖ prefix length in bits as 2 bytes ‖ prefix ‖ left ‖ right)`
  static func branchHash(_ prefix: KeyPrefix, _ left: Digest, _ right: Digest) -> Digest {
    var input: [UInt8] = []
    input.reserveCapacity(3 + prefix.bytes.count + 64)
    input.append(0x03)
    input.append(bigEndian: UInt16(truncatingIfNeeded: prefix.bits))
    input.append(contentsOf: prefix.bytes)
    input.append(left.value)
    input.append(right.value)
    return Digest(hashing: input)
  }

  // MARK: Reading

  /// The one leaf where `key` would be, judged by the branches' bits alone.
  func nearestLeaf(to key: [UInt8]) -> (key: [UInt8], value: any WireCodable) {
    var node = self
    while true {
      switch node.content {
      case .leaf(let key, let value): return (key, value)
      case .branch(let prefix, let left, let right): node = KeyBits.bit(key, prefix.bits) ? right : left
      }
    }
  }

  /// Visits the leaves with keys in `from ..< before` in order until `body` returns false.
  /// - Returns: false once there is no point in going on.
  func visit(from: [UInt8], before: [UInt8], _ body: ([UInt8], any WireCodable) -> Bool) -> Bool {
    switch content {
    case .leaf(let key, let value):
      guard KeyBits.precedes(key, before) else { return false }
      return KeyBits.precedes(key, from) || body(key, value)
    case .branch(let prefix, let left, let right):
      if prefix.isWholly(from: before) { return false }
      if prefix.isWholly(before: from) { return true }
      return left.visit(from: from, before: before, body) && right.visit(from: from, before: before, body)
    }
  }

  // MARK: Changed copies

  /// This subtree with `leaf` in it. `difference` is the first bit where its key differs from the nearest key
  /// here; nil when the key is here already and its value is replaced.
  func setting(_ leaf: KeyedMerkleNode, key: [UInt8], difference: Int?) -> KeyedMerkleNode {
    if case .branch(let prefix, let left, let right) = content, prefix.bits < difference ?? .max {
      return KeyedMerkleNode(
        KeyBits.bit(key, prefix.bits)
          ? .branch(prefix, left: left, right: right.setting(leaf, key: key, difference: difference))
          : .branch(prefix, left: left.setting(leaf, key: key, difference: difference), right: right))
    }
    guard let difference else { return leaf }
    let prefix = KeyPrefix(of: key, bits: difference)
    return KeyedMerkleNode(
      KeyBits.bit(key, difference)
        ? .branch(prefix, left: self, right: leaf) : .branch(prefix, left: leaf, right: self))
  }

  /// This subtree without `key`, which must be in it; nil when nothing is left.
  func removing(_ key: [UInt8]) -> KeyedMerkleNode? {
    guard case .branch(let prefix, let left, let right) = content else { return nil }
    if KeyBits.bit(key, prefix.bits) {
      guard let rest = right.removing(key) else { return left }
      return KeyedMerkleNode(.branch(prefix, left: left, right: rest))
    }
    guard let rest = left.removing(key) else { return right }
    return KeyedMerkleNode(.branch(prefix, left: rest, right: right))
  }
}
