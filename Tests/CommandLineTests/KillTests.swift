import FixtureSupport
import Foundation
import Glibc
import Testing

/// `kill -9` of any process of a spread consortium, at any moment, under traffic: whatever was FINAL stays, nothing is
/// settled twice, money is conserved, and the scenario still ends.
///
///     AJIT_KILLS=50 AJIT_FIRST_SEED=7 AJIT_KILL_TOPOLOGY=remote-surgery ops/soak kill
@Suite(.serialized, .limit(minutes: 60))
struct KillTests {
  private static func setting(_ name: String, _ otherwise: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) } ?? otherwise
  }

  /// Kills in all, and in one scenario: so many that it still has undisturbed moments.
  private static let kills = setting("AJIT_KILLS", 4)
  private static let killsPerScenario = 4
  private static let firstSeed = setting("AJIT_FIRST_SEED", 1)
  private static let topology = ProcessInfo.processInfo.environment["AJIT_KILL_TOPOLOGY"] ?? "spread"
  /// A moment is drawn from so many milliseconds after the last killed one is back.
  private static let longestPauseMs: UInt64 = 1_500

  static var seeds: [Int] { Array(firstSeed..<firstSeed + (kills + killsPerScenario - 1) / killsPerScenario) }

  @Test(arguments: seeds) func `whoever is killed comes back, and nothing that was FINAL is lost`(seed: Int) throws {
    let folder = try Folder()
    let data = folder.path + "/data"
    var random = SeededGenerator(seed: UInt64(seed))
    let run = try SpreadRun(Program.topology(Self.topology), data, "--restart")
    try run.until { $0.hasRecorded }
    var killed: [String] = []
    while killed.count < Self.killsPerScenario, run.result == nil {
      guard let victim = try victim(of: run, &random) else { break }
      killed.append(victim.name)
      kill(victim.process, SIGKILL)
    }
    while try run.step() != .ended {}
    let outcome = try run.program.outcome()
    let story: Comment = "seed \(seed), killed \(killed): \(outcome.errors)"
    let result = try #require(run.result, story)
    #expect(result["settled"] as? Bool == true, story)
    #expect(result["conserved"] as? Bool == true, story)
    // 2: epochs that nobody could measure are not what the file expects of an undisturbed run.
    #expect(outcome.status == 0 || outcome.status == 2, story)
    try expectEnds(result, story)
    try expectLedgers(data, run, story)
    print("killed \(killed.joined(separator: ", ")) (seed \(seed))")
    for (node, ms) in run.returns { print("returned \(node) after \(ms) ms (seed \(seed))") }
  }

  /// Waits a random while, then picks any process that is there.
  private func victim(
    of run: SpreadRun, _ random: inout SeededGenerator
  ) throws -> (name: String, process: Int32)? {
    let end = ContinuousClock.now + .milliseconds(Int(random.next() % Self.longestPauseMs))
    // All are back first: the ledger has to outlive one failure at a time, not a massacre.
    while ContinuousClock.now < end || !run.areAllBack {
      if try run.step(within: 20) == .ended || run.result != nil { return nil }
    }
    let candidates =
      run.processes.keys.sorted().compactMap { name in run.processes[name].map { (name, $0) } }
      + run.enclaves.map { ("enclave process", $0) }
    let picked = candidates[Int(random.next() % UInt64(candidates.count))]
    return (picked.0, picked.1)
  }

  /// As sla.md says: every activation is over, every booked epoch has one outcome, and no cause is a breach of
  /// protocol by anybody.
  private func expectEnds(_ result: [String: Any], _ story: Comment) throws {
    for activation in try #require(result["activations"] as? [[String: Any]]) {
      let state = activation["state"] as? String
      #expect(state == "SETTLED" || state == "NULLIFIED", story)
      #expect(activation["statusInfo"] as? String != "RECEIPT_WITHHELD", story)
      let amounts = ["escrow", "paid", "refunded", "penalty"].map { activation[$0] as? Int ?? 0 }
      #expect(amounts[1] + amounts[2] == amounts[0] && amounts[3] <= activation["bond"] as? Int ?? 0, story)
    }
  }

  /// All members hold one ledger from the genesis, with every block that any of them had called FINAL, and in it every
  /// activation ends once.
  private func expectLedgers(_ data: String, _ run: SpreadRun, _ story: Comment) throws {
    let verified = try Program.run("ledger", "verify", "--data", data, "--json")
    #expect(verified.status == 0, "\(story) \(verified.output) \(verified.errors)")
    let members = try verified.outputLines.map(SpreadRun.object).filter { $0["type"] as? String == "member" }
    let longest = try #require(
      members.max { ($0["height"] as? Int ?? 0) < ($1["height"] as? Int ?? 0) }?["member"] as? String)
    var transactions: [Int: Int] = [:]
    let listed = try Program.run("ledger", "blocks", "--data", data, "--member", longest, "--json")
    for line in try listed.outputLines.map(SpreadRun.object) {
      transactions[try #require(line["height"] as? Int)] = try #require(line["transactions"] as? Int)
    }
    for (height, count) in run.blocks.sorted(by: { $0.key < $1.key }) {
      #expect(transactions[height] == count, "block \(height): \(story)")
    }
    // Nobody is convicted: what a crash makes an honest party leave out is no second statement.
    let listing = try Program.run("ledger", "transactions", "--data", data, "--member", longest, "--json").outputLines
    for line in try listing.map(SpreadRun.object) where line["action"] as? String == "Dispute" {
      #expect((line["details"] as? String)?.contains("two statements") == false, story)
    }
    let ended = try Program.run("ledger", "activations", "--data", data, "--member", longest, "--json").outputLines
    let ids = try ended.map { try #require(SpreadRun.object($0)["id"] as? String) }
    #expect(Set(ids).count == ids.count, story)
  }
}
