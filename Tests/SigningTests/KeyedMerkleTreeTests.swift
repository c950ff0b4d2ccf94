import FixtureSupport
import Signing
import Testing
import Wire

/// The tree against a dictionary and against its definition.
struct KeyedMerkleTreeTests {
  typealias Tree = KeyedMerkleTree<UInt64>
  typealias Pair = (key: [UInt8], value: UInt64)

  /// Keys that collide, nest and lie close together, and some like hashes.
  static func key(using generator: inout SeededGenerator) -> [UInt8] {
    switch Int.random(in: 0..<4, using: &generator) {
    case 0:
      (0..<Int.random(in: 0...4, using: &generator)).map { _ in
        [0x00, 0x01, 0x80, 0xFF].randomElement(using: &generator) ?? 0
      }
    case 1: [7] + UInt64.random(in: 0..<64, using: &generator).encoded
    case 2: Digest(hashing: [UInt8.random(in: 0..<32, using: &generator)]).bytes
    default: generator.bytes(2)
    }
  }

  /// The bits of a key by the tree's rule, written out.
  static func bits(_ key: [UInt8]) -> [Bool] {
    key.flatMap { byte in [true] + (0..<8).map { byte >> UInt8(7 - $0) & 1 == 1 } } + [false]
  }

  /// The root of sorted pairs by the definition, without a tree.
  static func definition(_ pairs: ArraySlice<Pair>) -> Digest {
    guard let first = pairs.first, let last = pairs.last else { return .zero }
    if pairs.count == 1 {
      let count = first.key.count
      let input: [UInt8] = [0x02, UInt8(count >> 8), UInt8(count & 0xFF)] + first.key
      return Digest(hashing: input + Digest(hashing: first.value.encoded).bytes)
    }
    let (low, high) = (bits(first.key), bits(last.key))
    let length = zip(low, high).prefix { $0 == $1 }.count
    var prefix: [UInt8] = []
    for (index, bit) in low.prefix(length).enumerated() {
      if index % 9 == 0 { prefix.append(0) } else if bit { prefix[index / 9] |= 0x80 >> UInt8(index % 9 - 1) }
    }
    let middle = pairs.firstIndex { bits($0.key)[length] } ?? pairs.endIndex
    let input: [UInt8] = [0x03, UInt8(length >> 8), UInt8(length & 0xFF)] + prefix
    return Digest(hashing: input + definition(pairs[..<middle]).bytes + definition(pairs[middle...]).bytes)
  }

  static func sorted(_ model: [[UInt8]: UInt64]) -> [Pair] {
    model.map { ($0.key, $0.value) }.sorted { $0.key.lexicographicallyPrecedes($1.key) }
  }

  @Test(arguments: UInt64(1)...12)
  func behavesAsADictionaryInOrder(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var tree = Tree()
    var model: [[UInt8]: UInt64] = [:]
    for step in 0..<400 {
      let key = Self.key(using: &generator)
      if Int.random(in: 0..<3, using: &generator) == 0 {
        #expect(tree.remove(key) == model.removeValue(forKey: key))
      } else {
        tree.set(key, UInt64(step))
        model[key] = UInt64(step)
      }
      #expect(tree.count == model.count)
      let probe = Self.key(using: &generator)
      #expect(tree[probe] == model[probe])
      guard step % 40 == 39 else { continue }
      let pairs = Self.sorted(model)
      #expect(tree.root == Self.definition(pairs[...]))
      let (from, before) = (Self.key(using: &generator), Self.key(using: &generator))
      let inside = pairs.filter { !$0.key.lexicographicallyPrecedes(from) && $0.key.lexicographicallyPrecedes(before) }
      let limit = Int.random(in: 0..<20, using: &generator)
      let found = tree.range(from: from, before: before, limit: limit)
      #expect(found.map(\.key) == inside.prefix(limit).map(\.key))
      #expect(found.map(\.value) == inside.prefix(limit).map(\.value))
      #expect(tree.first(from: from, before: before)?.key == inside.first?.key)
    }
  }

  /// Members that took different ways to the same state have the same root.
  @Test(arguments: UInt64(1)...10)
  func theRootForgetsHistory(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var model: [[UInt8]: UInt64] = [:]
    for _ in 0..<200 { model[Self.key(using: &generator)] = generator.next() }
    let pairs = Self.sorted(model)
    let root = Self.definition(pairs[...])
    for _ in 0..<4 {
      var tree = Tree()
      let strangers = (0..<50).map { _ in Self.key(using: &generator) }.filter { model[$0] == nil }
      for key in strangers { tree.set(key, 1) }
      for pair in pairs.shuffled(using: &generator) {
        if Bool.random(using: &generator) { tree.set(pair.key, 0) }
        tree.set(pair.key, pair.value)
        if Int.random(in: 0..<8, using: &generator) == 0 { _ = tree.root }
      }
      for key in strangers.shuffled(using: &generator) { tree.remove(key) }
      #expect(tree.root == root)
      for pair in pairs.shuffled(using: &generator) { tree.remove(pair.key) }
      #expect(tree.isEmpty)
      #expect(tree.root == .zero)
    }
  }

  @Test func copiesAreIndependent() {
    var parent = Tree()
    for number in UInt64(0)..<100 { parent.set(number.encoded, number) }
    let root = parent.root
    var child = parent
    child.set(UInt64(7).encoded, 70)
    child.remove(UInt64(8).encoded)
    #expect(parent.root == root)
    #expect(parent[UInt64(7).encoded] == 7)
    #expect(child[UInt64(7).encoded] == 70)
    child.set(UInt64(7).encoded, 7)
    child.set(UInt64(8).encoded, 8)
    #expect(child.root == root)
  }

  @Test func rootsAreComputedOnManyThreads() async {
    var tree = Tree()
    for number in UInt64(0)..<2_000 { tree.set(Digest(hashing: number.encoded).bytes, number) }
    let shared = tree
    let roots = await withTaskGroup(of: Digest.self) { group in
      for _ in 0..<8 { group.addTask { shared.root } }
      return await group.reduce(into: Set()) { $0.insert($1) }
    }
    #expect(roots.count == 1)
  }

  @Test func prefixRangesHoldWhatBeginsWithThePrefix() {
    var tree = Tree()
    let keys: [[UInt8]] = [
      [], [1], [1, 0], [1, 255, 255], [2], [255], [255, 255], [255, 255, 0], [255, 255, 255, 255],
    ]
    for key in keys { tree.set(key, 0) }
    for prefix in [[], [1], [1, 255], [255], [255, 255], [3]] as [[UInt8]] {
      let bounds = Tree.prefixRange(prefix)
      let found = tree.range(from: bounds.from, before: bounds.before, limit: .max).map(\.key)
      #expect(found == keys.filter { $0.starts(with: prefix) })
    }
  }

  /// The worst keys there can be: each next to the last, nine levels for every byte.
  @Test func theDepthIsBoundedByTheKeyLength() throws {
    var tree = Tree()
    let deepest = [UInt8](repeating: 0, count: Tree.maximumKeyBytes)
    tree.set(deepest, 0)
    for count in 0..<deepest.count {
      tree.set(Array(deepest.prefix(count)), 1)
      for bit in 0..<8 {
        var key = deepest
        key[count] = 1 << UInt8(bit)
        tree.set(key, 2)
      }
    }
    let root = tree.root
    let proof = try KeyedMerkleProof(decoding: tree.proof(of: deepest).encoded)
    #expect(proof.steps.count == 2 * 9 * deepest.count + 1)
    #expect(try proof.value(of: deepest, as: UInt64.self, root: root) == 0)
  }
}
