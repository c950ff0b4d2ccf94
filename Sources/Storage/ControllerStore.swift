import Effects
import GRDB
import Messages
import Signing
import Slicing

/// The JIT controller's database: its substrate, its slices and their reservations as rows, and any other record
/// stream of its core in the same file and the same transactions.
///
/// A ``SliceRecord`` put becomes one `slice` row and one `reservation` row per resource, in one transaction, so a
/// crash leaves a slice whole or absent. A release keeps the `slice` row, as the answer to "which plan was that
/// hash?", and deletes what it reserved; the oldest released rows beyond ``maximumReleasedSlices`` are forgotten.
/// Pruning the slice stream forgets released slices only: a live slice ends by a put that releases it.
public final class ControllerStore: RecordStore {
  private let database: DurableDatabase
  private let slices: SliceRows

  /// Released slices that are remembered, give or take ``SliceRows/forgettingInterval``.
  public static let maximumReleasedSlices = 10_000

  /// Opens or creates the file and writes the substrate's resources into it.
  ///
  /// - Throws: ``StorageError/substrateChanged(path:liveSlices:)`` if slices live on another substrate.
  public convenience init(path: String, substrate: Substrate) throws(StorageError) {
    try self.init(path: path, substrate: substrate, maximumReleasedSlices: Self.maximumReleasedSlices)
  }

  init(path: String, substrate: Substrate, maximumReleasedSlices: Int) throws(StorageError) {
    var migrator = DatabaseMigrator()
    StreamTables.register(in: &migrator)
    ControllerSchema.register(in: &migrator)
    let database = try DurableDatabase(path: path, migrator: migrator)
    self.database = database
    slices = SliceRows(path: path, substrate: substrate, maximumReleased: maximumReleasedSlices)
    do {
      try ResourceRows.synchronize(database, with: substrate)
    } catch {
      // The error to report is the first one.
      try? database.close()
      throw error
    }
  }

  public func commit(_ records: [Effects.Record]) throws(StorageError) {
    guard !records.isEmpty else { return }
    try database.write { [slices] database in
      for record in records {
        switch record {
        case .put(SliceRecord.stream, let key, let bytes): try slices.put(key: key, bytes: bytes, in: database)
        case .prune(SliceRecord.stream, let below): try slices.prune(below: below, in: database)
        default: try StreamTables.apply(record, to: database)
        }
      }
    }
  }

  public func recover(streams: ClosedRange<UInt16>) throws(StorageError) -> [StoredRecord] {
    try database.read { [slices] database in
      var numbers = try StreamTables.streams(in: database)
      numbers.append(SliceRecord.stream)
      return try numbers.sorted().filter(streams.contains).flatMap { stream in
        stream == SliceRecord.stream
          ? try slices.records(in: database) : try StreamTables.recovered(stream, in: database)
      }
    }
  }

  public func records(stream: UInt16, from key: UInt64, limit: Int) throws(StorageError) -> [StoredRecord] {
    let limit = min(max(0, limit), StreamTables.maximumFetched)
    return try database.read { [slices] database in
      guard stream == SliceRecord.stream else {
        return try StreamTables.records(stream, from: key, limit: limit, in: database)
      }
      return Array(try slices.records(in: database).drop { $0.key < key }.prefix(limit))
    }
  }

  public func lastKey(stream: UInt16) throws(StorageError) -> UInt64? {
    try database.read { [slices] database in
      stream == SliceRecord.stream
        ? try slices.records(in: database).last?.key : try StreamTables.lastKey(stream, in: database)
    }
  }

  /// The plan behind a hash on the ledger, live or released: what a regulator may ask to see (adversaries.md, O11).
  public func slice(planHash: Digest) throws(StorageError) -> SliceRecord? {
    try database.read { [slices] in try slices.record(planHash: planHash, in: $0) }
  }

  public func close() throws(StorageError) { try database.close() }
}
