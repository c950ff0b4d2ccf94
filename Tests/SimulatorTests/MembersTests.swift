import Messages
import Testing

@testable import Simulator

/// The voting members alone: safety in every run, progress once enough of them are up.
@Suite struct MembersTests {
  @Test(arguments: Seeds.few(3)) func calm(seed: UInt64) throws {
    let outcome = try Members().run(seed: seed)
    #expect(outcome.ending == .satisfied)
    #expect(outcome.complaints == [])
    #expect(outcome.paid == 40)
  }

  @Test(arguments: Seeds.few(4)) func lossy(seed: UInt64) throws {
    let outcome = try Members().run(seed: seed, conditions: .lossy)
    #expect(outcome.ending == .satisfied)
    #expect(outcome.complaints == [])
    #expect(outcome.paid == 40)
  }

  @Test(arguments: 0..<6) func oneMemberCrashes(member: Int) throws {
    let members = try Members()
    let outcome = members.run(
      seed: UInt64(member), faults: [.crash(members.validators[member], at: .seconds(1), down: .seconds(2))])
    #expect(outcome.ending == .satisfied)
    #expect(outcome.complaints == [])
    #expect(outcome.paid == 40)
  }

  /// L2: every member dies after its k-th record, whichever that is.
  @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 11, 15, 22] as [UInt64]) func allCrashAtAnyRecord(count: UInt64) throws {
    let members = try Members()
    let faults = members.validators.map { Fault.crashAfterPersist($0, count: count, down: .seconds(1)) }
    let outcome = members.run(seed: count, faults: faults)
    #expect(outcome.ending == .satisfied)
    #expect(outcome.complaints == [])
    #expect(outcome.paid == 40)
  }

  @Test(arguments: 1...6 as ClosedRange<UInt64>) func crashesAndIsolationOnALossyNetwork(seed: UInt64) throws {
    let members = try Members()
    var random = VirtualRandom(seed: seed)
    var faults: [Fault] = []
    for _ in 0..<8 {
      let victim = members.validators[Int(random.below(6))]
      let at = Span.milliseconds(Int64(random.below(8_000)))
      let length = Span.milliseconds(200 + Int64(random.below(3_000)))
      faults.append(
        random.below(2) == 0 ? .crash(victim, at: at, down: length) : .isolate(victim, at: at, during: length))
    }
    let outcome = members.run(seed: seed, conditions: .lossy, faults: faults)
    #expect(outcome.ending == .satisfied)
    #expect(outcome.complaints == [])
    #expect(outcome.paid == 40)
  }

  @Test func withoutAQuorumNothingBecomesFinalAndNothingBreaks() throws {
    let members = try Members()
    let faults = members.validators.prefix(3).map { Fault.isolate($0, at: .seconds(1), during: .seconds(60)) }
    let outcome = members.run(seed: 1, faults: faults, timeLimit: .seconds(40))
    #expect(outcome.ending == .timeLimit)
    #expect(outcome.complaints == [])
    #expect(outcome.paid < 40)
  }
}
