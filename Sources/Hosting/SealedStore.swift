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
/// The file is a sequence of entries: four bytes of length, then a box sealed with the platform's key for this code.
/// Entries are numbered, so that none can be taken out or moved; a turn is one entry, so that a torn write loses a
/// whole turn, of which nothing had been said yet. The first entry holds the seed of the receipt key, and every launch
/// writes its boot count before the enclave speaks: the launcher, which remembers the last launch that spoke, thereby
/// notices a file that was put back to an earlier one. A host that puts back the file of the *same* launch is not
/// noticed (`level: software` protects from nothing the host's root does).
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
    guard content.bootCount >= reportedBootCount else {
      throw SealedStoreError(
        description: "\(path) is the state of launch \(content.bootCount), but launch \(reportedBootCount) had written "
          + "here: it was put back to an older copy; receipts signed since would be contradicted, so start fresh")
    }
    let seed = content.seed ?? randomBytes(32)
    self.seed = seed
    live = content.live
    nextEntry = content.nextEntry
    // Written anew at every launch: drops a torn end and what is no longer live.
    file = try SealedFile.replace(path, with: key) { (file) throws(SealedStoreError) in
      try file.append(SealedEntry(number: content.nextEntry, content: .identity(seed)), with: key)
      try file.append(SealedEntry(number: content.nextEntry + 1, content: .records(content.live.puts)), with: key)
      try file.append(SealedEntry(number: content.nextEntry + 2, content: .launched(bootCount)), with: key)
    }
    nextEntry = content.nextEntry + 3
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
    let (first, live, bootCount) = (nextEntry, live, bootCount)
    guard var identity = try SealedFile.read(path, with: key).seed else {
      throw SealedStoreError(description: "\(path) has lost its first entry: it was changed; start fresh")
    }
    defer { wipe(&identity) }
    file = try SealedFile.replace(path, with: key) { (file) throws(SealedStoreError) in
      try file.append(SealedEntry(number: first, content: .identity(identity)), with: key)
      try file.append(SealedEntry(number: first + 1, content: .records(live.puts)), with: key)
      try file.append(SealedEntry(number: first + 2, content: .launched(bootCount)), with: key)
    }
    nextEntry = first + 3
  }
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

  var puts: [Record] { all.map { .put(stream: $0.stream, key: $0.key, bytes: $0.bytes) } }

  func records(stream: UInt16, from: UInt64, limit: Int) -> [StoredRecord] {
    let records = streams[stream] ?? [:]
    return records.keys.filter { $0 >= from }.sorted().prefix(max(0, limit)).map {
      StoredRecord(stream: stream, key: $0, bytes: records[$0] ?? [])
    }
  }
}
