import Effects
import Glibc
import Signing
import Wire

/// Why the enclaves' state cannot be used. They do not start; the text says what a person must do.
public struct SealedStoreError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

/// The durable records of all enclaves of one process in one sealed file: its host carries the bytes and can neither
/// read them nor change them unseen.
///
/// One file, because a sync is what durability costs: enclaves close their epochs at the same moments, and what
/// hundreds of them commit while one sync is under way goes out with the next, together. Each enclave sees its own
/// records alone (``SealedSection``).
///
/// The file is a sequence of entries, each a head that says its number and length and the entry itself, both sealed
/// with the platform's key for this code. Entries are numbered, so that none can be taken out or moved; an enclave's
/// turn is within one entry, so that a torn write loses whole turns, of which nothing had been said yet. Only an entry
/// that is not all there, and the last, counts as torn; anything else that does not fit stops the process. The first
/// entries hold the seeds of the receipt keys, and every launch writes its boot count before an enclave speaks: the
/// launcher, which remembers the last launch that spoke, thereby notices a file that was put back to an earlier one. A
/// host that puts back the file of the *same* launch is not noticed (`level: software` protects from nothing the
/// host's root does).
public actor SealedStore {
  private let executor: BlockingExecutor
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let key: SealingKey
  private let path: String
  private let bootCount: UInt64
  private var file: SealedFile
  private var nextEntry: UInt64
  private var live: LiveState
  /// The receipt keys' seeds, for as long as they were not taken, by enclave.
  private var seeds: [String: [UInt8]]
  /// Turns that wait for a sync, oldest first.
  private var waiting: [(turn: EnclaveRecords, continuation: CheckedContinuation<Void, any Error>)] = []
  /// Entries written and synced in this life.
  private(set) var syncs: UInt64 = 0
  /// A write that failed may have left half an entry: nothing can follow it.
  private var failure: SealedStoreError?

  static let fileName = "state.sealed"
  /// A file at least this large, and four times what is live in it, is written anew. Bytes.
  static let compactionBytes = 4 << 20
  /// Turns that one sync makes durable.
  static let maximumTurnsPerSync = 4096
  /// Their records, bytes: one turn is always taken.
  static let maximumBytesPerSync = 8 << 20

  /// Opens the state of a process's enclaves, or begins it.
  /// - Parameters:
  ///   - enclaves: their names. One that has no state here gets a fresh identity; the state of one that is not named
  ///     stays.
  ///   - bootCount: of this launch; greater than any before.
  ///   - reportedBootCount: of the last launch that is known to have been written here; 0 for none.
  public init(
    directory: String, key: SealingKey, enclaves: [String], bootCount: UInt64, reportedBootCount: UInt64
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
    var seeds = content.seeds
    for enclave in enclaves where seeds[enclave] == nil { seeds[enclave] = randomBytes(32) }
    self.seeds = seeds
    live = content.live
    // Written anew at every launch: drops a torn end and what is no longer live.
    var entries = SealedEntries(next: content.nextEntry)
    file = try SealedFile.replace(path, with: key) { (file) throws(SealedStoreError) in
      try entries.write(seeds, content.live, bootCount, to: &file, with: key)
    }
    nextEntry = entries.next
  }

  /// The state of one enclave.
  public nonisolated func section(_ enclave: String) -> SealedSection { SealedSection(store: self, enclave: enclave) }

  fileprivate func takeSeed(_ enclave: String) -> [UInt8]? {
    guard var seed = seeds.removeValue(forKey: enclave) else { return nil }
    defer { wipe(&seed) }
    return Array(seed[...])
  }

  fileprivate func records(of enclave: String) -> LiveRecords { live[enclave] }

  // MARK: Commits

  fileprivate func commit(_ turn: EnclaveRecords) async throws {
    try await withCheckedThrowingContinuation { continuation in
      waiting.append((turn, continuation))
      // Runs after the commits that are already on their way to this actor, and takes them along.
      if waiting.count == 1 { Task { self.synchronize() } }
    }
  }

  /// Makes what waits durable, as much as one entry takes.
  private func synchronize() {
    var size = 0
    let count = waiting.prefix(Self.maximumTurnsPerSync).prefix { waiting in
      defer { size += waiting.turn.size }
      return size == 0 || size + waiting.turn.size <= Self.maximumBytesPerSync
    }.count
    let together = Array(waiting.prefix(count))
    waiting.removeFirst(count)
    let result = Result { () throws(SealedStoreError) in try write(together.map(\.turn)) }
    for (_, continuation) in together { continuation.resume(with: result) }
    if !waiting.isEmpty { Task { self.synchronize() } }
  }

  private func write(_ turns: [EnclaveRecords]) throws(SealedStoreError) {
    if let failure { throw failure }
    do throws(SealedStoreError) {
      try file.append(SealedEntry(number: nextEntry, content: .records(turns)), with: key)
      try file.synchronize()
      nextEntry += 1
      syncs += 1
      for turn in turns { live.apply(turn) }
      if file.bytes > Self.compactionBytes, file.bytes > 4 * live.bytes { try compact() }
    } catch {
      failure = error
      throw error
    }
  }

  private func compact() throws(SealedStoreError) {
    let (live, bootCount) = (live, bootCount)
    var seeds = try SealedFile.read(path, with: key).seeds
    defer {
      for enclave in seeds.keys.sorted() {
        if var seed = seeds.removeValue(forKey: enclave) { wipe(&seed) }
      }
    }
    var entries = SealedEntries(next: nextEntry)
    file = try SealedFile.replace(path, with: key) { [seeds] (file) throws(SealedStoreError) in
      try entries.write(seeds, live, bootCount, to: &file, with: key)
    }
    nextEntry = entries.next
  }
}

/// One enclave's part of a sealed file, as its host uses it.
public struct SealedSection: HostStore {
  fileprivate let store: SealedStore
  fileprivate let enclave: String

  /// The seed of the receipt key, made inside at the enclave's first launch. Can be taken once in a life; wipe it.
  public func takeSeed() async -> [UInt8]? { await store.takeSeed(enclave) }

  /// Everything that is live, streams and keys ascending: what the core is rebuilt from.
  public func recover() async -> [StoredRecord] { await store.records(of: enclave).all }

  public func commit(_ records: [Record]) async throws { try await store.commit(EnclaveRecords(enclave, records)) }

  public func records(stream: UInt16, from: UInt64, limit: Int) async -> [StoredRecord] {
    await store.records(of: enclave).records(stream: stream, from: from, limit: limit)
  }
}

/// What a file written anew begins with, numbered on from the one before.
private struct SealedEntries {
  var next: UInt64

  /// What is live may be more than one entry holds, so it is spread over entries of about so many bytes.
  static let liveBytes = 1 << 20

  mutating func write(
    _ seeds: [String: [UInt8]], _ live: LiveState, _ bootCount: UInt64, to file: inout SealedFile, with key: SealingKey
  ) throws(SealedStoreError) {
    for enclave in seeds.keys.sorted() {
      try append(.identity(enclave: enclave, seed: seeds[enclave] ?? []), to: &file, with: key)
    }
    for enclave in live.enclaves {
      var records: [Record] = []
      var bytes = 0
      for stored in live[enclave].all {
        records.append(.put(stream: stored.stream, key: stored.key, bytes: stored.bytes))
        bytes += stored.bytes.count + StoredRecord.headBytes
        guard bytes >= Self.liveBytes else { continue }
        try append(.records([EnclaveRecords(enclave, records)]), to: &file, with: key)
        (records, bytes) = ([], 0)
      }
      if !records.isEmpty { try append(.records([EnclaveRecords(enclave, records)]), to: &file, with: key) }
    }
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
  static var headBytes: Int { 24 }
}

/// The live records of every enclave.
struct LiveState: Sendable {
  private var records: [String: LiveRecords] = [:]

  /// Sorted.
  var enclaves: [String] { records.keys.sorted() }
  private(set) var bytes = 0

  subscript(enclave: String) -> LiveRecords { records[enclave] ?? LiveRecords() }

  mutating func apply(_ turn: EnclaveRecords) {
    for record in turn.records {
      let before = records[turn.enclave]?.bytes ?? 0
      records[turn.enclave, default: LiveRecords()].apply(record)
      bytes += (records[turn.enclave]?.bytes ?? 0) - before
    }
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
    case .retire: break  // all that is live is read at a launch anyway
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
