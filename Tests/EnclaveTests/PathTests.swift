import Messages
import Testing

@testable import Roles

/// The emulated slice keeps the plan, in order and the same for the same seed.
struct PathTests {
  private let start = FlowWorld.start

  private func releases(_ condition: PathCondition, seed: UInt64, packets: Int64 = 2000) -> [Instant?] {
    var path = PathEmulator(condition, seed: seed)
    return (0..<packets).map { path.carry(bytes: 1000, at: start + .milliseconds($0)) }
  }

  @Test func theSameSeedMeetsTheSameFateAndAnotherAnother() {
    let condition = PathCondition(delay: .milliseconds(5), jitter: .milliseconds(2), loss: 50_000_000, rate: 0)
    #expect(releases(condition, seed: 1) == releases(condition, seed: 1))
    #expect(releases(condition, seed: 1) != releases(condition, seed: 2))
  }

  @Test(arguments: 1...5) func delayJitterLossAndOrderAreKept(seed: UInt64) {
    let condition = PathCondition(delay: .milliseconds(5), jitter: .milliseconds(2), loss: 50_000_000, rate: 0)
    let all = releases(condition, seed: seed)
    let lost = all.filter { $0 == nil }.count
    #expect((50...150).contains(lost), "5 % of 2 000")
    let passed = all.compactMap { $0 }
    #expect(zip(passed, passed.dropFirst()).allSatisfy { $0 <= $1 })
    for (index, release) in all.enumerated() {
      guard let release else { continue }
      let delay = release - (start + .milliseconds(Int64(index)))
      #expect(delay >= .milliseconds(5) && delay <= .milliseconds(7))
    }
  }

  @Test func aPathTooNarrowQueuesAndThenDrops() {
    // 8 Mbit/s offered, 4 Mbit/s carried.
    let all = releases(PathCondition(delay: .zero, jitter: .zero, loss: 0, rate: 4_000_000), seed: 1)
    #expect(all[0] == start + .milliseconds(2))
    let lost = all.filter { $0 == nil }.count
    #expect((850...950).contains(lost), "half of what comes once 200 ms are queued")
    for (index, release) in all.enumerated() {
      guard let release else { continue }
      #expect(release - (start + .milliseconds(Int64(index))) <= PathEmulator.longestQueue)
    }
  }

  @Test func impairmentAppliesWhereItSays() {
    let planned = PathCondition(delay: .milliseconds(5), jitter: .zero, loss: 10, rate: 1000)
    let impairment = PathImpairment(loss: 5, delay: .milliseconds(1), rate: 500, direction: .up)
    #expect(planned.impaired(by: impairment, .down) == planned)
    let worse = planned.impaired(by: impairment, .up)
    #expect(worse == PathCondition(delay: .milliseconds(6), jitter: .zero, loss: 15, rate: 500))
  }

  @Test(arguments: 1...10) func theQueueHandsOutWorkInOrderOfTime(seed: UInt64) {
    var queue = EdgeQueue()
    var noise = PathNoise(seed: seed)
    for slot in 0..<500 {
      _ = queue.add(.generate(slot: UInt64(slot)), at: start + Span(nanoseconds: Int64(noise.next() % 100)))
    }
    var taken: [(due: Instant, slot: UInt64)] = []
    while let (work, due) = queue.take(dueBy: .distantFuture) {
      if case .generate(let slot) = work { taken.append((due, slot)) }
    }
    #expect(taken.count == 500)
    #expect(zip(taken, taken.dropFirst()).allSatisfy { $0 < $1 }, "equal times keep their order")
  }
}
