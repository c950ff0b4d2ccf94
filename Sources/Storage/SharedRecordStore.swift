import Effects
import Foundation
import GRDB

/// Records of many roles in one SQLite file, each role's streams its own: for the customers of a process, of which
/// there may be thousands with a few records each. A file for each would cost a start thousands of files, and every
/// turn of every role a sync of its own; here the turns of many share one (``commit(_:)``).
public final class SharedRecordStore: Sendable {
  /// What one role wants kept together.
  public struct Turn: Sendable {
    public let owner: String
    public let records: [Effects.Record]

    public init(owner: String, records: [Effects.Record]) {
      self.owner = owner
      self.records = records
    }
  }

  private let database: DurableDatabase

  /// Opens or creates the file. The caller holds the lock of its ``DataDirectory``.
  public init(path: String) throws(StorageError) {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("1: records by owner") { database in
      try database.execute(
        sql: """
          CREATE TABLE record (
            owner TEXT NOT NULL, stream INTEGER NOT NULL, key INTEGER NOT NULL, bytes BLOB NOT NULL,
            PRIMARY KEY (owner, stream, key)) STRICT, WITHOUT ROWID;
          CREATE TABLE retired (
            owner TEXT NOT NULL, stream INTEGER NOT NULL, below INTEGER NOT NULL,
            PRIMARY KEY (owner, stream)) STRICT, WITHOUT ROWID
          """)
    }
    database = try DurableDatabase(path: path, migrator: migrator)
  }

  /// Applies all turns in order, as one transaction: either all of them are durable when this returns, or it throws and
  /// none is.
  public func commit(_ turns: [Turn]) throws(StorageError) {
    try database.write { database in
      for turn in turns {
        for record in turn.records { try Self.apply(record, of: turn.owner, to: database) }
      }
    }
  }

  private static func apply(_ record: Effects.Record, of owner: String, to database: Database) throws {
    switch record {
    case .put(let stream, let key, let bytes):
      try database.cachedStatement(sql: "INSERT OR REPLACE INTO record (owner, stream, key, bytes) VALUES (?, ?, ?, ?)")
        .execute(arguments: [owner, stream, signed(key), Data(bytes)])
    case .prune(let stream, let below):
      try database.cachedStatement(sql: "DELETE FROM record WHERE owner = ? AND stream = ? AND key < ?")
        .execute(arguments: [owner, stream, signed(below)])
    case .retire(let stream, let below):
      try database.cachedStatement(
        sql: """
          INSERT INTO retired (owner, stream, below) VALUES (?, ?, ?)
          ON CONFLICT DO UPDATE SET below = max(below, excluded.below)
          """
      ).execute(arguments: [owner, stream, signed(below)])
    }
  }

  /// Every record of this role but the retired ones, streams ascending and keys ascending within each.
  public func recover(_ owner: String) throws(StorageError) -> [StoredRecord] {
    try database.read { database in
      try Self.records(
        database.cachedStatement(
          sql: """
            SELECT record.stream, key, bytes FROM record
            LEFT JOIN retired ON retired.owner = record.owner AND retired.stream = record.stream
            WHERE record.owner = ? AND (below IS NULL OR key >= below) ORDER BY record.stream, key
            """), [owner])
    }
  }

  /// At most `limit` records of one stream of this role, retired ones too, keys ascending from `key` on.
  public func records(
    _ owner: String, stream: UInt16, from key: UInt64, limit: Int
  ) throws(StorageError) -> [StoredRecord] {
    try database.read { database in
      try Self.records(
        database.cachedStatement(
          sql: """
            SELECT stream, key, bytes FROM record WHERE owner = ? AND stream = ? AND key >= ? ORDER BY key LIMIT ?
            """),
        [owner, stream, Self.signed(key), min(max(0, limit), StreamTables.maximumFetched)])
    }
  }

  public func close() throws(StorageError) { try database.close() }

  private static func records(_ statement: Statement, _ arguments: StatementArguments) throws -> [StoredRecord] {
    let rows = try Row.fetchCursor(statement, arguments: arguments)
    var records: [StoredRecord] = []
    while let row = try rows.next() {
      let bytes = try row.withUnsafeData(atIndex: 2) { data in data.map { [UInt8]($0) } ?? [] }
      records.append(StoredRecord(stream: row[0], key: unsigned(row[1]), bytes: bytes))
    }
    return records
  }

  // As ``StreamTables`` keeps keys: SQLite's integers in the keys' order.
  private static func signed(_ key: UInt64) -> Int64 { Int64(bitPattern: key ^ (1 << 63)) }
  private static func unsigned(_ integer: Int64) -> UInt64 { UInt64(bitPattern: integer) ^ (1 << 63) }
}
