import Effects
import Messages
import Signing
import Testing

@testable import Roles
@testable import Simulator

/// Members whose past is short: snapshots every few blocks, and what is below them deleted.
@Suite struct HistoryTests {
  static let policy = HistoryPolicy(snapshotInterval: 16, pieceEntries: 8, evidenceHorizon: 8)

  private func validator(_ member: Int, of world: World, _ members: Members) -> ValidatorCore? {
    world.core(members.validators[member]) as? ValidatorCore
  }

  private func run(_ world: World, for span: Span) {
    let end = world.now + span
    _ = world.run(until: { [unowned world] in world.now >= end }, timeLimit: .seconds(600), eventLimit: 4_000_000)
  }

  /// L3: what an arbitrarily long absence costs is one snapshot and the tail.
  @Test(arguments: 1...2 as ClosedRange<UInt64>)
  func aMemberBackFromAnyLagCatchesUpInBoundedRequests(seed: UInt64) throws {
    let members = try Members(transfers: 80)
    let world = members.world(seed: seed, history: Self.policy)
    let back = members.validators[5]
    var monitor = SafetyMonitor(genesis: members.genesis)
    var questions = 0
    world.inspector = { [unowned world] instant, actor, effect, disk in
      monitor.inspect(effect, by: actor, life: world.lives(actor), disk: disk, at: instant)
      guard actor == back, case .request(_, _, let message, _) = effect else { return }
      switch message {
      case .getSnapshot, .getSnapshotChunk, .consensus(.getSegments), .consensus(.getBlock): questions += 1
      default: break
      }
    }
    run(world, for: .seconds(1))
    world.crash(5, down: .seconds(12))
    run(world, for: .seconds(11))
    // What the others published is forgotten with their lives, and each begins the next from its snapshot.
    for other in 0..<5 { world.crash(other, down: .milliseconds(100)) }
    questions = 0
    run(world, for: .seconds(4))
    let other = try #require(validator(0, of: world, members))
    let core = try #require(validator(5, of: world, members))
    #expect(other.ledger.height > 40)
    #expect(core.ledger.height + 3 >= other.ledger.height)
    // It never executed what it missed: nobody has those blocks any more.
    #expect(core.served.last.map { $0.height >= 32 } == true)
    #expect(world.disk(back)?.records(of: ValidatorCore.Stream.segments).allSatisfy { $0.key > 16 } == true)
    #expect(questions <= 150, "\(questions) requests")
    let ending = world.run(
      until: { [unowned world] in members.isSettled(world) }, timeLimit: .seconds(200), eventLimit: 4_000_000)
    #expect(ending == .satisfied)
    #expect(monitor.violations.isEmpty, "\(monitor.violations)")
    #expect(world.halts.isEmpty)
    #expect(Set(world.ledgers(of: members.validators).map { $0?.account(named: Members.payee)?.balance }) == [80])
  }

  /// S7 after a restoration: the member's disk of a second or so ago, known to be old.
  @Test(arguments: 1...3 as ClosedRange<UInt64>)
  func aRestoredMemberContradictsNothing(seed: UInt64) throws {
    let members = try Members(transfers: 40)
    let world = members.world(seed: seed, history: Self.policy)
    var monitor = SafetyMonitor(genesis: members.genesis)
    world.inspector = { [unowned world] instant, actor, effect, disk in
      monitor.inspect(effect, by: actor, life: world.lives(actor), disk: disk, at: instant)
    }
    let member = Int(seed % 4)
    run(world, for: .milliseconds(Int64(700 + seed * 170)))
    var copy = world.actors[member].disk
    copy.apply(ValidatorCore.putBack)
    run(world, for: .milliseconds(Int64(300 + seed * 370)))
    world.crash(member, down: .milliseconds(200))
    world.actors[member].disk = copy
    let ending = world.run(
      until: { [unowned world] in members.isSettled(world) }, timeLimit: .seconds(200), eventLimit: 4_000_000)
    #expect(ending == .satisfied)
    run(world, for: .seconds(3))
    // It is where its copy was; nothing that it says may be other than what it said.
    let violations = monitor.violations.filter { $0.check != "S9" }
    #expect(violations.isEmpty, "seed \(seed): \(violations)")
    #expect(world.halts.isEmpty)
    let core = try #require(validator(member, of: world, members))
    #expect(!core.consensus.isRestoring)
    #expect(core.consensus.view > core.consensus.signingMark)
  }
}
