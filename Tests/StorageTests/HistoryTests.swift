import Effects
import Foundation
import GRDB
import Glibc
import Testing

@testable import Storage

/// What a long history costs: nothing at a start, and no disk once it is pruned.
@Suite struct HistoryTests {
  let directory: TemporaryDirectory
  var path: String { directory.file("records.sqlite") }

  init() throws { directory = try TemporaryDirectory() }

  @Test func retiredRecordsAreRecalledButNotRecovered() throws {
    let store = try SQLiteRecordStore(path: path)
    try store.commit((0..<UInt64(10)).map { .put(stream: 1, key: $0, bytes: [UInt8($0)]) })
    try store.commit([.retire(stream: 1, below: 8), .retire(stream: 1, below: 3), .retire(stream: 2, below: .max)])
    try store.commit([.put(stream: 1, key: 2, bytes: [77]), .put(stream: 2, key: 5, bytes: [1])])
    try store.close()
    let reopened = try SQLiteRecordStore(path: path)
    #expect(try reopened.recover().map(\.key) == [8, 9])
    #expect(try reopened.records(stream: 1, from: 2, limit: 2).map(\.bytes) == [[77], [3]])
    #expect(try reopened.records(stream: 2, from: 0, limit: 9).map(\.key) == [5])
  }

  private func fileBytes() throws -> UInt64 {
    try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64)
  }

  /// 64 MiB of blocks, all but the last pruned: the file is smaller when the next few commits are done.
  @Test func whatIsPrunedIsGivenBackToTheFileSystem() throws {
    let store = try SQLiteRecordStore(path: path)
    let block = [UInt8](repeating: 0x5A, count: 1 << 20)
    for key in 0..<UInt64(64) { try store.commit([.put(stream: 1, key: key, bytes: block)]) }
    try store.commit([.prune(stream: 1, below: 63)])
    var commits: UInt64 = 0
    // Each gives back 2 MiB; the write-ahead log moves to the file every 16 MiB, and at the end of a life.
    while commits < 40 {
      try store.commit([.put(stream: 2, key: 0, bytes: [UInt8(commits)])])
      commits += 1
    }
    try store.close()
    #expect(try fileBytes() < 8 << 20)
    #expect(try SQLiteRecordStore(path: path).recover().map(\.key) == [63, 0])
  }

  @Test func aFileThatGaveNothingBackLearnsTo() throws {
    let queue = try DatabaseQueue(path: path)
    try queue.writeWithoutTransaction { database in
      try database.execute(sql: "PRAGMA application_id = \(DurableDatabase.applicationID)")
      try database.execute(sql: "PRAGMA journal_mode = WAL")
    }
    try queue.close()
    let store = try SQLiteRecordStore(path: path)
    try store.commit([.put(stream: 1, key: 1, bytes: [1])])
    try store.close()
    #expect(try DatabaseQueue(path: path).read { try Int.fetchOne($0, sql: "PRAGMA auto_vacuum") } == 2)
  }

  /// A disk that failed once is not trusted with another promise in this life.
  @Test func nothingIsWrittenAfterACommitThatTheDiskRefused() async throws {
    await #expect(processExitsWith: .success) { [path = path as String] in
      signal(SIGXFSZ, SIG_IGN)
      let store = try SQLiteRecordStore(path: path)
      try store.commit([.put(stream: 1, key: 1, bytes: [1])])
      var limit = rlimit(rlim_cur: 200_000, rlim_max: rlim_t.max)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let large = [UInt8](repeating: 2, count: 500_000)
      #expect(throws: StorageError.self) { try store.commit([.put(stream: 1, key: 2, bytes: large)]) }
      limit = rlimit(rlim_cur: rlim_t.max, rlim_max: rlim_t.max)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #expect(throws: StorageError.self) { try store.commit([.put(stream: 1, key: 3, bytes: [3])]) }
    }
    let store = try SQLiteRecordStore(path: path)
    try store.commit([.put(stream: 1, key: 4, bytes: [4])])
    #expect(try store.recover().map(\.key) == [1, 4])
  }
}

/// A store put back from a copy is told from the one that was used last.
@Suite struct LifeMarkTests {
  let directory: TemporaryDirectory
  var path: String { directory.file("place/alpha.sqlite") }

  init() throws {
    directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory.file("place"), withIntermediateDirectories: true)
  }

  private func live() throws -> Bool {
    let store = try SQLiteRecordStore(path: path)
    let isRestored = try LifeMark.begin(store, path: path)
    try store.commit([.put(stream: 1, key: 1, bytes: [1])])
    #expect(try store.recover().map(\.stream) == [1])
    try store.close()
    return isRestored
  }

  private func copy(_ source: String, _ target: String) throws {
    try FileManager.default.copyItem(atPath: directory.file(source), toPath: directory.file(target))
  }

  private func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: directory.file(name)) }

  @Test func lifeAfterLifeIsOneStore() throws {
    for _ in 0..<4 { #expect(try live() == false) }
    let marks = try FileManager.default.contentsOfDirectory(atPath: directory.file("place"))
    #expect(marks.sorted() == ["alpha.life-4", "alpha.sqlite"])
  }

  @Test func aDirectoryPutBackIsNoticedOnce() throws {
    #expect(try live() == false)
    try copy("place", "backup")
    // Of the very life that it is put back in.
    try remove("place")
    try copy("backup", "place")
    #expect(try live() == true)
    #expect(try live() == false)
    // Of a life before.
    try remove("place")
    try copy("backup", "place")
    #expect(try live() == true)
  }

  @Test func aStorePutBackAloneIsNoticed() throws {
    #expect(try live() == false)
    let old = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try live() == false)
    // Onto the file itself: it keeps its inode.
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.truncate(atOffset: 0)
    try handle.write(contentsOf: old)
    try handle.close()
    #expect(try live() == true)
  }

  /// Between the new mark and the commit that names it.
  @Test func aCrashAtTheBeginningOfALifeIsNoRestoration() throws {
    #expect(try live() == false)
    _ = FileManager.default.createFile(atPath: directory.file("place/alpha.life-2"), contents: nil)
    #expect(try live() == false)
  }
}
