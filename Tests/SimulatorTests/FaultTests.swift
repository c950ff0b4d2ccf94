import Effects
import Messages
import Testing

@testable import Simulator

/// Crashes, isolation and the disk, with toy cores.
@Suite struct FaultTests {
  static let someone = ActorAddress(.client, "someone")

  @Test func aDiskKeepsRecordsInOrderAndPrunes() {
    var disk = VirtualDisk()
    for key in [5, 1, 3, 5, 9] as [UInt64] { disk.apply(.put(stream: 2, key: key, bytes: [UInt8(key)])) }
    disk.apply(.put(stream: 1, key: 4, bytes: [1]))
    disk.apply(.put(stream: 2, key: 3, bytes: [33]))
    #expect(disk.records.map(\.key) == [4, 1, 3, 5, 9])
    #expect(disk.record(of: 2, key: 3) == [33])
    #expect(disk.record(of: 2, key: 4) == nil)
    #expect(disk.records(of: 2, from: 2, limit: 2).map(\.key) == [3, 5])
    disk.apply(.prune(stream: 2, below: 5))
    #expect(disk.records(of: 2).map(\.key) == [5, 9])
  }

  @Test func whatWasAskedOfOneThatIsDownIsUnavailable() throws {
    let world = World.asking(seed: 1, faults: [.crash(World.counter, at: .seconds(2), down: .seconds(3))])
    _ = world.run(timeLimit: .seconds(10), eventLimit: 10_000)
    let asker = try #require(world.askerCore)
    let failures = asker.answers.filter {
      if case .failure(let error) = $0 { error.code == .unavailable } else { false }
    }
    #expect((28...31).contains(failures.count))
    #expect(world.lives(World.counter) == 2)
    // The count was durable: none is given twice, none is left out.
    let counts = asker.answers.compactMap { try? $0.get() }
    #expect(counts == Array(1...UInt64(counts.count)))
  }

  @Test(arguments: 1...5 as ClosedRange<UInt64>) func aCrashAfterARecordCutsTheTurnThere(count: UInt64) throws {
    let world = World.asking(
      seed: count, faults: [.crashAfterPersist(World.counter, count: count, down: .milliseconds(250))])
    _ = world.run(timeLimit: .seconds(5), eventLimit: 10_000)
    let asker = try #require(world.askerCore)
    // Record `count` is durable, its publication and answer never left.
    #expect(!asker.published.contains(count))
    let counts = asker.answers.compactMap { try? $0.get() }
    #expect(!counts.contains(count) && counts.contains(count + 1))
  }

  @Test func aNewLifeKnowsItsRecordsAndNothingElse() throws {
    let world = World(
      faults: [.crash(Self.someone, at: .seconds(1), down: .seconds(1))],
      [
        ActorSeat(Self.someone) { life, records in
          ScriptCore(Self.someone, life: life, recovering: records) { life in
            life == 1
              ? [
                .persist(.put(stream: 1, key: 1, bytes: [1])), .setTimer(TimerID(9), at: World.start + .seconds(5)),
              ] : [.recall(RequestID(1), stream: 1, from: 0, limit: 10)]
          }
        }
      ])
    #expect(world.run(timeLimit: .seconds(10), eventLimit: 100) == .quiet)
    let core = try #require(world.core(Self.someone) as? ScriptCore)
    #expect(core.life == 2)
    #expect(core.recovered.map(\.key) == [1])
    #expect(core.recalled.map(\.key) == [1])
    #expect(core.timers.isEmpty)
  }

  @Test func aTurnsRecordsAreOneCommit() throws {
    let asked = Effect.request(RequestID(1), to: ActorAddress(.edge, "nobody"), .getStatus, deadline: .seconds(1))
    let world = World(
      faults: [.crashAfterPersist(Self.someone, count: 1, down: .seconds(1))],
      [
        ActorSeat(Self.someone) { life, records in
          ScriptCore(Self.someone, life: life, recovering: records) { life in
            guard life == 1 else { return [] }
            return [
              .persist(.put(stream: 1, key: 1, bytes: [])), asked, .persist(.put(stream: 1, key: 2, bytes: [])),
            ]
          }
        }
      ])
    #expect(world.run(timeLimit: .seconds(10), eventLimit: 100) == .quiet)
    let core = try #require(world.core(Self.someone) as? ScriptCore)
    // Both records, and not the question between them.
    #expect(core.recovered.map(\.key) == [1, 2])
    #expect(core.errors.isEmpty)
  }

  @Test func oneThatCannotBeMadeFromItsRecordsHalts() {
    struct Damaged: Error {}
    let world = World(
      faults: [.crash(Self.someone, at: .seconds(1), down: .seconds(1))],
      [
        ActorSeat(Self.someone) { life, _ in
          if life == 2 { throw Damaged() }
          return ScriptCore(Self.someone) { _ in [] }
        }
      ])
    #expect(world.run(timeLimit: .seconds(10), eventLimit: 100) == .quiet)
    #expect(world.halts.map(\.actor) == [Self.someone])
  }

  @Test func isolationLosesRequestsAndDelaysPublications() throws {
    let world = World.asking(seed: 3, faults: [.isolate(World.asker, at: .seconds(2), during: .seconds(3))])
    _ = world.run(timeLimit: .seconds(10), eventLimit: 10_000)
    let asker = try #require(world.askerCore)
    let failures = asker.answers.filter {
      if case .failure(let error) = $0 { error.code == .deadlineExceeded } else { false }
    }
    #expect((28...32).contains(failures.count))
    #expect(asker.published == Array(1...UInt64(asker.published.count)))
  }

  @Test func aSubscriberThatComesBackIsToldWhatIsStillKept() throws {
    let world = World.asking(seed: 3, faults: [.crash(World.asker, at: .seconds(2), down: .seconds(3))])
    _ = world.run(timeLimit: .seconds(10), eventLimit: 10_000)
    let asker = try #require(world.askerCore)
    #expect(asker.published.first == 1)
    #expect(asker.gaps == 0)
  }
}
