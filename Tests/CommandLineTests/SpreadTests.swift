import FixtureSupport
import Foundation
import Glibc
import Testing

/// `ajit up --spread` and `--node` as a person runs them: one process per node, tcp and CURVE between them.
@Suite(.serialized, .limit(minutes: 3))
struct SpreadTests {
  /// Of remote-surgery: six members, four controllers, three edges, a customer; and an enclave beside the customer.
  private static let nodes = 14

  static func isThere(_ process: Int32) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
    return status.split(separator: ")").last?.split(separator: " ").first != "Z"
  }

  @Test func `a node that ends by itself ends the run, with its name and its last words, and all others end`() throws {
    let folder = try Folder()
    let run = try SpreadRun(Program.topology("remote-surgery"), folder.path + "/data")
    try run.until { $0.processes.count == Self.nodes && $0.hasRecorded }
    let processes = run.processes.values.map { $0 }
    let victim = try #require(run.processes["edge-alpha-edge"])
    kill(victim, SIGKILL)
    let outcome = try run.program.outcome()
    #expect(outcome.status == 70)
    #expect(outcome.errors.contains("node edge-alpha-edge stopped (signal 9)"), "\(outcome.errors)")
    #expect(!processes.contains(where: Self.isThere))
  }

  @Test func `nodes do not outlive who started them`() throws {
    let folder = try Folder()
    let run = try SpreadRun(Program.topology("remote-surgery"), folder.path + "/data")
    try run.until { $0.processes.count == Self.nodes }
    let processes = run.processes.values.map { $0 } + run.enclaves
    #expect(processes.count == Self.nodes + 1)
    kill(run.program.processID, SIGKILL)
    // The pipe of its output ends with the last who holds it, and its children hold none of it.
    _ = try run.program.outcome()
    while processes.contains(where: Self.isThere) { poll(nil, 0, 10) }
  }

  @Test func `nodes started one by one, last first, with their bundles, find each other`() throws {
    let folder = try Folder()
    let (file, keys) = (Program.topology("remote-surgery"), folder.path + "/keys")
    #expect(try Program.run("keys", "generate", file, "--out", keys).status == 0)
    let nodes = try FileManager.default.contentsOfDirectory(atPath: keys).filter { $0 == $0.lowercased() }
      .sorted { $0 > $1 }
    // The customer before anybody whom it could ask.
    let order = nodes.filter { $0.hasPrefix("customer") } + nodes.filter { !$0.hasPrefix("customer") }
    var running: [Running] = []
    for node in order {
      let program = try Program.start(
        "up", file, "--node", node, "--keys", "\(keys)/\(node)", "--data", "\(folder.path)/data/\(node)")
      guard case .line(let line) = program.next() else { throw SpreadRun.Ended() }
      #expect(line.hasPrefix("node \(node) ready: "))
      running.append(program)
    }
    // Whoever has the client bundle sees how it ends, and judges it like those who started it.
    let watched = try Program.run("watch", file, "--keys", keys + "/CLIENT", "--until-settled", "--json")
    #expect(watched.status == 0 || watched.status == 2, "\(watched.errors)")
    let result = try SpreadRun.object(try #require(watched.outputLines.last, "\(watched.errors)"))
    #expect(result["settled"] as? Bool == true && result["conserved"] as? Bool == true)
    let member = "\(folder.path)/data/validator-alpha"
    for program in running { program.terminate() }
    for program in running {
      let outcome = try program.outcome()
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    #expect(try Program.run("ledger", "verify", "--data", member).status == 0)
  }
}
