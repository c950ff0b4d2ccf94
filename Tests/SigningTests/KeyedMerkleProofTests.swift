import FixtureSupport
import Signing
import Testing
import Wire

/// What a customer who trusts no validator can learn from an answer.
struct KeyedMerkleProofTests {
  typealias Tree = KeyedMerkleTree<UInt64>

  static func tree(using generator: inout SeededGenerator, count: Int) -> (Tree, [[UInt8]: UInt64]) {
    var tree = Tree()
    var model: [[UInt8]: UInt64] = [:]
    for number in 0..<count {
      let key = KeyedMerkleTreeTests.key(using: &generator)
      tree.set(key, UInt64(number))
      model[key] = UInt64(number)
    }
    return (tree, model)
  }

  @Test(arguments: UInt64(1)...10, [0, 1, 2, 5, 60])
  func presenceAndAbsence(seed: UInt64, count: Int) throws {
    var generator = SeededGenerator(seed: seed)
    let (tree, model) = Self.tree(using: &generator, count: count)
    let strangers = (0..<40).map { _ in KeyedMerkleTreeTests.key(using: &generator) }
    for key in KeyedMerkleTreeTests.sorted(model).map(\.key) + strangers {
      let proof = try KeyedMerkleProof(decoding: tree.proof(of: key).encoded)
      #expect(try proof.value(of: key, as: UInt64.self, root: tree.root) == model[key])
    }
  }

  @Test(arguments: UInt64(1)...10, [0, 1, 3, 60])
  func ranges(seed: UInt64, count: Int) throws {
    var generator = SeededGenerator(seed: seed)
    let (tree, model) = Self.tree(using: &generator, count: count)
    let pairs = KeyedMerkleTreeTests.sorted(model)
    for _ in 0..<40 {
      let from = KeyedMerkleTreeTests.key(using: &generator)
      let before = KeyedMerkleTreeTests.key(using: &generator)
      let proof = try KeyedMerkleProof(decoding: tree.rangeProof(from: from, before: before).encoded)
      let shown = try proof.values(from: from, before: before, root: tree.root)
      let inside = pairs.filter { !$0.key.lexicographicallyPrecedes(from) && $0.key.lexicographicallyPrecedes(before) }
      #expect(shown.map(\.key) == inside.map(\.key))
      #expect(shown.map(\.value) == inside.map(\.value.encoded))
      // What is outside stays hidden.
      for case .leaf(let key, _) in proof.steps { #expect(inside.contains { $0.key == key }) }
    }
  }

  /// Whatever byte changes, the proof proves nothing.
  @Test(arguments: UInt64(1)...4)
  func everyTamperedProofIsRefused(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let (tree, model) = Self.tree(using: &generator, count: 20)
    let keys = KeyedMerkleTreeTests.sorted(model).map(\.key)
    for (from, before) in [(keys[3], keys[3] + [0]), (keys[5] + [0], keys[5] + [0, 0]), (keys[6], keys[9])] {
      let bytes = tree.rangeProof(from: from, before: before).encoded
      for index in bytes.indices {
        var tampered = bytes
        tampered[index] ^= 1 << UInt8(index % 8)
        guard let proof = try? KeyedMerkleProof(decoding: tampered) else { continue }
        #expect(throws: ProofError.self, "byte \(index)") {
          try proof.values(from: from, before: before, root: tree.root)
        }
      }
    }
  }

  /// The lies that keep every hash true: hiding what is asked for behind a hash of it.
  @Test(arguments: UInt64(1)...10)
  func nothingInsideTheRangeCanBeHidden(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let (tree, model) = Self.tree(using: &generator, count: 40)
    let keys = KeyedMerkleTreeTests.sorted(model).map(\.key)
    let (from, before) = (keys[4], keys[12])
    let proof = tree.rangeProof(from: from, before: before)
    for (index, step) in proof.steps.enumerated() {
      guard case .leaf(let key, let value) = step else { continue }
      var steps = proof.steps
      steps[index] = .sealedLeaf(key: key, valueDigest: Digest(hashing: value))
      #expect(throws: ProofError.incomplete) {
        try KeyedMerkleProof(steps: steps).values(from: from, before: before, root: tree.root)
      }
      var single = Tree()
      single.set(key, try UInt64(decoding: value))
      steps[index] = .pruned(single.root)
      #expect(throws: ProofError.incomplete) {
        try KeyedMerkleProof(steps: steps).values(from: from, before: before, root: tree.root)
      }
    }
    #expect(throws: ProofError.incomplete) {
      try KeyedMerkleProof(steps: [.pruned(tree.root)]).values(from: from, before: before, root: tree.root)
    }
    #expect(throws: ProofError.incomplete) {
      try tree.proof(of: keys[4]).values(from: from, before: before, root: tree.root)
    }
  }

  @Test func stepsLostAddedOrMovedAreRefused() {
    var generator = SeededGenerator(seed: 5)
    let (tree, model) = Self.tree(using: &generator, count: 40)
    let keys = KeyedMerkleTreeTests.sorted(model).map(\.key)
    let steps = tree.rangeProof(from: keys[4], before: keys[9]).steps
    func refused(_ steps: [KeyedMerkleProof.Step]) {
      #expect(throws: ProofError.self) {
        try KeyedMerkleProof(steps: steps).values(from: keys[4], before: keys[9], root: tree.root)
      }
    }
    refused([])
    refused(steps + [.pruned(.zero)])
    for index in steps.indices {
      var fewer = steps
      fewer.remove(at: index)
      refused(fewer)
      var twice = steps
      twice.insert(steps[index], at: index)
      refused(twice)
      guard index > 0, steps[index] != steps[index - 1] else { continue }
      var moved = steps
      moved.swapAt(index, index - 1)
      refused(moved)
    }
  }

  @Test func aProofHoldsUnderOneRoot() throws {
    var tree = Tree()
    tree.set([1], 1)
    tree.set([2], 2)
    let before = tree.root
    let proof = tree.proof(of: [1])
    tree.set([1], 3)
    #expect(try proof.value(of: [1], as: UInt64.self, root: before) == 1)
    #expect(throws: ProofError.wrongRoot) { try proof.value(of: [1], root: tree.root) }
    #expect(throws: ProofError.wrongRoot) { try Tree().proof(of: [1]).value(of: [1], root: tree.root) }
    #expect(try Tree().proof(of: [1]).value(of: [1], root: .zero) == nil)
    // A value of another type than asked for.
    #expect(throws: ProofError.malformed) { try proof.value(of: [1], as: String.self, root: before) }
  }

  /// A tree that is not in key order cannot be shown, whatever its hash.
  @Test func malformedTreesAreRefused() {
    let leaf = KeyedMerkleProof.Step.leaf(key: [0x80], value: [0])
    let trees: [[KeyedMerkleProof.Step]] = [
      // The prefix has bits beyond its length; is too short for it; is too long for it.
      [.branch(bits: 2, prefix: [0xFF]), leaf, leaf], [.branch(bits: 10, prefix: [0x80]), leaf, leaf],
      [.branch(bits: 0, prefix: [0]), leaf, leaf],
      // The left child belongs to the right.
      [.branch(bits: 1, prefix: [0]), leaf, leaf],
      // A branch no longer than its parent.
      [.branch(bits: 1, prefix: [0]), .branch(bits: 1, prefix: [0]), leaf, leaf, leaf],
      // Not all there.
      [.branch(bits: 1, prefix: [0])],
    ]
    for steps in trees {
      #expect(throws: ProofError.malformed) {
        try KeyedMerkleProof(steps: steps).values(from: [], before: [255], root: .zero)
      }
    }
  }

  @Test(arguments: UInt64(1)...5)
  func randomBytesNeverCrash(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      let steps = (0..<Int.random(in: 0..<12, using: &generator)).map { _ -> KeyedMerkleProof.Step in
        let key = KeyedMerkleTreeTests.key(using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: return .pruned(Digest(hashing: key))
        case 1: return .branch(bits: Int.random(in: 0..<40, using: &generator), prefix: key)
        case 2: return .leaf(key: key, value: key)
        default: return .sealedLeaf(key: key, valueDigest: Digest(hashing: key))
        }
      }
      let proof = KeyedMerkleProof(steps: steps)
      #expect(try KeyedMerkleProof(decoding: proof.encoded) == proof)
      #expect(throws: ProofError.self) {
        try proof.values(from: [1], before: [200], root: Digest(hashing: [seed.encoded[0]]))
      }
    }
  }
}
