import Effects
import GRDB
import Glibc

/// Somebody else's records, read and never written: for auditors and the command line, while the owner runs or is
/// stopped. SQLite's write-ahead log gives every read one consistent state; beside the file SQLite may leave its own
/// `-wal` and `-shm`, empty, which the owner's next start takes up.
public final class SQLiteRecordReader: Sendable {
  private let database: DatabaseQueue
  public let path: String

  /// How long a read waits for an owner that is just opening or closing the file, seconds.
  private static let patienceSeconds = 2.0

  /// Opens a file that a ``SQLiteRecordStore`` made.
  /// - Throws: ``StorageError/missing(path:)`` and whatever the file turns out to be instead.
  public init(path: String) throws(StorageError) {
    self.path = path
    guard access(path, F_OK) == 0 else { throw .missing(path: path) }
    var configuration = Configuration()
    configuration.readonly = true
    configuration.label = "AJIT.storage.reader"
    configuration.busyMode = .timeout(Self.patienceSeconds)
    var migrator = DatabaseMigrator()
    StreamTables.register(in: &migrator)
    let database = try translatingErrors(path) { try DatabaseQueue(path: path, configuration: configuration) }
    self.database = database
    let (identifier, isNewer) = try translatingErrors(path) {
      try database.read { database in
        (try Int32.fetchOne(database, sql: "PRAGMA application_id"), try migrator.hasBeenSuperseded(database))
      }
    }
    guard identifier == DurableDatabase.applicationID else {
      throw .notADataDirectory(path: path, detail: "a database of another program")
    }
    if isNewer { throw .newerFormat(path: path, detail: "unknown tables") }
  }

  /// At most `limit` records of one stream, keys ascending from `key` on.
  public func records(stream: UInt16, from key: UInt64, limit: Int) throws(StorageError) -> [StoredRecord] {
    try translatingErrors(path) {
      try database.read { database in
        try StreamTables.records(
          stream, from: key, limit: min(max(0, limit), StreamTables.maximumFetched), in: database)
      }
    }
  }

  public func lastKey(stream: UInt16) throws(StorageError) -> UInt64? {
    try translatingErrors(path) { try database.read { try StreamTables.lastKey(stream, in: $0) } }
  }
}
