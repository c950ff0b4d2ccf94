import Effects
import Testing

@testable import Storage

/// One file for the records of many roles.
@Suite struct SharedRecordStoreTests {
  let directory: TemporaryDirectory
  var path: String { directory.file("shared.sqlite") }

  init() throws { directory = try TemporaryDirectory() }

  static func turn(_ owner: String, _ records: Record...) -> SharedRecordStore.Turn {
    SharedRecordStore.Turn(owner: owner, records: records)
  }

  @Test func everyOwnerHasItsOwnStreams() throws {
    let store = try SharedRecordStore(path: path)
    try store.commit([
      Self.turn("a", .put(stream: 2, key: .max, bytes: [3]), .put(stream: 1, key: 7, bytes: [])),
      Self.turn("b", .put(stream: 2, key: 1, bytes: [9])),
      Self.turn("a", .put(stream: 2, key: 1 << 63, bytes: [1]), .put(stream: 2, key: 1 << 63, bytes: [2])),
    ])
    try store.close()
    let reopened = try SharedRecordStore(path: path)
    #expect(
      try reopened.recover("a") == [
        StoredRecord(stream: 1, key: 7, bytes: []), StoredRecord(stream: 2, key: 1 << 63, bytes: [2]),
        StoredRecord(stream: 2, key: .max, bytes: [3]),
      ])
    #expect(try reopened.recover("b") == [StoredRecord(stream: 2, key: 1, bytes: [9])])
    #expect(try reopened.recover("c").isEmpty)
    #expect(try reopened.records("a", stream: 2, from: (1 << 63) + 1, limit: 9).map(\.key) == [.max])
    #expect(try reopened.records("a", stream: 2, from: 0, limit: 1).map(\.key) == [1 << 63])
  }

  @Test func prunedIsGoneAndRetiredIsNotRecovered() throws {
    let store = try SharedRecordStore(path: path)
    let records = (0..<6).map { Record.put(stream: 1, key: $0, bytes: [UInt8($0)]) }
    try store.commit([.init(owner: "a", records: records), .init(owner: "b", records: records)])
    try store.commit([
      Self.turn("a", .prune(stream: 1, below: 2), .retire(stream: 1, below: 4), .retire(stream: 1, below: 3))
    ])
    #expect(try store.recover("a").map(\.key) == [4, 5])
    #expect(try store.records("a", stream: 1, from: 0, limit: 9).map(\.key) == [2, 3, 4, 5])
    #expect(try store.recover("b").count == 6)
  }
}
