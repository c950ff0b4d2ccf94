import Effects
import Foundation
import Messages
import Signing
import Testing
import Topology

@testable import ajit

/// What people and machines are told while a scenario runs.
struct ScenarioTests {
  private let customer = ActorAddress(.customer, "hospital")
  private let id = ActivationID(Digest(label: "test", []))
  private let start = Instant(nanoseconds: 1_000_000_000_000)

  private func scenario() throws -> Scenario {
    let path = Program.topology("remote-surgery")
    let text = [UInt8](try Data(contentsOf: URL(filePath: path)))
    return Scenario(try TopologyParser.parse(text, file: path).topology)
  }

  private func step(_ step: ActivationStep, _ scenario: inout Scenario) -> News? {
    scenario.take(customer, .activation(id, step), at: start)
  }

  private func submitted() -> ActivationStep {
    .submitted(label: "operation", contract: ContractID(value: .zero), customer: "hospital")
  }

  @Test func `an activation is told from order to reservation`() throws {
    var scenario = try scenario()
    #expect(
      step(submitted(), &scenario)?.text == "operation: hospital orders 8 epochs of alpha/remote-surgery")
    #expect(step(.requested, &scenario)?.text == "operation: REQUESTED: on the ledger, escrow locked")
    #expect(
      step(.reserved(startAt: start + .milliseconds(1500)), &scenario)?.text
        == "operation: RESERVED: bond locked, epoch 1 begins in 1.5 s")
    #expect(scenario.activations.first?.phase == .reserved)
  }

  @Test func `reports that overtake each other never take an activation back`() throws {
    var scenario = try scenario()
    _ = step(submitted(), &scenario)
    _ = step(.reserved(startAt: start), &scenario)
    _ = step(.requested, &scenario)
    #expect(scenario.activations.first?.phase == .reserved)
  }

  @Test func `every member reports a block, it is told once`() throws {
    var scenario = try scenario()
    let told = ["alpha", "bravo", "charlie"].compactMap { name in
      scenario.take(
        ActorAddress(.validator, name), .blockFinal(height: 1, view: 1, transactions: 2, blockTime: start), at: start)
    }
    #expect(told.count == 1)
    #expect(scenario.height == 1 && scenario.transactions == 2)
    #expect(told.first?.isForPeople == false)
  }

  @Test func `news are one JSON object on one line`() throws {
    var scenario = try scenario()
    let news = try #require(step(submitted(), &scenario))
    let text = try JSONLine.text(NewsLine(news, elapsed: .milliseconds(1234)))
    #expect(!text.contains("\n"))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(object["type"] as? String == "activation")
    #expect(object["elapsedMs"] as? Int == 1234)
    let activation = try #require(object["activation"] as? [String: Any])
    #expect(activation["id"] as? String == id.hexadecimal)
    #expect(activation["label"] as? String == "operation")
  }

  @Test func `long news wrap under their own beginning`() {
    let terminal = Terminal(environment: ["TERM": "xterm", "NO_COLOR": "1"], isTerminal: true)
    let width = terminal.size.width
    let lines = News(.phase, String(repeating: "word ", count: 60)).lines(elapsed: .seconds(1), terminal)
    #expect(lines.count > 1)
    #expect(lines.allSatisfy { $0.count <= width })
    #expect(lines[0].hasPrefix("  1.000  word"))
    #expect(lines[1].hasPrefix("           word"))
  }

  /// The same file and seed are the same history in any process, and end as the topology says.
  @Test func `a simulation settles, and its last line says everything`() throws {
    func result() throws -> [String: Any] {
      let outcome = try Program.run("simulate", Program.topology("remote-surgery"), "--seed", "3", "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      let last = try #require(outcome.outputLines.last)
      return try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
    }
    let first = try result()
    #expect(first["type"] as? String == "result")
    #expect(first["conserved"] as? Bool == true)
    let activation = try #require((first["activations"] as? [[String: Any]])?.first)
    for key in [
      "id", "label", "contract", "customer", "state", "statusInfo", "settlement", "epochs", "verdicts", "escrow",
      "bond", "paid", "refunded", "penalty", "differences",
    ] {
      #expect(activation[key] != nil, "\(key)")
    }
    #expect(activation["state"] as? String == "SETTLED")
    let hash = (first["simulation"] as? [String: Any])?["traceHash"] as? String
    #expect(hash?.count == 64)
    #expect(((try result()["simulation"]) as? [String: Any])?["traceHash"] as? String == hash)
  }
}

/// What an interruption changes in a report, and what not.
struct InterruptedReportTests {
  private let start = Instant(nanoseconds: 1_000_000_000_000)

  private func report(endedAt: Instant?, isConserved: Bool = true) throws -> ScenarioReport {
    let path = Program.topology("remote-surgery")
    let topology = try TopologyParser.parse([UInt8](try Data(contentsOf: URL(filePath: path))), file: path).topology
    let customer = try #require(topology.customers.first)
    let planned = try #require(customer.activations.first)
    // Refused is not what the topology expects.
    let activation = ScenarioReport.Activation(
      planned: planned, customer: customer.name, topology: topology, id: nil,
      end: endedAt == nil ? .underWay("serving") : .refused("too late"),
      milestones: .init(requestedAt: start - .seconds(5), endedAt: endedAt))
    return ScenarioReport(name: topology.name, activations: [activation], height: 1, isConserved: isConserved)
  }

  @Test func `differences are notes, and the run a success`() throws {
    var report = try report(endedAt: start + .seconds(1))
    #expect(report.foundUnfinished(at: start))
    #expect(report.status == .notAsExpected && report.notes.isEmpty && !report.complaints.isEmpty)
    report.isInterrupted = true
    #expect(report.status == .asExpected && report.complaints.isEmpty)
    #expect(report.notes.allSatisfy { $0.hasPrefix("interrupted run: ") } && !report.notes.isEmpty)
  }

  @Test func `money that is gone, or an end that never comes, is still a failure`() throws {
    var lost = try report(endedAt: start + .seconds(1), isConserved: false)
    lost.isInterrupted = true
    #expect(lost.status == .notAsExpected)
    var endless = try report(endedAt: nil)
    endless.isInterrupted = true
    #expect(endless.status == .notAsExpected && !endless.complaints.isEmpty)
  }

  @Test func `what was over before the run began was not interrupted`() throws {
    #expect(try !report(endedAt: start - .seconds(1)).foundUnfinished(at: start))
  }
}
