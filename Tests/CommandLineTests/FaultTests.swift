import Foundation
import Testing

/// `faults:` on the command line: in virtual time and, as far as they can, between processes.
@Suite(.serialized) struct FaultTests {
  private static func lastLine(_ outcome: Program.Outcome) throws -> [String: Any] {
    try SpreadRun.object(try #require(outcome.outputLines.last))
  }

  /// A shipped topology with other faults.
  private static func file(_ name: String, _ faults: String, in folder: Folder) throws -> String {
    let text = try String(contentsOfFile: Program.topology(name), encoding: .utf8)
    let path = folder.url.appending(path: "\(name).yaml").path
    try "\(text)\nfaults:\n\(faults)\n".write(toFile: path, atomically: true, encoding: .utf8)
    return path
  }

  @Test func `many seeds of chaos are one hash`() throws {
    func last() throws -> [String: Any] {
      let outcome = try Program.run(
        "simulate", Program.topology("remote-surgery"), "--seeds", "1..<3", "--chaos", "low", "--json")
      #expect(outcome.status == 0, "\(outcome.output) \(outcome.errors)")
      return try Self.lastLine(outcome)
    }
    let first = try last()
    #expect(first["type"] as? String == "result" && first["seeds"] as? Int == 2)
    #expect((first["failures"] as? [Any])?.isEmpty == true)
    #expect((first["traceHash"] as? String)?.count == 64)
    #expect(try last()["traceHash"] as? String == first["traceHash"] as? String)
  }

  /// What fails is left behind as a file with only the fault that matters, and that file fails in the same way.
  @Test func `a failure is told, made small and shown again`() throws {
    let folder = try Folder()
    let file = try Self.file(
      "remote-surgery",
      """
        - { at: 1s, kind: crash, actors: [validator/bravo], down: 300ms }
        - { at: 3s, kind: crash, actors: [validator/alpha, validator/bravo, validator/charlie] }
        - { at: 2s, kind: pause, actors: [validator/ofcom], for: 200ms }
      """, in: folder)
    let small = folder.url.appending(path: "small").path
    let outcome = try Program.run("simulate", file, "--limit", "25s", "--failures", small, "--json")
    #expect(outcome.status == 2)
    let failure = try #require((try Self.lastLine(outcome)["failures"] as? [[String: Any]])?.first)
    #expect(failure["faults"] as? Int == 1 && failure["faultsBefore"] as? Int == 3)
    let path = try #require(failure["schedule"] as? String)
    #expect(failure["replaySchedule"] as? String == "ajit simulate \(path) --seed 42 --limit 25s")
    let again = try Program.run("simulate", path, "--seed", "42", "--limit", "25s", "--failures", small, "--json")
    #expect(again.status == 2)
    let same = try #require((try Self.lastLine(again)["failures"] as? [[String: Any]])?.first)
    #expect(same["violated"] as? String == failure["violated"] as? String)
  }

  /// A member is killed and comes back with a torn log, another stands still, a third is cut off and comes back.
  @Test(.timeLimit(.minutes(5))) func `the same faults strike processes`() throws {
    let folder = try Folder()
    let file = try Self.file(
      "remote-surgery",
      """
        - { at: 1s, kind: crash, actors: [validator/bravo], down: 500ms }
        - { at: 2s, kind: tornWrite, actors: [validator/charlie], down: 500ms }
        - { at: { height: 6 }, kind: pause, actors: [validator/delta], for: 1s }
        - { at: 3s, kind: partition, between: [validator/ofcom], for: 2s }
        - { at: 3s, kind: disturbance, between: [validator/ceer], delay: 50ms, jitter: 20ms, for: 2s }
      """, in: folder)
    let outcome = try Program.run(
      "up", file, "--spread", "--until-settled", "--json", "--data", folder.url.appending(path: "data").path)
    #expect(outcome.status == 0, "\(outcome.outputLines.last ?? "") \(outcome.errors)")
    let struck = try outcome.outputLines.map { try SpreadRun.object($0) }.compactMap { line in
      (line["node"] as? [String: Any])?["state"] as? String == "struck" ? line["text"] as? String : nil
    }
    #expect(struck.contains { $0.contains("killed, back in 500 ms") })
    #expect(struck.contains { $0.contains("killed while it writes") })
    #expect(struck.contains { $0.contains("stopped for 1000 ms") })
    #expect(struck.contains { $0.contains("whole again") })
    #expect(try Self.lastLine(outcome)["conserved"] as? Bool == true)
  }
}
