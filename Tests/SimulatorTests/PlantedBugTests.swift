import Effects
import Messages
import Roles
import Testing

@testable import Simulator

/// R3: a check that never fails is not one. Each of these members breaks one promise, and must be caught.
@Suite struct PlantedBugTests {
  /// Speaks first and writes afterwards.
  struct Hasty: RoleCore {
    var core: ValidatorCore
    var address: ActorAddress { core.address }
    var subscriptions: [Subscription] { core.subscriptions }

    mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
      let effects = core.handle(event, at: now)
      let records = effects.filter { $0.isPersist }
      return effects.filter { !$0.isPersist } + records
    }
  }

  @Test func aVoteBeforeItsRecordIsSeen() throws {
    let outcome = try Members().run(seed: 1, timeLimit: .seconds(3)) { Hasty(core: $0) }
    #expect(outcome.monitor.violations.contains { $0.check == "S8" })
  }

  @Test func membersThatForgetTheirVotesAreSeen() throws {
    let members = try Members()
    let faults = members.validators.map { Fault.crash($0, at: .seconds(2), down: .milliseconds(500)) }
    let outcome = members.run(seed: 1, faults: faults, timeLimit: .seconds(5), remembers: false)
    let checks = Set(outcome.monitor.violations.map(\.check))
    #expect(checks.isSuperset(of: ["S1", "S7"]))
  }

  @Test func aTamperedBlockLogIsSeen() throws {
    let members = try Members()
    let outcome = members.run(seed: 1)
    var disks = members.validators.compactMap { outcome.world.disk($0) }
    // One member lost a block in the middle of its log.
    let segments = disks[0].records(of: ValidatorCore.Stream.segments)
    var damaged = VirtualDisk()
    for record in segments where record.key != segments[1].key {
      damaged.apply(.put(stream: record.stream, key: record.key, bytes: record.bytes))
    }
    disks[0] = damaged
    let agreement = LedgerAgreement(genesis: members.genesis, disks: disks, at: outcome.world.now)
    #expect(!agreement.membersAgree)
    let alone = LedgerAgreement(genesis: members.genesis, disks: [damaged], at: outcome.world.now)
    #expect(alone.violations.map(\.check) == ["S10"])
  }
}

extension Effect {
  fileprivate var isPersist: Bool { if case .persist = self { true } else { false } }
}
