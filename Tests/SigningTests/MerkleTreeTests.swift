import FixtureSupport
import Signing
import Testing
import Wire

struct MerkleTreeTests {
  /// MTH of RFC 9162 §2.1.1, word for word.
  static func definition(_ leaves: ArraySlice<[UInt8]>) -> Digest {
    guard let first = leaves.first else { return Digest(hashing: []) }
    guard leaves.count > 1 else { return Digest(hashing: [0] + first) }
    var split = 1
    while split * 2 < leaves.count { split *= 2 }
    let middle = leaves.startIndex + split
    return Digest(hashing: [1] + definition(leaves[..<middle]).bytes + definition(leaves[middle...]).bytes)
  }

  /// PATH of RFC 9162 §2.1.3.1, word for word.
  static func path(_ index: Int, _ leaves: ArraySlice<[UInt8]>) -> [Digest] {
    guard leaves.count > 1 else { return [] }
    var split = 1
    while split * 2 < leaves.count { split *= 2 }
    let middle = leaves.startIndex + split
    return index < split
      ? path(index, leaves[..<middle]) + [definition(leaves[middle...])]
      : path(index - split, leaves[middle...]) + [definition(leaves[..<middle])]
  }

  static func leaves(_ count: Int) -> [[UInt8]] { (0..<count).map { Array("leaf \($0)".utf8) } }

  /// The eight leaves of the Certificate Transparency reference tests.
  @Test func certificateTransparencyVectors() {
    let leaves: [[UInt8]] = [
      [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43], [UInt8](0x50...0x57),
      [UInt8](0x60...0x6F),
    ]
    #expect(MerkleTree.root(of: []).hexadecimal == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(
      MerkleTree.root(of: Array(leaves[..<1])).hexadecimal
        == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
    #expect(
      MerkleTree.root(of: leaves).hexadecimal == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
  }

  @Test(arguments: 0...40)
  func rootAndProofsAreThoseOfTheDefinition(count: Int) throws {
    let leaves = Self.leaves(count)
    let hashes = leaves.map(MerkleTree.leafHash)
    let root = MerkleTree.root(of: leaves)
    #expect(root == Self.definition(leaves[...]))
    #expect(MerkleTree.inclusionProof(of: count, leafHashes: hashes) == nil)
    for index in 0..<count {
      let proof = try #require(MerkleTree.inclusionProof(of: index, leafHashes: hashes))
      #expect(proof.path == Self.path(index, leaves[...]))
      #expect(proof.proves(leaves[index], count: UInt64(count), root: root))
      #expect(try MerkleTree.InclusionProof(decoding: proof.encoded) == proof)
    }
  }

  @Test(arguments: 1...20)
  func aProofProvesOneLeafAtOnePlace(count: Int) throws {
    let leaves = Self.leaves(count)
    let root = MerkleTree.root(of: leaves)
    for index in 0..<count {
      let proof = try #require(MerkleTree.inclusionProof(of: index, leafHashes: leaves.map(MerkleTree.leafHash)))
      for other in 0..<count where other != index {
        #expect(!proof.proves(leaves[other], count: UInt64(count), root: root))
        let moved = MerkleTree.InclusionProof(index: UInt64(other), count: UInt64(count), path: proof.path)
        #expect(!moved.proves(leaves[index], count: UInt64(count), root: root))
      }
      #expect(!proof.proves(leaves[index], count: UInt64(count) + 1, root: root))
      #expect(!proof.proves(leaves[index], count: UInt64(count), root: .zero))
      let longer = MerkleTree.InclusionProof(index: proof.index, count: proof.count, path: proof.path + [root])
      #expect(!longer.proves(leaves[index], count: UInt64(count), root: root))
    }
  }

  @Test func everyTamperedProofIsRefused() throws {
    let leaves = Self.leaves(21)
    let root = MerkleTree.root(of: leaves)
    let proof = try #require(MerkleTree.inclusionProof(of: 20, leafHashes: leaves.map(MerkleTree.leafHash)))
    let bytes = proof.encoded
    for index in bytes.indices {
      for bit in 0..<8 {
        var tampered = bytes
        tampered[index] ^= 1 << UInt8(bit)
        guard let proof = try? MerkleTree.InclusionProof(decoding: tampered) else { continue }
        #expect(!proof.proves(leaves[20], count: 21, root: root), "byte \(index), bit \(bit)")
      }
    }
  }

  @Test func theLogHasTheRootOfTheTree() throws {
    var log = MerkleLog()
    var leaves: [[UInt8]] = []
    for leaf in Self.leaves(130) {
      #expect(log.root == MerkleTree.root(of: leaves))
      log.append(leaf)
      leaves.append(leaf)
      #expect(log.count == UInt64(leaves.count))
      #expect(log.peaks.count == leaves.count.nonzeroBitCount)
      #expect(try MerkleLog(decoding: log.encoded) == log)
    }
    let hashes = leaves.map(MerkleTree.leafHash)
    for index in leaves.indices {
      let proof = try #require(MerkleTree.inclusionProof(of: index, leafHashes: hashes))
      #expect(log.contains(leaves[index], by: proof))
    }
    let old = try #require(MerkleTree.inclusionProof(of: 3, leafHashes: Array(hashes.dropLast())))
    #expect(!log.contains(leaves[3], by: old))
  }

  @Test func aLogWithTheWrongNumberOfPeaksIsRefused() {
    var writer = CBORWriter()
    writer.array(2)
    writer.write(UInt64(3))
    writer.write(list: [Digest.zero])
    #expect(throws: WireError.invalidValue(field: "log: peaks")) { try MerkleLog(decoding: writer.bytes) }
  }
}
