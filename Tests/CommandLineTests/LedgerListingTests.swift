import Foundation
import Testing

/// The listings of `ajit ledger`, as people and as machines read them.
struct LedgerListingTests {
  private func listing(_ name: String, _ arguments: String...) throws -> [[String: Any]] {
    let fixture = try LedgerFixture()
    try fixture.storeAll()
    let outcome = try Program.run("ledger", name, "--data", fixture.folder.path, "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try outcome.outputLines.map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  @Test func `blocks`() throws {
    let blocks = try listing("blocks")
    #expect(blocks.compactMap { $0["height"] as? Int } == [1, 2, 3, 4])
    #expect(blocks.compactMap { $0["transactions"] as? Int } == [1, 1, 2, 0])
  }

  @Test func `transactions, with who signed and what came of it`() throws {
    let transactions = try listing("transactions")
    #expect(
      transactions.compactMap { $0["action"] as? String } == ["DeployContract", "Transfer", "Transfer", "Transfer"])
    #expect(transactions.first?["signer"] as? String == "alpha controller")
    #expect(transactions.compactMap { $0["result"] as? String }.filter { $0 != "ACCEPTED" }.count == 1)
  }

  @Test func `contracts by the names that people use`() throws {
    #expect(try listing("contracts").compactMap { $0["contract"] as? String } == ["alpha/remote-surgery"])
  }

  @Test func `accounts, and all the money`() throws {
    let accounts = try listing("accounts")
    #expect(accounts.count == 7)
    let hospital = accounts.first { $0["name"] as? String == "hospital" }
    #expect(hospital?["balance"] as? Int == 999_001)
  }

  @Test func `no activations yet`() throws {
    #expect(try listing("activations").isEmpty)
  }

  @Test func `an unknown member and an unknown directory`() throws {
    let fixture = try LedgerFixture()
    try fixture.storeAll()
    let member = try Program.run("ledger", "blocks", "--data", fixture.folder.path, "--member", "zulu")
    #expect(member.status == 64)
    #expect(member.errors.contains("choose one of alpha, bravo"))
    let directory = try Program.run("ledger", "blocks", "--data", "/nowhere")
    #expect(directory.status == 66)
    #expect(directory.errorLines.count == 1)
  }
}
