import Foundation
import Ledger
import Messages
import Testing

@testable import ajit

/// What `ajit ledger verify` makes of copies whose first blocks were deleted.
struct LedgerSnapshotTests {
  let fixture: LedgerFixture

  init() throws { fixture = try LedgerFixture() }

  private func findings(_ members: [String]) throws -> (auditor: LedgerAuditor, findings: [LedgerAuditor.Finding]) {
    var auditor = try LedgerAuditor(genesis: fixture.genesis)
    let findings = try members.map { member in
      let path = fixture.folder.url.appending(path: "validators/\(member).sqlite").path
      return auditor.examine(try BlockLog(member: member, path: path))
    }
    try auditor.audit()
    return (auditor, findings)
  }

  @Test func aCopyThatBeginsWithASnapshotHolds() throws {
    let members = fixture.members
    for member in members { try fixture.storePruned(member, snapshot: 2, keepingFrom: 2) }
    let (auditor, findings) = try findings(members)
    #expect(findings.allSatisfy { $0.problem == nil }, "\(findings)")
    #expect(auditor.origin == 2)
    #expect(auditor.height == 4)
    #expect(findings.allSatisfy { $0.height == 4 && $0.snapshot == 2 })
    #expect(auditor.state.root == fixture.state(after: 4).root)
  }

  @Test func beingHeldAgainstAWholeCopyItsSnapshotIsItsBlock() throws {
    let members = Array(fixture.members.prefix(2))
    try fixture.store(members[0])
    try fixture.storePruned(members[1], snapshot: 3, keepingFrom: 3)
    let (auditor, findings) = try findings(members)
    #expect(findings.allSatisfy { $0.problem == nil }, "\(findings)")
    #expect(auditor.origin == 0)
    #expect(findings.map(\.snapshot) == [0, 3])
  }

  @Test func aSnapshotOfAnotherStateIsFound() throws {
    let member = fixture.members[0]
    // The pieces are of the state one block later.
    try fixture.storePruned(member, snapshot: 2, keepingFrom: 2, state: fixture.state(after: 3))
    let problem = try #require(try findings([member]).findings[0].problem)
    #expect(problem.hasPrefix("\(member), height 2: the snapshot is not the state that its header names"))
  }

  @Test func tamperingWithABlockBehindTheSnapshotIsFound() throws {
    let member = fixture.members[0]
    try fixture.storePruned(member, snapshot: 2, keepingFrom: 2) { height, bytes in
      guard height == 4 else { return bytes }
      var bytes = bytes
      bytes[bytes.count - 1] ^= 1
      return bytes
    }
    let finding = try findings([member]).findings[0]
    #expect(finding.height == 3)
    #expect(finding.problem?.hasPrefix("\(member), height 4: ") == true)
  }

  /// Nothing vouches for what the first block here stands on.
  @Test func blocksThatBeginInTheMiddleWithoutASnapshotAreMissingSome() throws {
    let member = fixture.members[0]
    try fixture.store(member) { height, bytes in height > 2 ? bytes : nil }
    #expect(try findings([member]).findings[0].problem?.contains("height 1: the block is missing") == true)
  }
}
