import GRDB
import Glibc
import Synchronization

/// One SQLite file whose commits are durable when they return.
///
/// The trap (architecture.md, measured): with `Configuration.journalMode = .wal` GRDB 7.10 sets `synchronous=NORMAL`
/// on the writer *after* `prepareDatabase`, and a "durable" commit then returns without any sync. So GRDB is left out
/// of it: both pragmas are set here, read back, and a test counts the syncs that commits make.
///
/// Fail-stop: after a commit that the disk refused nothing is written any more. A sync that failed may have lost pages
/// that the kernel then calls clean, so that the next sync succeeds without them (Rebello et al., "Can Applications
/// Recover from fsync Failures?", USENIX ATC 2020); what was committed is found out by opening the file anew.
struct DurableDatabase: Sendable {
  let path: String
  let queue: DatabaseQueue
  private let failure = Failure()

  /// The error that the first refused commit ended with.
  private final class Failure: Sendable {
    let error = Mutex<StorageError?>(nil)
  }

  /// "AJIT" in ASCII, at offset 68 of the file (SQLite database header): another program's database is left alone.
  static let applicationID: Int32 = 0x414A_4954
  /// Pages in the write-ahead log before a commit moves them to the file: 16 MiB at 4 KiB. A larger log makes the
  /// commit that does it rarer but slower.
  static let checkpointPages = 4096
  /// The log file is cut to this after a checkpoint, bytes.
  static let maximumIdleLogBytes = 32 << 20
  /// Larger files are not read whole at every start, bytes.
  static let maximumCheckedBytes: Int64 = 256 << 20
  /// Free pages that a file keeps for what comes next; the rest is given back to the file system. 4 MiB.
  static let keptFreePages = 1024
  /// Pages given back by one commit at most: a prune of gigabytes delays no commit by much.
  static let maximumPagesGivenBack = 512

  /// Opens or creates the file, brings its tables up to date and checks it.
  init(
    path: String, migrator: DatabaseMigrator, checkpointPages: Int = DurableDatabase.checkpointPages
  ) throws(StorageError) {
    var size = try Self.sizeOfOwnFile(path)
    if size == 0 {
      try Self.create(path)
      size = try Self.sizeOfOwnFile(path)
    }
    try self.init(opening: path, checkpointPages: checkpointPages)
    do {
      try check(size: size, migrator: migrator)
    } catch {
      // The error to report is the first one.
      try? queue.close()
      throw error
    }
  }

  /// - Parameter isNew: nothing is in it yet.
  private init(
    opening path: String, isNew: Bool = false, checkpointPages: Int = DurableDatabase.checkpointPages
  ) throws(StorageError) {
    self.path = path
    var configuration = Configuration()
    configuration.label = "AJIT.storage"
    configuration.prepareDatabase { database in
      if isNew {
        try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
        try database.execute(sql: "PRAGMA application_id = \(Self.applicationID)")
      }
      try database.execute(sql: "PRAGMA journal_mode = WAL")
      try database.execute(sql: "PRAGMA synchronous = FULL")
      try database.execute(sql: "PRAGMA wal_autocheckpoint = \(checkpointPages)")
      try database.execute(sql: "PRAGMA journal_size_limit = \(Self.maximumIdleLogBytes)")
    }
    queue = try translatingErrors(path) { try DatabaseQueue(path: path, configuration: configuration) }
  }

  /// Made beside, synced, renamed: the file is there as ours, or it is not there.
  private static func create(_ path: String) throws(StorageError) {
    let new = "\(path).new"
    for leftover in ["", "-wal", "-shm", "-journal"] { _ = unlink(new + leftover) }
    do throws(StorageError) {
      try DurableDatabase(opening: new, isNew: true).close()
      try synchronize(new)
      guard rename(new, path) == 0 else {
        throw .unwritable(path: path, detail: String(cString: strerror(errno)))
      }
      try synchronize(directory(of: path))
    } catch {
      _ = unlink(new)
      throw error
    }
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func synchronize(_ path: String) throws(StorageError) {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unwritable(path: path, detail: String(cString: strerror(errno))) }
    defer { _ = Glibc.close(descriptor) }
    guard fsync(descriptor) == 0 else { throw .failed(path: path, detail: String(cString: strerror(errno))) }
  }

  private func check(size: Int64, migrator: DatabaseMigrator) throws(StorageError) {
    let journal = try read { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
    let synchronous = try read { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
    guard journal == "wal", synchronous == 2 else {
      throw .failed(path: path, detail: "the file system refuses a durable write-ahead log")
    }
    if try read({ try migrator.hasBeenSuperseded($0) }) {
      throw .newerFormat(path: path, detail: "unknown tables")
    }
    if size > 0 && size <= Self.maximumCheckedBytes {
      let finding = try read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
      guard finding == "ok" else { throw .corrupt(path: path, detail: finding ?? "quick_check gave nothing") }
    }
    try translatingErrors(path) { try migrator.migrate(queue) }
    if size > 0 && size <= Self.maximumCheckedBytes { try makeShrinkable() }
  }

  /// A file of a version before that gave nothing back is rewritten once. (A larger one goes on reusing what it has.)
  private func makeShrinkable() throws(StorageError) {
    let incremental = 2
    guard try read({ try Int.fetchOne($0, sql: "PRAGMA auto_vacuum") }) != incremental else { return }
    try translatingErrors(path) {
      try queue.writeWithoutTransaction { database in
        try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
        try database.execute(sql: "VACUUM")
      }
    }
  }

  /// The file's size, bytes; 0 if it is not there yet. Looks at the header only, because opening a database already
  /// changes it.
  private static func sizeOfOwnFile(_ path: String) throws(StorageError) -> Int64 {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return 0 }
      throw .unwritable(path: path, detail: String(cString: strerror(errno)))
    }
    defer { _ = Glibc.close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_size > 0 else { return 0 }
    var header = [UInt8](repeating: 0, count: 100)
    guard Glibc.read(descriptor, &header, header.count) == header.count,
      header.starts(with: "SQLite format 3\0".utf8)
    else { throw .corrupt(path: path, detail: "it does not begin like a database") }
    let identifier = header[68..<72].reduce(0) { $0 << 8 | Int32($1) }
    guard identifier == applicationID else {
      throw .notADataDirectory(path: path, detail: "a database of another program")
    }
    return Int64(status.st_size)
  }

  func read<Result>(_ body: (Database) throws -> Result) throws(StorageError) -> Result {
    try translatingErrors(path) { try queue.read(body) }
  }

  /// One transaction; durable when this returns.
  func write(_ body: (Database) throws -> Void) throws(StorageError) {
    if let error = failure.error.withLock({ $0 }) { throw error }
    do throws(StorageError) {
      try translatingErrors(path) {
        try queue.inTransaction(.immediate) { database in
          try body(database)
          try Self.giveBackFreePages(of: database)
          return .commit
        }
      }
    } catch {
      if case .unusableRecord = error { throw error }
      failure.error.withLock { $0 = error }
      throw error
    }
  }

  /// What was pruned goes back to the file system, a bounded part with each commit.
  private static func giveBackFreePages(of database: Database) throws {
    let free = try Int.fetchOne(database.cachedStatement(sql: "PRAGMA freelist_count")) ?? 0
    guard free > keptFreePages else { return }
    try database.execute(sql: "PRAGMA incremental_vacuum(\(min(free - keptFreePages, maximumPagesGivenBack)))")
  }

  func close() throws(StorageError) {
    try translatingErrors(path) { try queue.close() }
  }
}

/// A record that cannot be kept: becomes ``StorageError/unusableRecord(path:detail:)`` where the file's path is known.
struct UnusableRecord: Error {
  let detail: String
}

/// Runs database code and says what its errors mean for whoever runs the node.
func translatingErrors<Result>(_ path: String, _ body: () throws -> Result) throws(StorageError) -> Result {
  do {
    return try body()
  } catch let error as StorageError {
    throw error
  } catch let error as UnusableRecord {
    throw .unusableRecord(path: path, detail: error.detail)
  } catch let error as DatabaseError {
    let detail = error.message ?? "SQLite code \(error.extendedResultCode.rawValue)"
    throw switch error.resultCode {
    case .SQLITE_FULL: .diskFull(path: path)
    case .SQLITE_CORRUPT, .SQLITE_NOTADB: .corrupt(path: path, detail: detail)
    case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH: .unwritable(path: path, detail: detail)
    case .SQLITE_BUSY, .SQLITE_LOCKED: .locked(path: path, processID: nil)
    default: .failed(path: path, detail: detail)
    }
  } catch {
    throw .failed(path: path, detail: "\(error)")
  }
}
