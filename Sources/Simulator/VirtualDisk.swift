import Effects

/// The durable records of one actor. Survives its crashes. A put is durable when it returns; what was not put before
/// the crash was never there.
public struct VirtualDisk: Sendable {
  private struct Entry {
    let key: UInt64
    var bytes: [UInt8]
  }

  /// Per stream, ascending by key.
  private var streams: [UInt16: [Entry]] = [:]
  /// Per stream, the first key that recovery is handed.
  private var retired: [UInt16: UInt64] = [:]

  mutating func apply(_ record: Record) {
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
