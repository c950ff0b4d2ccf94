import Effects
import Messages
import Testing
import Topology

@testable import Simulator

/// Links that are cut one way or both, slow, narrow, lossy; publications that wait for them to heal.
@Suite struct LinkFaultTests {
  private static let counter = Topology.ActorPattern(World.counter)
  private static let asker = Topology.ActorPattern(World.asker)

  private static func run(_ kind: Fault.Kind, seed: UInt64 = 1, until limit: Span = .seconds(10)) throws -> AskerCore {
    let world = World.asking(seed: seed, faults: [Fault(at: .time(.seconds(2)), kind)])
    _ = world.run(timeLimit: limit, eventLimit: 20_000)
    return try #require(world.askerCore)
  }

  private static func unanswered(_ asker: AskerCore) -> Int {
    asker.answers.filter { if case .failure = $0 { true } else { false } }.count
  }

  /// What is asked does not arrive, and what is published does.
  @Test func aOneWayCutLetsTheOtherWayThrough() throws {
    let asker = try Self.run(
      .partition(.init(between: [Self.asker], and: [Self.counter], isOneWay: true), lasting: .seconds(3)))
    #expect((28...32).contains(Self.unanswered(asker)))
    #expect(asker.published == Array(1...UInt64(asker.published.count)))
    #expect(asker.published.count < 75)
  }

  /// What is asked arrives and is counted, and nobody hears of it until the link heals: then all of it, in order.
  @Test func publicationsAreFetchedWhenTheLinkHeals() throws {
    let cut = Fault.Kind.partition(
      .init(between: [Self.counter], and: [Self.asker], isOneWay: true), lasting: .seconds(3))
    let before = try Self.run(cut, until: .milliseconds(4_900))
    #expect(before.published.count < 21)
    let after = try Self.run(cut)
    #expect((28...32).contains(Self.unanswered(after)))
    #expect(after.published == Array(1...UInt64(after.published.count)) && after.published.count > 90)
    #expect(after.gaps == 0)
  }

  @Test func aPartitionWithoutAnEndStays() throws {
    let asker = try Self.run(.partition(.init(between: [Self.counter]), lasting: nil))
    #expect(Self.unanswered(asker) > 70)
  }

  @Test func theDataPlaneIsAnotherPlane() throws {
    let asker = try Self.run(.partition(.init(between: [Self.counter], plane: .data), lasting: nil))
    #expect(Self.unanswered(asker) == 0)
  }

  /// 600 ms there and back are more than the asker's 500 ms.
  @Test func delayIsAddedBothWays() throws {
    let asker = try Self.run(
      .disturbance(.init(between: [Self.counter]), .init(delay: .milliseconds(300)), lasting: .seconds(3)))
    #expect((25...32).contains(Self.unanswered(asker)))
  }

  @Test func halfOfWhatIsLostIsLostOnTheWayThere() throws {
    let asker = try Self.run(
      .disturbance(.init(between: [Self.counter]), .init(loss: 500_000_000), lasting: .seconds(8)))
    // A quarter comes back.
    #expect((45...75).contains(Self.unanswered(asker)))
    #expect(asker.published == asker.published.sorted())
  }

  /// Neither a request nor a publication reaches a core twice or out of order, because the bus sees to it.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func doublesAndOvertakersEndInTheBus(seed: UInt64) throws {
    let asker = try Self.run(
      .disturbance(
        .init(between: [Self.counter]), .init(duplication: 500_000_000, reordering: 300_000_000), lasting: nil),
      seed: seed)
    #expect(asker.published == Array(1...UInt64(asker.published.count)))
    let counts = asker.answers.compactMap { try? $0.get() }
    #expect(Set(counts).count == counts.count)
  }

  /// A hundred bytes a message, a thousand bits a second: more is asked than the link carries.
  @Test func aNarrowLinkQueues() throws {
    let asker = try Self.run(
      .disturbance(.init(between: [Self.counter]), .init(bandwidth: 1_000), lasting: .seconds(6)))
    #expect(Self.unanswered(asker) > 5)
  }
}
