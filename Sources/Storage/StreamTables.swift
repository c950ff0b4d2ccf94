import Effects
import Foundation
import GRDB

/// Record streams as tables: one table per stream, its rowid the record's key. So records of many kilobytes are
/// appended to one tree without a second index, a range is one walk, and a prune is one range delete.
///
/// What a stream has retired stands in its row of `stream`: recovery begins behind it.
///
/// SQLite's rowids are signed and keys are not: keys are kept with their top bit flipped, which makes SQLite's order
/// the keys' order over all 64 bits.
enum StreamTables {
  /// Streams of one store: a role has a handful.
  static let maximumStreams = 64
  /// Records fetched by one call of ``RecordStore/records(stream:from:limit:)``.
  static let maximumFetched = 1 << 16

  static func register(in migrator: inout DatabaseMigrator) {
    migrator.registerMigration("1: streams") { database in
      try database.execute(sql: "CREATE TABLE stream (number INTEGER PRIMARY KEY NOT NULL) STRICT")
    }
    migrator.registerMigration("2: retired records") { database in
      try database.execute(sql: "ALTER TABLE stream ADD COLUMN retired INTEGER")
    }
  }

  static func apply(_ record: Effects.Record, to database: Database) throws {
    switch record {
    case .put(let stream, let key, let bytes):
      if try !exists(stream, in: database) { try create(stream, in: database) }
      try database.cachedStatement(sql: "INSERT OR REPLACE INTO \(table(stream)) (key, bytes) VALUES (?, ?)")
        .execute(arguments: [signed(key), Data(bytes)])
    case .prune(let stream, let below):
      guard try exists(stream, in: database) else { return }
      try database.cachedStatement(sql: "DELETE FROM \(table(stream)) WHERE key < ?")
        .execute(arguments: [signed(below)])
    case .retire(let stream, let below):
      if try !exists(stream, in: database) { try create(stream, in: database) }
      try database.cachedStatement(
        sql: "UPDATE stream SET retired = ?2 WHERE number = ?1 AND (retired IS NULL OR retired < ?2)"
      ).execute(arguments: [stream, signed(below)])
    }
  }

  /// What recovery is handed of a stream.
  static func recovered(_ stream: UInt16, in database: Database) throws -> [StoredRecord] {
    let statement = try database.cachedStatement(sql: "SELECT retired FROM stream WHERE number = ?")
    let first = try Int64.fetchOne(statement, arguments: [stream]).map(unsigned)
    return try records(stream, from: first ?? 0, limit: -1, in: database)
  }

  static func streams(in database: Database) throws -> [UInt16] {
    try UInt16.fetchAll(database, sql: "SELECT number FROM stream ORDER BY number")
  }

  static func records(_ stream: UInt16, from key: UInt64 = 0, limit: Int, in database: Database) throws
    -> [StoredRecord]
  {
    guard try exists(stream, in: database) else { return [] }
    let statement = try database.cachedStatement(
      sql: "SELECT key, bytes FROM \(table(stream)) WHERE key >= ? ORDER BY key LIMIT ?")
    let rows = try Row.fetchCursor(statement, arguments: [signed(key), limit])
    var records: [StoredRecord] = []
    while let row = try rows.next() {
      let bytes = try row.withUnsafeData(atIndex: 1) { data in data.map { [UInt8]($0) } ?? [] }
      records.append(StoredRecord(stream: stream, key: unsigned(row[0]), bytes: bytes))
    }
    return records
  }

  static func lastKey(_ stream: UInt16, in database: Database) throws -> UInt64? {
    guard try exists(stream, in: database) else { return nil }
    return try Int64.fetchOne(database, sql: "SELECT max(key) FROM \(table(stream))").map(unsigned)
  }

  private static func table(_ stream: UInt16) -> String { "stream_\(stream)" }
  private static func signed(_ key: UInt64) -> Int64 { Int64(bitPattern: key ^ (1 << 63)) }
  private static func unsigned(_ rowid: Int64) -> UInt64 { UInt64(bitPattern: rowid) ^ (1 << 63) }

  private static func exists(_ stream: UInt16, in database: Database) throws -> Bool {
    let statement = try database.cachedStatement(sql: "SELECT 1 FROM stream WHERE number = ?")
    return try Int.fetchOne(statement, arguments: [stream]) != nil
  }

  private static func create(_ stream: UInt16, in database: Database) throws {
    guard try Int.fetchOne(database, sql: "SELECT count(*) FROM stream") ?? 0 < maximumStreams else {
      throw UnusableRecord(detail: "more than \(maximumStreams) streams")
    }
    try database.execute(sql: "INSERT INTO stream (number) VALUES (?)", arguments: [stream])
    try database.execute(
      sql: "CREATE TABLE \(table(stream)) (key INTEGER PRIMARY KEY NOT NULL, bytes BLOB NOT NULL) STRICT")
  }
}
