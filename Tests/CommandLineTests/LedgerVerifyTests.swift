import Foundation
import Ledger
import Messages
import Testing

@testable import ajit

/// What `ajit ledger verify` finds, and where.
struct LedgerVerifyTests {
  /// Every member's finding on what its disk holds.
  private func findings(_ fixture: LedgerFixture) throws -> [LedgerAuditor.Finding] {
    var auditor = try LedgerAuditor(genesis: fixture.genesis)
    let findings = try fixture.members.map { member in
      let path = fixture.folder.url.appending(path: "validators/\(member).sqlite").path
      return auditor.examine(try BlockLog(member: member, path: path))
    }
    try auditor.audit()
    return findings
  }

  @Test func `an honest directory holds`() throws {
    let fixture = try LedgerFixture()
    try fixture.storeAll()
    let findings = try findings(fixture)
    #expect(findings.allSatisfy { $0.problem == nil && $0.height == 4 && $0.transactions == 4 })

    let outcome = try Program.run("ledger", "verify", "--data", fixture.folder.path)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("6 members hold the same blocks up to height 4"))
  }

  @Test func `a member that is behind holds a part of the same chain`() throws {
    let fixture = try LedgerFixture()
    for member in fixture.members {
      try fixture.store(member) { height, bytes in member == "alpha" && height > 2 ? nil : bytes }
    }
    #expect(try findings(fixture).map(\.height) == [2, 4, 4, 4, 4, 4])
    #expect(try findings(fixture).allSatisfy { $0.problem == nil })
  }

  @Test func `a flipped byte of a block fails with member, height and what differs`() throws {
    let fixture = try LedgerFixture()
    for member in fixture.members {
      try fixture.store(member) { height, bytes in
        guard member == "charlie", height == 3 else { return bytes }
        var bytes = bytes
        bytes[bytes.count / 2] ^= 1
        return bytes
      }
    }
    let outcome = try Program.run("ledger", "verify", "--data", fixture.folder.path)
    #expect(outcome.status == CommandStatus.badData.rawValue)
    #expect(outcome.errorLines.count == 1)
    #expect(outcome.errors.hasPrefix("ajit: charlie, height 3: "))
    #expect(outcome.output.contains("the ledger does NOT hold"))
  }

  /// Nothing in a stored segment is there without being checked: whichever byte is flipped, the copy fails, whether it
  /// is the first one looked at or one that is compared.
  @Test(arguments: [true, false], [1, 3]) func `no byte can be flipped`(isFirst: Bool, height: Height) throws {
    let fixture = try LedgerFixture()
    let honest = fixture.segments
    let damaged = try #require(honest.first { $0.blocks[0].header.height == height }).encoded
    var undetected: [Int] = []
    var start = try LedgerAuditor(genesis: fixture.genesis)
    if !isFirst { #expect(examine(honest, &start).problem == nil) }
    // Every 7th byte: coprime to all field lengths, and each flip costs its signatures.
    for position in stride(from: 0, to: damaged.count, by: 7) {
      var bytes = damaged
      bytes[position] ^= 0x10
      var auditor = start
      guard let segment = try? LedgerSegment(decoding: bytes) else { continue }
      let copy = honest.map { $0.blocks[0].header.height == height ? segment : $0 }
      if examine(copy, &auditor).problem == nil { undetected.append(position) }
    }
    #expect(undetected.isEmpty)
  }

  private func examine(_ segments: [LedgerSegment], _ auditor: inout LedgerAuditor) -> LedgerAuditor.Finding {
    auditor.examine(member: "alpha") { visit in
      for segment in segments { guard try visit(segment) else { return } }
    }
  }

  @Test func `a missing block and a missing log are found`() throws {
    let fixture = try LedgerFixture()
    for member in fixture.members where member != "delta" {
      try fixture.store(member) { height, bytes in member == "bravo" && height == 2 ? nil : bytes }
    }
    let outcome = try Program.run("ledger", "verify", "--data", fixture.folder.path)
    #expect(outcome.status == CommandStatus.badData.rawValue)
    #expect(outcome.errors.contains("bravo, height 2: the block is missing"))
    #expect(outcome.errors.contains("delta: "))
  }

  @Test func `a flipped byte of the genesis makes every signature wrong`() throws {
    let fixture = try LedgerFixture()
    try fixture.storeAll()
    let url = fixture.folder.url.appending(path: "genesis.cbor")
    var bytes = try Data(contentsOf: url)
    bytes[5] ^= 1  // in the salt
    try bytes.write(to: url)
    let outcome = try Program.run("ledger", "verify", "--data", fixture.folder.path)
    #expect(outcome.status == CommandStatus.badData.rawValue)
  }
}
