import Messages
import Roles
import Testing

@testable import Simulator

/// Each way of cheating, by each member that can: no rule breaks, the guilty are named where there is proof, and the
/// honest never are.
@Suite struct AdversaryTests {
  private static let members = Result { try Members(transfers: 200) }

  /// Against other members; what is done to customers has stories of its own.
  private static let misconducts: [Misconduct] = [
    .equivocation, .nullification, .withholding, .staleProposals, .invalidProposals, .silentLeader, .flooding,
    .impersonation, .farFutureVotes, .bentTime,
  ]

  @Test(arguments: misconducts, [1, 4] as [MemberIndex])
  func whatAMemberDoes(misconduct: Misconduct, member: MemberIndex) throws {
    var trial = MemberTrial(members: try Self.members.get(), seed: 7)
    trial.liar = .misconduct(member, misconduct)
    trial.views = 24
    let outcome = trial.run()
    #expect(outcome.ending == .satisfied)
    #expect(outcome.violations == [])
    // Regulators' members, the last two, never lead.
    let proposes = member < 4 || misconduct == .equivocation
    #expect(outcome.named == (misconduct.convicts && proposes ? [member] : []))
  }

  /// The honest twin of every row: the same network at its worst, crashes, and nobody is named.
  @Test(arguments: 1...6 as ClosedRange<UInt64>) func nobodyHonestIsNamed(seed: UInt64) throws {
    var trial = MemberTrial.chaos(seed: seed, try Self.members.get(), views: 20)
    trial.liar = .nobody
    trial.conditions = .lossy
    let outcome = trial.run()
    #expect(outcome.ending == .satisfied)
    #expect(outcome.violations == [])
    #expect(outcome.named == [])
  }

  /// Every proof is a transaction, every transaction a view, and in every view a liar lies again.
  @Test func aLiarThatGoesOnLyingKeepsNobodyBusy() throws {
    var trial = MemberTrial(members: try Self.members.get(), seed: 5)
    trial.liar = .misconduct(5, .equivocation)
    trial.interval = .seconds(60)
    trial.views = 1
    trial.healedAt = World.start + .seconds(20)
    let outcome = trial.run()
    #expect(outcome.violations == [])
    #expect(outcome.named == [5])
    // A heartbeat every two seconds, and one proof of each kind with what makes it final.
    #expect(outcome.height < 60)
  }

  @Test(arguments: [0, 1, 5] as [MemberIndex]) func aMemberThatRunsTwice(member: MemberIndex) throws {
    var trial = MemberTrial(members: try Self.members.get(), seed: UInt64(member) + 1)
    trial.liar = .twins(member)
    trial.views = 24
    let outcome = trial.run()
    #expect(outcome.ending == .satisfied)
    #expect(outcome.violations == [])
    #expect(outcome.named.isSubset(of: [member]))
  }
}
