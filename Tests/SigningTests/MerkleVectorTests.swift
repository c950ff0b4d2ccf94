import FixtureSupport
import Signing
import Testing
import Wire

/// Trees and proofs that `Tests/Interop/verify_vectors.py` recomputes with hashlib. All byte strings are hexadecimal.
struct MerkleVectorTests {
  struct ListVector: Encodable {
    struct Proof: Encodable {
      var index: Int
      var path: [String]
      var encoded: String
    }
    var leaves: [String]
    var root: String
    /// The canonical bytes of the ``MerkleLog`` with these leaves.
    var log: String
    var proofs: [Proof]
  }

  struct MapVector: Encodable {
    struct Pair: Encodable {
      var key: String
      var value: String
    }
    struct Proof: Encodable {
      var from: String
      var before: String
      var encoded: String
      var proved: [Pair]
    }
    var name: String
    var pairs: [Pair]
    var root: String
    var proofs: [Proof]
  }

  @Test func lists() throws {
    let vectors = try [0, 1, 2, 3, 7, 8, 21].map { count in
      let leaves = MerkleTreeTests.leaves(count)
      var log = MerkleLog()
      for leaf in leaves { log.append(leaf) }
      let proofs = try [0, count / 2, count - 1].filter { leaves.indices.contains($0) }.map { index in
        let proof = try #require(
          MerkleTree.inclusionProof(of: index, leafHashes: leaves.map(MerkleTree.leafHash)))
        return ListVector.Proof(
          index: index, path: proof.path.map(\.hexadecimal), encoded: Hexadecimal.encode(proof.encoded))
      }
      return ListVector(
        leaves: leaves.map(Hexadecimal.encode), root: MerkleTree.root(of: leaves).hexadecimal,
        log: Hexadecimal.encode(log.encoded), proofs: proofs)
    }
    try Fixtures.check(
      "merkle", about: "Merkle trees, logs and inclusion proofs (RFC 9162 §2.1). encoded = [index, count, path].",
      vectors)
  }

  @Test func maps() throws {
    var hashed = KeyedMerkleTree<String>()
    for number in UInt64(0)..<12 { hashed.set([1] + Digest(hashing: number.encoded).bytes, "value \(number)") }
    var nested = KeyedMerkleTree<String>()
    for key in [[], [0], [0, 0], [0, 1], [0x7F], [0x80], [0xFF], [0xFF, 0xFF]] as [[UInt8]] {
      nested.set(key, Hexadecimal.encode(key))
    }
    var single = KeyedMerkleTree<String>()
    single.set([1, 2, 3], "alone")
    let vectors = [
      vector("empty", KeyedMerkleTree(), [([1], [2])]),
      vector("one pair", single, [([1, 2, 3], [1, 2, 3, 0]), ([9], [10])]),
      vector(
        "keys that nest", nested, [([0], [0, 0]), ([0, 0, 0], [0, 1]), ([0x7F], [0xFF]), ([], [0xFF, 0xFF, 0])]),
      vector("keys like hashes", hashed, [([1, 0x40], [1, 0xC0]), ([1], [1, 0]), ([2], [3])]),
    ]
    try Fixtures.check(
      "keyed-merkle",
      about: """
        Key-ordered trees. A key's bits are, for each byte, 1 and the byte's eight, then a 0. leaf = SHA-256(02, key \
        length in 2 bytes, key, SHA-256(value)); branch = SHA-256(03, length of the common prefix in bits in 2 bytes, \
        the prefix's bytes with unknown bits 0, left, right). proved: all pairs with from <= key < before.
        """, vectors)
  }

  private func vector(
    _ name: String, _ tree: KeyedMerkleTree<String>, _ ranges: [(from: [UInt8], before: [UInt8])]
  ) -> MapVector {
    func pairs(_ from: [UInt8], _ before: [UInt8]) -> [MapVector.Pair] {
      tree.range(from: from, before: before, limit: .max).map {
        MapVector.Pair(key: Hexadecimal.encode($0.key), value: Hexadecimal.encode($0.value.encoded))
      }
    }
    let all = KeyedMerkleTree<String>.prefixRange([])
    return MapVector(
      name: name, pairs: pairs(all.from, all.before), root: tree.root.hexadecimal,
      proofs: ranges.map { range in
        MapVector.Proof(
          from: Hexadecimal.encode(range.from), before: Hexadecimal.encode(range.before),
          encoded: Hexadecimal.encode(tree.rangeProof(from: range.from, before: range.before).encoded),
          proved: pairs(range.from, range.before))
      })
  }
}
