import Effects
import Foundation
import Signing
import Testing

@testable import Hosting

/// An enclave's state in the hands of its host.
struct SealedStoreTests {
  private let key: SealingKey

  init() throws { key = try SealingKey(secret: [UInt8](repeating: 7, count: 32)) }

  private func withDirectory<Result>(_ body: (_ path: String) async throws -> Result) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("ajit-sealed-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try await body(directory.path)
  }

  private func store(
    _ directory: String, of enclaves: [String], boot: UInt64, reported: UInt64
  ) throws -> SealedStore {
    try SealedStore(
      directory: directory, key: key, enclaves: enclaves, bootCount: boot, reportedBootCount: reported)
  }

  /// A process of one enclave.
  private func open(_ directory: String, boot: UInt64, reported: UInt64) throws -> SealedSection {
    try store(directory, of: ["console"], boot: boot, reported: reported).section("console")
  }

  private func file(_ directory: String) -> URL {
    URL(fileURLWithPath: "\(directory)/\(SealedStore.fileName)")
  }

  @Test func `records and the receipt key's seed survive; what was pruned does not`() async throws {
    try await withDirectory { directory in
      let first = try open(directory, boot: 1, reported: 0)
      let seed = await first.takeSeed()
      try await first.commit([.put(stream: 1, key: 5, bytes: [5]), .put(stream: 1, key: 9, bytes: [9])])
      try await first.commit([.put(stream: 2, key: 1, bytes: [1]), .prune(stream: 1, below: 9)])
      let second = try open(directory, boot: 2, reported: 1)
      #expect(await second.takeSeed() == seed)
      let records = await second.recover()
      #expect(
        records == [StoredRecord(stream: 1, key: 9, bytes: [9]), StoredRecord(stream: 2, key: 1, bytes: [1])])
    }
  }

  @Test func `the file shows nothing and admits no change`() async throws {
    try await withDirectory { directory in
      let store = try open(directory, boot: 1, reported: 0)
      let secret = Array("a receipt that nobody else may read".utf8)
      try await store.commit([.put(stream: 1, key: 1, bytes: secret)])
      let bytes = try Data(contentsOf: file(directory))
      #expect(bytes.range(of: Data(secret)) == nil)
    }
  }

  /// Lengths and the last entry included: whatever changed, nothing that was said is dropped silently.
  @Test func `a file with any byte changed is refused`() async throws {
    try await withDirectory { directory in
      let store = try open(directory, boot: 1, reported: 0)
      for key: UInt64 in 0..<4 { try await store.commit([.put(stream: 1, key: key, bytes: [1, 2, 3])]) }
      let bytes = try Data(contentsOf: file(directory))
      for position in bytes.indices {
        var changed = bytes
        changed[position] ^= 1 << UInt8(position % 8)
        try changed.write(to: file(directory))
        #expect(throws: SealedStoreError.self, "byte \(position)") { try open(directory, boot: 2, reported: 1) }
      }
      try bytes.write(to: file(directory))
      #expect(await (try open(directory, boot: 2, reported: 1)).recover().count == 4)
    }
  }

  @Test func `a file without an entry, or with two in the other order, is refused`() async throws {
    try await withDirectory { directory in
      let store = try open(directory, boot: 1, reported: 0)
      var ends = [try Data(contentsOf: file(directory)).count]
      for key: UInt64 in 0..<3 {
        try await store.commit([.put(stream: 1, key: key, bytes: [7])])
        ends.append(try Data(contentsOf: file(directory)).count)
      }
      let bytes = try Data(contentsOf: file(directory))
      let first = bytes[ends[0]..<ends[1]]
      let second = bytes[ends[1]..<ends[2]]
      let rest = bytes[ends[2]...]
      for changed in [
        bytes[..<ends[0]] + second + rest, bytes[..<ends[0]] + second + first + rest, bytes + first, Data(),
      ] {
        try changed.write(to: file(directory))
        #expect(throws: SealedStoreError.self) { try open(directory, boot: 2, reported: 1) }
      }
    }
  }

  /// It comes into being with its first entries whole, so a shorter one is no crash's work.
  @Test func `a file that ends before its first launch is refused`() async throws {
    try await withDirectory { directory in
      _ = try open(directory, boot: 1, reported: 0)
      let bytes = try Data(contentsOf: file(directory))
      for length in 0..<bytes.count {
        try bytes.prefix(length).write(to: file(directory))
        #expect(throws: SealedStoreError.self) { try open(directory, boot: 2, reported: 0) }
      }
    }
  }

  @Test func `a torn end loses that turn only`() async throws {
    try await withDirectory { directory in
      let store = try open(directory, boot: 1, reported: 0)
      try await store.commit([.put(stream: 1, key: 1, bytes: [1])])
      let whole = try Data(contentsOf: file(directory)).count
      try await store.commit([.put(stream: 1, key: 2, bytes: [2])])
      let bytes = try Data(contentsOf: file(directory))
      for length in whole..<bytes.count {
        try bytes.prefix(length).write(to: file(directory))
        let records = await (try open(directory, boot: 2, reported: 1)).recover()
        #expect(records == [StoredRecord(stream: 1, key: 1, bytes: [1])])
      }
    }
  }

  @Test func `more than one entry holds survives a launch`() async throws {
    try await withDirectory { directory in
      let store = try open(directory, boot: 1, reported: 0)
      let block = [UInt8](repeating: 9, count: 700_000)
      for key: UInt64 in 0..<5 { try await store.commit([.put(stream: 1, key: key, bytes: block)]) }
      let expected = (0..<5).map { StoredRecord(stream: 1, key: UInt64($0), bytes: block) }
      for boot: UInt64 in 2...3 {
        let isSame = await (try open(directory, boot: boot, reported: boot - 1)).recover() == expected
        #expect(isSame)
      }
    }
  }

  @Test func `a file put back to an earlier launch is refused`() async throws {
    try await withDirectory { directory in
      _ = try open(directory, boot: 1, reported: 0)
      let old = try Data(contentsOf: file(directory))
      _ = try open(directory, boot: 2, reported: 1)
      // A launch that never reported may have left either file.
      try old.write(to: file(directory))
      _ = try open(directory, boot: 3, reported: 1)
      try old.write(to: file(directory))
      #expect(throws: SealedStoreError.self) { try open(directory, boot: 4, reported: 3) }
      try FileManager.default.removeItem(at: file(directory))
      #expect(throws: SealedStoreError.self) { try open(directory, boot: 5, reported: 3) }
    }
  }

  @Test func `another build or platform cannot open it`() async throws {
    try await withDirectory { directory in
      _ = try open(directory, boot: 1, reported: 0)
      let other = try SealingKey(secret: [UInt8](repeating: 8, count: 32))
      #expect(throws: SealedStoreError.self) {
        try SealedStore(directory: directory, key: other, enclaves: ["console"], bootCount: 2, reportedBootCount: 1)
      }
    }
  }

  @Test func `enclaves of one process have seeds and records of their own`() async throws {
    try await withDirectory { directory in
      let first = try store(directory, of: ["a", "b"], boot: 1, reported: 0)
      let (a, b) = (first.section("a"), first.section("b"))
      let seeds = (await a.takeSeed(), await b.takeSeed())
      #expect(seeds.0?.count == 32 && seeds.0 != seeds.1)
      #expect(await a.takeSeed() == nil, "taken once")
      try await a.commit([.put(stream: 1, key: 1, bytes: [1])])
      try await b.commit([.put(stream: 1, key: 1, bytes: [2]), .put(stream: 1, key: 2, bytes: [3])])
      try await a.commit([.prune(stream: 1, below: 2)])
      #expect(await a.records(stream: 1, from: 0, limit: 9) == [])
      // One leaves, one comes; the one that is away keeps what it had.
      let second = try store(directory, of: ["a", "c"], boot: 2, reported: 1)
      #expect(await second.section("a").takeSeed() == seeds.0)
      #expect(await second.section("c").takeSeed()?.count == 32)
      let third = try store(directory, of: ["b"], boot: 3, reported: 2).section("b")
      #expect(await third.takeSeed() == seeds.1)
      #expect(
        await third.recover() == [
          StoredRecord(stream: 1, key: 1, bytes: [2]), StoredRecord(stream: 1, key: 2, bytes: [3]),
        ])
    }
  }

  @Test func `what enclaves commit while a sync is under way goes out together`() async throws {
    try await withDirectory { directory in
      let names = (0..<200).map { "e\($0)" }
      let first = try store(directory, of: names, boot: 1, reported: 0)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for name in names {
          group.addTask {
            for key: UInt64 in 0..<3 {
              try await first.section(name).commit([.put(stream: 1, key: key, bytes: Array(name.utf8))])
            }
          }
        }
        try await group.waitForAll()
      }
      // 600 commits; how many meet depends on how the threads run, that many do is the point.
      #expect(await first.syncs < 300)
      let second = try store(directory, of: names, boot: 2, reported: 1)
      for name in names {
        #expect(await second.section(name).recover().map(\.bytes) == Array(repeating: Array(name.utf8), count: 3))
      }
    }
  }
}
