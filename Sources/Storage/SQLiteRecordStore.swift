import Effects
import GRDB

/// Records in one SQLite file: journal, blocks, snapshots, receipts, evidence. One transaction and one sync per
/// ``commit(_:)``, so a core's whole turn costs one.
public final class SQLiteRecordStore: RecordStore {
  private let database: DurableDatabase

  /// Opens or creates the file. The caller holds the lock of its ``DataDirectory``.
  public convenience init(path: String) throws(StorageError) {
    try self.init(path: path, checkpointPages: DurableDatabase.checkpointPages)
  }

  init(path: String, checkpointPages: Int) throws(StorageError) {
    var migrator = DatabaseMigrator()
    StreamTables.register(in: &migrator)
    database = try DurableDatabase(path: path, migrator: migrator, checkpointPages: checkpointPages)
  }

  public func commit(_ records: [Effects.Record]) throws(StorageError) {
    guard !records.isEmpty else { return }
    try database.write { database in
      for record in records { try StreamTables.apply(record, to: database) }
    }
  }

  public func recover(streams: ClosedRange<UInt16>) throws(StorageError) -> [StoredRecord] {
    try database.read { database in
      try StreamTables.streams(in: database).filter(streams.contains).flatMap { stream in
        try StreamTables.recovered(stream, in: database)
      }
    }
  }

  public func records(stream: UInt16, from key: UInt64, limit: Int) throws(StorageError) -> [StoredRecord] {
    try database.read { database in
      try StreamTables.records(stream, from: key, limit: min(max(0, limit), StreamTables.maximumFetched), in: database)
    }
  }

  public func lastKey(stream: UInt16) throws(StorageError) -> UInt64? {
    try database.read { try StreamTables.lastKey(stream, in: $0) }
  }

  public func close() throws(StorageError) { try database.close() }
}
