import Effects
import Foundation
import Testing

@testable import Storage

/// What one store must hold: the records of every commit that returned.
struct StoreModel: Equatable {
  private(set) var streams: [UInt16: [UInt64: [UInt8]]] = [:]
  private var retired: [UInt16: UInt64] = [:]

  mutating func apply(_ records: [Record]) {
    for record in records {
      switch record {
      case .put(let stream, let key, let bytes): streams[stream, default: [:]][key] = bytes
      case .prune(let stream, let below): streams[stream] = streams[stream]?.filter { $0.key >= below }
      case .retire(let stream, let below): retired[stream] = max(retired[stream] ?? 0, below)
      }
    }
  }

  func applying(_ records: [Record]) -> StoreModel {
    var model = self
    model.apply(records)
    return model
  }

  /// As recovery hands it over.
  var recovered: [StoredRecord] {
    streams.keys.sorted().flatMap { stream in
      (streams[stream] ?? [:]).sorted { $0.key < $1.key }.filter { $0.key >= retired[stream] ?? 0 }
        .map { StoredRecord(stream: stream, key: $0.key, bytes: $0.value) }
    }
  }
}

/// Commits as a validator makes them: a journal that is pruned all the time, blocks that pile up and go together.
struct RandomCommits {
  var random: SplitMix
  private var next: UInt64 = 0

  init(seed: UInt64) { random = SplitMix(seed: seed) }

  mutating func draw() -> [Record] {
    next += 1
    var records: [Record] = [
      .put(stream: 1, key: next << 3, bytes: bytes(upTo: 400)), .put(stream: 1, key: next << 3 + 1, bytes: [1, 2, 3]),
      .prune(stream: 1, below: (next - min(next, 5)) << 3),
    ]
    if random.below(2) == 0 { records.append(.put(stream: 2, key: next, bytes: bytes(upTo: 20_000))) }
    if random.below(20) == 0 { records.append(.prune(stream: 2, below: next - min(next, 3))) }
    if random.below(20) == 0 { records.append(.retire(stream: 2, below: next)) }
    if random.below(60) == 0 {
      // A snapshot: more than the write-ahead log takes before it moves to the file.
      records += (0..<40).map { .put(stream: 3, key: $0, bytes: bytes(exactly: 100_000)) }
    }
    if random.below(30) == 0 { records.append(.prune(stream: 3, below: .max)) }
    return records
  }

  private mutating func bytes(upTo count: UInt64) -> [UInt8] { bytes(exactly: Int(random.below(count))) }
  private mutating func bytes(exactly count: Int) -> [UInt8] {
    [UInt8](repeating: UInt8(truncatingIfNeeded: random.next()), count: count)
  }
}

/// Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var bits = state
    bits = (bits ^ bits >> 30) &* 0xBF58_476D_1CE4_E5B9
    bits = (bits ^ bits >> 27) &* 0x94D0_49BB_1331_11EB
    return bits ^ bits >> 31
  }

  mutating func below(_ bound: UInt64) -> UInt64 { next() % bound }
}

/// The power goes at any write or sync, also while a store is being opened, and again while it recovers: everything
/// acknowledged is there, and of what was under way all or nothing.
@Suite struct PowerCutTests {
  static let cutsPerSeed = 25
  static let commitsPerRound = 60
  /// The write-ahead log moves to the file all the time, so that it is also cut in the middle of that.
  static let checkpointPages = 64

  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func whatWasAcknowledgedIsThere(seed: UInt64) throws {
    let disk = try FaultyDisk()
    let path = disk.file("alpha.sqlite")
    var commits = RandomCommits(seed: seed)
    var model = StoreModel()
    for round in 0..<Self.cutsPerSeed {
      disk.cut(after: 1 + commits.random.below(round.isMultiple(of: 5) ? 12 : 400))
      var underWay: [Record] = []
      var store: SQLiteRecordStore?
      do throws(StorageError) {
        store = try SQLiteRecordStore(path: path, checkpointPages: Self.checkpointPages)
        while true {
          underWay = commits.draw()
          try store?.commit(underWay)
          model.apply(underWay)
          underWay = []
        }
      } catch {
        #expect(disk.isCut, "round \(round): \(error)")
      }
      try? store?.close()
      store = nil
      try disk.restore(seed: seed &* 1_000 &+ UInt64(round))
      let found = try Self.recovered(path)
      let whole = model.applying(underWay)
      if found == whole.recovered { model = whole }
      #expect((found == model.recovered) as Bool, "seed \(seed), round \(round)")
    }
  }

  private static func recovered(_ path: String) throws -> [StoredRecord] {
    let store = try SQLiteRecordStore(path: path, checkpointPages: checkpointPages)
    defer { try? store.close() }
    return try store.recover()
  }

  /// A write or a sync that fails ends the store's life; what it had acknowledged outlives it.
  @Test(arguments: 1...8 as ClosedRange<UInt64>)
  func anErrorOfTheDiskIsTheLastOfALife(seed: UInt64) throws {
    let disk = try FaultyDisk()
    let path = disk.file("alpha.sqlite")
    var commits = RandomCommits(seed: seed)
    var model = StoreModel()
    var refusals = 0
    for round in 0..<Self.cutsPerSeed {
      let store = try SQLiteRecordStore(path: path, checkpointPages: Self.checkpointPages)
      switch commits.random.below(3) {
      case 0: disk.failSync(after: 1 + commits.random.below(20))
      case 1: disk.failWrite(after: 1 + commits.random.below(60), isFull: true)
      default: disk.failWrite(after: 1 + commits.random.below(60), isFull: false)
      }
      var underWay: [Record] = []
      var refusal: StorageError?
      // One that strikes while the log moves to the file is nobody's loss, and not reported: the log keeps everything.
      for _ in 0..<Self.commitsPerRound where refusal == nil {
        underWay = commits.draw()
        do throws(StorageError) {
          try store.commit(underWay)
          model.apply(underWay)
        } catch {
          refusal = error
        }
      }
      if refusal != nil {
        let again = #expect(throws: StorageError.self) { try store.commit([.put(stream: 9, key: 9, bytes: [])]) }
        #expect(again == refusal)
        refusals += 1
      }
      // The process stops; sometimes the machine does, too.
      if commits.random.below(2) == 0 { disk.cut() }
      try? store.close()
      disk.heal()
      if disk.isCut { try disk.restore(seed: seed &* 1_000 &+ UInt64(round)) }
      let found = try Self.recovered(path)
      let whole = model.applying(underWay)
      if found == whole.recovered { model = whole }
      #expect((found == model.recovered) as Bool, "seed \(seed), round \(round)")
    }
    #expect(refusals > 0)
  }

  /// The instrument itself: a disk that does not sync loses what was acknowledged, and this is how it shows.
  @Test func aDiskThatLiesIsFoundOut() throws {
    var losses = 0
    for seed in 1...8 as ClosedRange<UInt64> {
      let disk = try FaultyDisk()
      let path = disk.file("alpha.sqlite")
      let store = try SQLiteRecordStore(path: path)
      try store.commit([.put(stream: 1, key: 0, bytes: [0])])
      disk.ignoreSyncs(true)
      for key in 1...20 as ClosedRange<UInt64> { try store.commit([.put(stream: 1, key: key, bytes: [1])]) }
      disk.cut()
      try? store.close()
      try disk.restore(seed: seed)
      if try Self.recovered(path).count < 21 { losses += 1 }
    }
    #expect(losses > 0)
  }
}
