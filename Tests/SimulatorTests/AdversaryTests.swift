import Messages
import Roles
import Testing

@testable import Simulator

/// Each way of cheating, by each member that can: no rule breaks, the guilty are named where there is proof, and the
/// honest never are.
@Suite struct AdversaryTests {
  private static let members = Result { try Members(transfers: 200) }

  @Test(arguments: Misconduct.allCases, [1, 4] as [MemberIndex])
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
