import Foundation
import Ledger
import Messages
import Signing
import Testing
import Wire

@testable import ajit

/// `ajit ledger judge` and `export`, as a third party runs them.
struct LedgerJudgeTests {
  @Test func `two ledgers that contradict each other convict who signed both`() throws {
    let fixture = try LedgerFixture()
    try fixture.storeAll()
    let other = try fixture.rewritten()
    try other.storeAll()
    // One of them as a file, as it would be handed to somebody.
    let (export, proofs) = (other.folder.path + "/theirs.ledger", other.folder.path + "/proofs.cbor")
    #expect(try Program.run("ledger", "export", export, "--data", other.folder.path).status == 0)
    let outcome = try Program.run("ledger", "judge", fixture.folder.path, export, "--proofs", proofs, "--json")
    #expect(outcome.status == CommandStatus.notAsExpected.rawValue, "\(outcome.errors)")
    let lines = try outcome.outputLines.map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    // All six signed both: two of them at least had to.
    #expect(lines.dropLast().compactMap { $0["member"] as? String } == fixture.members)
    #expect(lines.last?["forked"] as? Bool == true && lines.last?["atLeast"] as? Int == 2)
    #expect(lines.last?["commonHeight"] as? Int == 3)

    // The proofs convince whoever has the genesis.
    var reader = try CBORReader([UInt8](try Data(contentsOf: URL(filePath: proofs))))
    let evidence: [ConsensusEvidence] = try reader.list(maximum: 64)
    var verifier = Verifier(context: fixture.genesis.verificationContext)
    #expect(evidence.count == 6 && evidence.allSatisfy(\.isContradiction))
    for vote in evidence.flatMap(\.votes) { _ = try verifier.verify(ConsensusMessage.vote(vote)) }
  }

  @Test func `a copy of a ledger contradicts nothing`() throws {
    let fixture = try LedgerFixture()
    try fixture.storeAll()
    let export = fixture.folder.path + "/copy.ledger"
    #expect(try Program.run("ledger", "export", export, "--data", fixture.folder.path).status == 0)
    let outcome = try Program.run("ledger", "judge", export, fixture.folder.path)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output.contains("no contradiction: both hold the same blocks up to height 4"))
  }

  @Test func `what is no ledger convicts nobody`() throws {
    let fixture = try LedgerFixture()
    try fixture.storeAll()
    let export = fixture.folder.path + "/damaged.ledger"
    #expect(try Program.run("ledger", "export", export, "--data", fixture.folder.path).status == 0)
    var bytes = try Data(contentsOf: URL(filePath: export))
    bytes[bytes.count - 3] ^= 1
    try bytes.write(to: URL(filePath: export))
    let outcome = try Program.run("ledger", "judge", export, fixture.folder.path)
    #expect(outcome.status == CommandStatus.badData.rawValue)
    #expect(outcome.output.isEmpty && outcome.errorLines.count == 1, "\(outcome.output)")
  }
}
