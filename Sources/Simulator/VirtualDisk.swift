import Effects
import Signing

/// The durable records of one actor. Survives its crashes. A put is durable when it returns; what was not put before
/// the crash was never there. Unless the disk is made to lie: then what was put is here until power fails.
public struct VirtualDisk: Sendable {
  private struct Entry {
    let key: UInt64
    var bytes: [UInt8]
  }

  /// Per stream, ascending by key.
  private var streams: [UInt16: [Entry]] = [:]
  /// Per stream, the first key that recovery is handed.
  private var retired: [UInt16: UInt64] = [:]
  /// What is really there, while the disk says that it has synced and has not.
  private var platter: Platter?
  /// What it has said so about.
  private var unsynced: [Commit] = []
  /// A record of which a bit has turned, and what it was.
  private var damage: Damage?

  mutating func apply(_ record: Record) {
    if platter != nil { unsynced[unsynced.count - 1].records.append(record) }
    switch record {
    case .put(let stream, let key, let bytes):
      let index = position(of: key, in: stream)
      if index < count(of: stream), streams[stream]?[index].key == key {
        streams[stream]?[index].bytes = bytes
      } else {
        streams[stream, default: []].insert(Entry(key: key, bytes: bytes), at: index)
      }
    case .prune(let stream, let key):
      let index = position(of: key, in: stream)
      streams[stream]?.removeFirst(index)
    case .retire(let stream, let key):
      retired[stream] = max(retired[stream] ?? 0, key)
    }
  }

  /// What a recovering core is handed: streams ascending, keys ascending within each.
  public var records: [StoredRecord] {
    streams.keys.sorted().flatMap { stream in records(of: stream, from: retired[stream] ?? 0) }
  }

  public func records(of stream: UInt16, from key: UInt64 = 0, limit: Int = .max) -> [StoredRecord] {
    guard let entries = streams[stream] else { return [] }
    return entries[position(of: key, in: stream)...].prefix(max(0, limit)).map {
      StoredRecord(stream: stream, key: $0.key, bytes: $0.bytes)
    }
  }

  public func record(of stream: UInt16, key: UInt64) -> [UInt8]? {
    records(of: stream, from: key, limit: 1).first.flatMap { $0.key == key ? $0.bytes : nil }
  }

  // MARK: What goes wrong with it

  /// From now on nothing is synced that it says is.
  mutating func loseSyncs() {
    guard platter == nil else { return }
    platter = .contents(self)
    unsynced = [Commit()]
  }

  /// The records until here were one commit.
  mutating func concludeCommit() {
    guard platter != nil, unsynced.last?.records.isEmpty == false else { return }
    unsynced.append(Commit())
  }

  /// Of what was not synced, so many bytes are there as chance will have it, and a commit that is there in part is not
  /// there at all. The disk is honest again.
  /// - Returns: whether anything is gone.
  mutating func losePower(_ random: inout VirtualRandom) -> Bool {
    guard case .contents(var disk)? = platter else { return false }
    let commits = unsynced.filter { !$0.records.isEmpty }
    var left = random.below(UInt64(commits.reduce(0) { $0 + $1.frame.count }) + 1)
    for (index, commit) in commits.enumerated() {
      let frame = commit.frame
      guard Commit.isWhole(frame.prefix(Int(clamping: left))) else {
        self = disk
        return index < commits.count
      }
      left -= UInt64(frame.count)
      for record in commit.records { disk.apply(record) }
    }
    self = disk
    return false
  }

  /// Turns one bit of one record, if there is any.
  /// - Returns: whether there was.
  mutating func turnBit(_ random: inout VirtualRandom) -> Bool {
    let records = streams.keys.sorted().flatMap { self.records(of: $0) }.filter { !$0.bytes.isEmpty }
    guard !records.isEmpty else { return false }
    let record = records[Int(random.below(UInt64(records.count)))]
    var bytes = record.bytes
    bytes[Int(random.below(UInt64(bytes.count)))] ^= 1 << UInt8(random.below(8))
    damage = Damage(stream: record.stream, key: record.key, digest: Digest(hashing: record.bytes))
    apply(.put(stream: record.stream, key: record.key, bytes: bytes))
    return true
  }

  /// What reading finds: a record that is not what was written.
  var damagedRecord: (stream: UInt16, key: UInt64)? {
    guard let damage, let bytes = record(of: damage.stream, key: damage.key), Digest(hashing: bytes) != damage.digest
    else { return nil }
    return (damage.stream, damage.key)
  }

  private indirect enum Platter: Sendable {
    case contents(VirtualDisk)
  }

  private struct Damage: Sendable {
    let stream: UInt16
    let key: UInt64
    let digest: Digest
  }

  private func count(of stream: UInt16) -> Int { streams[stream]?.count ?? 0 }

  /// Of the first entry with this key or a greater one.
  private func position(of key: UInt64, in stream: UInt16) -> Int {
    guard let entries = streams[stream] else { return 0 }
    // Most keys grow.
    if let last = entries.last, last.key < key { return entries.count }
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].key < key { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
