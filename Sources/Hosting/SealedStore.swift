import Effects
import Glibc
import Signing
import Wire

/// Why an enclave's state cannot be used. The enclave does not start; the text says what a person must do.
public struct SealedStoreError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

/// An enclave's durable records in one sealed file, appended and synced turn by turn: its host carries the bytes and
/// can neither read them nor change them unseen.
///
/// The file is a sequence of entries, each a head that says its number and length and the entry itself, both sealed
/// with the platform's key for this code. Entries are numbered, so that none can be taken out or moved; a turn is one
/// entry, so that a torn write loses a whole turn, of which nothing had been said yet. Only an entry that is not all
/// there, and the last, counts as torn; anything else that does not fit stops the enclave. The first entry holds the
/// seed of the receipt key, and every launch writes its boot count before the enclave speaks: the launcher, which
/// remembers the last launch that spoke, thereby notices a file that was put back to an earlier one. A host that puts
/// back the file of the *same* launch is not noticed (`level: software` protects from nothing the host's root does).
public actor SealedStore: HostStore {
  private let executor: BlockingExecutor
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let key: SealingKey
  private let path: String
  private let bootCount: UInt64
  private var file: SealedFile
  private var nextEntry: UInt64
  private var live = LiveRecords()
  /// The receipt key's seed, for as long as it was not taken.
  private var seed: [UInt8]

  static let fileName = "state.sealed"
  /// A file at least this large, and four times what is live in it, is written anew. Bytes.
  static let compactionBytes = 4 << 20

  /// Opens the state of an enclave, or begins it.
  /// - Parameters:
  ///   - bootCount: of this launch; greater than any before.
  ///   - reportedBootCount: of the last launch that is known to have been written here; 0 for none.
  public init(
    directory: String, key: SealingKey, bootCount: UInt64, reportedBootCount: UInt64
  ) throws(SealedStoreError) {
    executor = BlockingExecutor(label: "ajit.sealed-store")
    self.key = key
    self.bootCount = bootCount
    path = "\(directory)/\(Self.fileName)"
    let content = try SealedFile.read(path, with: key)
    let written = content.bootCount ?? 0
    guard written >= reportedBootCount else {
      throw SealedStoreError(
        description: "\(path) is the state of launch \(written), but launch \(reportedBootCount) had written "
          + "here: it was put back to an older copy; receipts signed since would be contradicted, so start fresh")
    }
    let seed = content.seed ?? randomBytes(32)
    self.seed = seed
    live = content.live
    nextEntry = content.nextEntry
    // Written anew at every launch: drops a torn end and what is no longer live.
    var entries = SealedEntries(next: content.nextEntry)
    file = try SealedFile.replace(path, with: key) { (file) throws(SealedStoreError) in
      try entries.write(seed, content.live, bootCount, to: &file, with: key)
    }
    nextEntry = entries.next
  }

  /// The seed of the receipt key, made inside at the first launch. Can be taken once; wipe it.
  public func takeSeed() -> [UInt8] {
    defer { wipe(&seed) }
    return Array(seed[...])
  }

  /// Everything that is live, streams and keys ascending: what the core is rebuilt from.
  public func recover() -> [StoredRecord] { live.all }

  public func commit(_ records: [Record]) throws {
    try file.append(SealedEntry(number: nextEntry, content: .records(records)), with: key)
    try file.synchronize()
    nextEntry += 1
    for record in records { live.apply(record) }
    if file.bytes > Self.compactionBytes, file.bytes > 4 * live.bytes { try compact() }
  }

  public func records(stream: UInt16, from: UInt64, limit: Int) -> [StoredRecord] {
    live.records(stream: stream, from: from, limit: limit)
  }

  private func compact() throws(SealedStoreError) {
    let (live, bootCount) = (live, bootCount)
    guard var identity = try SealedFile.read(path, with: key).seed else {
      throw SealedStoreError(description: "\(path) has lost its first entry: it was changed; start fresh")
    }
    defer { wipe(&identity) }
    var entries = SealedEntries(next: nextEntry)
    file = try SealedFile.replace(path, with: key) { (file) throws(SealedStoreError) in
      try entries.write(identity, live, bootCount, to: &file, with: key)
    }
    nextEntry = entries.next
  }
}

/// What a file written anew begins with, numbered on from the one before.
private struct SealedEntries {
  var next: UInt64

  /// What is live may be more than one entry holds, so it is spread over entries of about so many bytes.
  static let liveBytes = 1 << 20

  mutating func write(
    _ seed: [UInt8], _ live: LiveRecords, _ bootCount: UInt64, to file: inout SealedFile, with key: SealingKey
  ) throws(SealedStoreError) {
    try append(.identity(seed), to: &file, with: key)
    var records: [Record] = []
    var bytes = 0
    for stored in live.all {
      records.append(.put(stream: stored.stream, key: stored.key, bytes: stored.bytes))
      bytes += stored.bytes.count + StoredRecord.headBytes
      guard bytes >= Self.liveBytes else { continue }
      try append(.records(records), to: &file, with: key)
      (records, bytes) = ([], 0)
    }
    if !records.isEmpty { try append(.records(records), to: &file, with: key) }
    try append(.launched(bootCount), to: &file, with: key)
  }

  private mutating func append(
    _ content: SealedEntry.Content, to file: inout SealedFile, with key: SealingKey
  ) throws(SealedStoreError) {
    try file.append(SealedEntry(number: next, content: content), with: key)
    next += 1
  }
}

extension StoredRecord {
  /// Stream, key and length in an entry take no more than this.
  fileprivate static var headBytes: Int { 24 }
}

/// The records that are put and not pruned.
struct LiveRecords: Sendable {
  private var streams: [UInt16: [UInt64: [UInt8]]] = [:]
  private(set) var bytes = 0

  mutating func apply(_ record: Record) {
    switch record {
    case .put(let stream, let key, let value):
      bytes += value.count - (streams[stream, default: [:]].updateValue(value, forKey: key)?.count ?? 0)
    case .prune(let stream, let below):
      for key in (streams[stream] ?? [:]).keys.filter({ $0 < below }) {
        bytes -= streams[stream]?.removeValue(forKey: key)?.count ?? 0
      }
    }
  }

  var all: [StoredRecord] {
    streams.keys.sorted().flatMap { records(stream: $0, from: 0, limit: .max) }
  }

  func records(stream: UInt16, from: UInt64, limit: Int) -> [StoredRecord] {
    let records = streams[stream] ?? [:]
    return records.keys.filter { $0 >= from }.sorted().prefix(max(0, limit)).map {
      StoredRecord(stream: stream, key: $0, bytes: records[$0] ?? [])
    }
  }
}
