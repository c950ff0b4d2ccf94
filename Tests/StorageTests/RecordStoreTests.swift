import Effects
import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct RecordStoreTests {
  let directory: TemporaryDirectory
  var path: String { directory.file("records.sqlite") }

  init() throws { directory = try TemporaryDirectory() }

  @Test func recordsComeBackInOrder() throws {
    let store = try SQLiteRecordStore(path: path)
    try store.commit([
      .put(stream: 9, key: .max, bytes: [5]), .put(stream: 9, key: 0, bytes: [1]), .put(stream: 2, key: 7, bytes: []),
      .put(stream: 9, key: 1 << 63, bytes: [4]), .put(stream: 9, key: (1 << 63) - 1, bytes: [3]),
      .put(stream: 9, key: 3, bytes: [9]), .put(stream: 9, key: 3, bytes: [2]),
    ])
    try store.close()
    let reopened = try SQLiteRecordStore(path: path)
    let expected: [StoredRecord] = [
      StoredRecord(stream: 2, key: 7, bytes: []), StoredRecord(stream: 9, key: 0, bytes: [1]),
      StoredRecord(stream: 9, key: 3, bytes: [2]), StoredRecord(stream: 9, key: (1 << 63) - 1, bytes: [3]),
      StoredRecord(stream: 9, key: 1 << 63, bytes: [4]), StoredRecord(stream: 9, key: .max, bytes: [5]),
    ]
    #expect(try reopened.recover() == expected)
    #expect(try reopened.recover(streams: 0...8) == Array(expected.prefix(1)))
    #expect(try reopened.records(stream: 9, from: 1, limit: 2) == Array(expected[2...3]))
    #expect(try reopened.records(stream: 9, from: .max, limit: 9) == Array(expected[5...]))
    #expect(try reopened.lastKey(stream: 9) == .max)
    #expect(try reopened.lastKey(stream: 10) == nil)
    try reopened.commit([.prune(stream: 9, below: 1 << 63), .prune(stream: 77, below: 5)])
    #expect(try reopened.recover(streams: 9...9) == Array(expected[4...]))
  }

  @Test func aBlockOfMegabytesComesBack() throws {
    let store = try SQLiteRecordStore(path: path)
    let block = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try store.commit([.put(stream: 1, key: 1, bytes: block)])
    #expect(try store.records(stream: 1, from: 0, limit: 1).first?.bytes == block)
  }

  /// One record too many: nothing of the whole commit stays.
  @Test func aCommitThatFailsLeavesNothing() throws {
    let store = try SQLiteRecordStore(path: path)
    try store.commit([.put(stream: 0, key: 1, bytes: [1])])
    let tooMany = (0...UInt16(StreamTables.maximumStreams)).map { Record.put(stream: $0, key: 2, bytes: [2]) }
    #expect(throws: StorageError.unusableRecord(path: path, detail: "more than 64 streams")) {
      try store.commit(tooMany)
    }
    #expect(try store.recover() == [StoredRecord(stream: 0, key: 1, bytes: [1])])
    try store.commit([.put(stream: 5, key: 1, bytes: [3])])
    #expect(try store.recover().count == 2)
  }

  @Test func aDamagedFileIsRefused() throws {
    var store = Optional(try SQLiteRecordStore(path: path))
    for key in 0..<UInt64(200) {
      try store?.commit([.put(stream: 1, key: key, bytes: .init(repeating: 7, count: 500))])
    }
    try store?.close()
    store = nil
    let handle = try #require(FileHandle(forUpdatingAtPath: path))
    // A page in the middle of the stream's tree.
    try handle.seek(toOffset: 4096 * 10)
    try handle.write(contentsOf: Data(repeating: 0xA5, count: 4096))
    try handle.close()
    let error = #expect(throws: StorageError.self) { try SQLiteRecordStore(path: path) }
    guard case .corrupt(path, _) = error else {
      Issue.record("refused for \(String(describing: error))")
      return
    }
    try Data("not a database at all, but long enough to have a header of one hundred bytes or so, really".utf8)
      .write(to: URL(fileURLWithPath: directory.file("text")))
    let other = #expect(throws: StorageError.self) { try SQLiteRecordStore(path: directory.file("text")) }
    guard case .corrupt = other else {
      Issue.record("refused for \(String(describing: other))")
      return
    }
  }

  @Test func aLaterVersionsFileIsRefused() throws {
    try SQLiteRecordStore(path: path).close()
    let queue = try DatabaseQueue(path: path)
    try queue.write { try $0.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('99: of the future')") }
    try queue.close()
    #expect(throws: StorageError.newerFormat(path: path, detail: "unknown tables")) {
      try SQLiteRecordStore(path: path)
    }
  }

  @Test func anotherProgramsDatabaseIsLeftAlone() throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write { try $0.execute(sql: "CREATE TABLE theirs (id INTEGER)") }
    try queue.close()
    let before = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(throws: StorageError.notADataDirectory(path: path, detail: "a database of another program")) {
      try SQLiteRecordStore(path: path)
    }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == before)
  }

  @Test func aPathThatCannotExistIsUnwritable() throws {
    let error = #expect(throws: StorageError.self) { try SQLiteRecordStore(path: directory.file("no/such/file")) }
    guard case .unwritable = error else {
      Issue.record("refused for \(String(describing: error))")
      return
    }
  }
}
