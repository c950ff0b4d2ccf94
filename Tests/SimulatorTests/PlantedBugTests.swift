import Effects
import Messages
import Roles
import Testing

@testable import Simulator

/// R3: a check that never fails is not one. Each of these mistakes must be caught, and the same world without it must
/// be clean.
@Suite struct PlantedBugTests {
  @Test(arguments: Mutant.allCases) func isCaught(mutant: Mutant) throws {
    let seeds = Seeds.few(4)
    for seed in seeds {
      let outcome = try mutant.trial(seed: seed).run()
      guard let found = outcome.violations.first(where: { mutant.breaks.contains($0.rule) }) else { continue }
      print("mutant \(mutant): caught with seed \(seed): \(found)")
      return
    }
    Issue.record("\(mutant) is not caught by seeds \(seeds)")
  }

  /// Those whose world is not the plain one.
  @Test(arguments: [.blockTimeUnchecked, .doesNotStoreEvidence, .ownVotesNotCountedAgain, .neverSkips] as [Mutant])
  func correctMembersInTheSameWorldAreClean(mutant: Mutant) throws {
    let outcome = try mutant.trial(seed: 1, isPlanted: false).run()
    #expect(outcome.violations == [])
    #expect(outcome.ending == .satisfied)
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
