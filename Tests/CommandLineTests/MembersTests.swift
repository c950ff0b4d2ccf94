import FixtureSupport
import Foundation
import Glibc
import Testing

/// Member changes on a running consortium of real processes, by the commands that operators use.
@Suite(.serialized, .limit(minutes: 3))
struct MembersTests {
  private typealias Object = [String: Any]

  private func objects(_ outcome: Program.Outcome) throws -> [Object] {
    try outcome.outputLines.map { line in
      try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? Object)
    }
  }

  private func members(_ data: String) throws -> [Object] {
    try objects(try Program.run("members", "list", "--data", data, "--json"))
  }

  /// Reads what the run says until the ledger here shows a condition.
  private func wait(_ run: SpreadRun, until holds: () throws -> Bool) throws -> Bool {
    let end = ContinuousClock.now + .seconds(60 * TimeFactor.value)
    while ContinuousClock.now < end {
      if try holds() { return true }
      _ = try run.step(within: 200)
    }
    return false
  }

  @Test func `an operator joins, a key is rotated, a regulator leaves, and the ledger holds`() throws {
    let folder = try Folder()
    let (data, change) = (folder.path + "/data", folder.path + "/change.cbor")
    let run = try SpreadRun(Program.topology("members"), data, isEndless: true, "--restart")
    func command(_ arguments: String...) throws -> Program.Outcome {
      try Program.start(arguments + ["--data", data]).outcome()
    }
    func accepted(_ outcome: Program.Outcome) {
      #expect(outcome.status == 0, "\(outcome.errors) \(outcome.output)")
    }
    #expect(try wait(run) { try members(data).count == 5 })

    // Echo joins: three approvals are too few of five members' quorum, four are enough.
    accepted(try command("members", "propose", change, "--join", "echo"))
    accepted(try command("members", "approve", change, "--as", "alpha", "--as", "bravo", "--as", "watch"))
    #expect(try command("members", "submit", change).status == 64)
    accepted(try command("members", "approve", change, "--as", "charlie"))
    accepted(try command("members", "submit", change))
    #expect(
      try wait(run) { try members(data).contains { $0["member"] as? String == "echo" && $0["number"] as? Int == 5 } })

    // Alpha's key: made, held by its node after a restart, and rotated in.
    let old = try members(data).first { $0["member"] as? String == "alpha" }?["key"] as? String
    accepted(try command("members", "rotate", "alpha", "--prepare"))
    if let node = run.processes["alpha"] { kill(node, SIGKILL) }
    #expect(try wait(run) { run.areAllBack })
    accepted(try command("members", "rotate", "alpha"))
    let new = try members(data).first { $0["member"] as? String == "alpha" }?["key"] as? String
    #expect(new != nil && new != old)

    // The regulator leaves, and its key cannot approve that.
    accepted(try command("members", "propose", change, "--leave", "watch"))
    accepted(try command("members", "approve", change))
    accepted(try command("members", "submit", change))
    #expect(try wait(run) { try members(data).allSatisfy { $0["member"] as? String != "watch" } })

    let status = try objects(try command("ledger", "status", "--json"))
    #expect(status.count == 6)
    run.program.terminate()
    while try run.step() != .ended {}
    let verified = try command("ledger", "verify", "--json")
    #expect(verified.status == 0, "\(verified.errors)")
    // A ledger does not contradict itself, nor a copy of it in a file.
    let export = folder.path + "/ledger"
    accepted(try command("ledger", "export", export, "--member", "echo"))
    let judged = try Program.run("ledger", "judge", data, export)
    #expect(judged.status == 0, "\(judged.errors) \(judged.output)")
  }
}
