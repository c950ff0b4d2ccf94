import Messages
import Testing

struct QuorumTests {
  @Test(arguments: 1...64)
  func twoQuorumsShareAnHonestMember(members: Int) {
    let quorum = Quorum(members: members)
    #expect(2 * quorum.votes - members > quorum.faults)
    #expect(3 * quorum.faults < members)
  }

  @Test(arguments: 1...64)
  func theHonestMembersAreEnough(members: Int) {
    let quorum = Quorum(members: members)
    #expect(quorum.votes <= members - quorum.faults)
  }

  @Test(arguments: 1...64)
  func oneVoteLessWouldNotDo(members: Int) {
    let quorum = Quorum(members: members)
    #expect(2 * (quorum.votes - 1) - members <= quorum.faults)
  }

  @Test func twoFaultsPlusOneIsUnsafeForSixMembers() {
    let quorum = Quorum(members: 6)
    #expect(quorum.faults == 1)
    #expect(quorum.votes == 4)
    // Two triples of six need not share anybody at all, let alone somebody honest.
    let familiar = 2 * quorum.faults + 1
    #expect(2 * familiar - 6 <= quorum.faults)
  }

  @Test(arguments: 1...64)
  func theFamiliarFormulaHoldsOnlyForThreeFaultsPlusOne(members: Int) {
    let quorum = Quorum(members: members)
    let familiarIsSafe = 2 * (2 * quorum.faults + 1) - members > quorum.faults
    #expect(familiarIsSafe == (members == 3 * quorum.faults + 1))
  }
}
