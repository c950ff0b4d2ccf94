import Effects
import Messages
import Signing
import Testing
import Topology

@testable import Simulator

/// Disks that tear, fail, fill up, forget and rot, under a core that counts.
@Suite struct DiskFaultTests {
  private static let counter: [Topology.ActorPattern] = [.init(World.counter)]

  private static func run(_ seed: UInt64, _ faults: [Fault]) -> World {
    let world = World.asking(seed: seed, faults: faults)
    _ = world.run(timeLimit: .seconds(10), eventLimit: 20_000)
    return world
  }

  /// Whatever was said was durable: no count is given twice, none is left out.
  private static func expectAnHonestCount(_ world: World) throws {
    let counts = try #require(world.askerCore).answers.compactMap { try? $0.get() }
    #expect(counts == counts.sorted() && Set(counts).count == counts.count)
    #expect(world.unreliable.isEmpty && world.halts.isEmpty)
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func aTornCommitIsThereWholeOrNotAtAll(seed: UInt64) throws {
    let world = Self.run(seed, [Fault(at: .persist(10), .tornWrite(Self.counter, down: .milliseconds(200)))])
    try Self.expectAnHonestCount(world)
    #expect(world.lives(World.counter) == 2)
    // The tenth never left in the life that was to write it.
    let published = try #require(world.askerCore).published
    #expect(published.filter { $0 == 10 }.count <= 1)
  }

  @Test(arguments: 1...8 as ClosedRange<UInt64>) func aFailedSyncStopsTheActorBeforeItSpeaks(seed: UInt64) throws {
    let world = Self.run(seed, [Fault(at: .time(.seconds(2)), .failedSync(Self.counter, down: .milliseconds(200)))])
    try Self.expectAnHonestCount(world)
    #expect(world.lives(World.counter) == 2)
  }

  @Test func aFullDiskStopsWhoWritesUntilThereIsRoom() throws {
    let world = Self.run(1, [Fault(at: .time(.seconds(2)), .fullDisk(Self.counter, lasting: .seconds(3)))])
    try Self.expectAnHonestCount(world)
    let failures = try #require(world.askerCore).answers.filter { if case .failure = $0 { true } else { false } }
    #expect((28...33).contains(failures.count))
    #expect(world.calmSince == World.start + .seconds(5))
  }

  /// Eleven seeds: what is left is chance, but somebody loses something, and whoever did is known.
  @Test func aDiskThatLiesLosesWhatItAcknowledged() throws {
    var losers = 0
    for seed in 1...11 as ClosedRange<UInt64> {
      let world = Self.run(
        seed,
        [Fault(at: .time(.seconds(2)), .lostSyncs(Self.counter, lasting: .seconds(2), down: .milliseconds(200)))])
      let counts = try #require(world.askerCore).answers.compactMap { try? $0.get() }
      let isHonest = Set(counts).count == counts.count
      #expect(isHonest || world.unreliable == [World.counter])
      if !isHonest { losers += 1 }
    }
    #expect(losers > 5)
  }

  @Test func anActorWhoseRecordRottedDoesNotRun() {
    let world = Self.run(1, [Fault(at: .time(.seconds(2)), .flippedBit(Self.counter, down: .milliseconds(200)))])
    #expect(world.halts.map(\.actor) == [World.counter])
    #expect(world.unreliable == [World.counter] && world.isGone(World.counter))
  }

  @Test func aFrameThatWasCutIsNotWhole() {
    let commit = Commit(records: [.put(stream: 1, key: 2, bytes: [3, 4]), .retire(stream: 1, below: 2)])
    let frame = commit.frame
    #expect(Commit.isWhole(frame))
    for length in 0..<frame.count { #expect(!Commit.isWhole(frame.prefix(length)), "\(length)") }
  }

  /// L2 once more: every member's commit tears at its k-th record.
  @Test(arguments: [1, 3, 7, 15] as [UInt64]) func allTearAtAnyRecord(count: UInt64) throws {
    let members = try Members()
    let patterns = members.validators.map { Topology.ActorPattern($0) }
    let outcome = members.run(
      seed: count, faults: [Fault(at: .persist(count), .tornWrite(patterns, down: .seconds(1)))])
    #expect(outcome.ending == .satisfied)
    #expect(outcome.complaints == [])
    #expect(outcome.paid == 40)
  }
}
