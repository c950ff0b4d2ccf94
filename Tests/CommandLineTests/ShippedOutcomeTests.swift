import FixtureSupport
import Foundation
import Testing

/// Every topology that is shipped, run as one process, as one process per node, and simulated: the same outcomes.
///
/// What is run is the file with tolerant verdicts (``TolerantTopology`` says what and why), so nothing here is tried
/// again: one run of each must be as the file expects, down to every verdict. Unless others took the cores away from it
/// (``ProcessorPressure``): then verdicts are not compared, and whether anything was served in time only where times
/// were made to fit the machine (``TimeFactor``). What remains always holds: everything ends, money is conserved,
/// every member's ledger can be verified. Of `population.yaml` a handful stands for the thousand.
@Suite(.serialized, .limit(minutes: 5))
struct ShippedOutcomeTests {
  private typealias Object = [String: Any]

  /// Whatever there is: a new file is run without a word here.
  static let names: [String] = {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: Program.root.path + "/topologies")) ?? []
    return files.filter { $0.hasSuffix(".yaml") }.map { String($0.dropLast(".yaml".count)) }.sorted()
  }()

  @Test func `there is something to run`() { #expect(Self.names.count >= 5) }

  @Test(arguments: names) func `one process, many, and virtual time come to the same`(_ name: String) throws {
    let folder = try Folder()
    let file = try TolerantTopology.write(name, to: folder)
    let (one, many) = (folder.path + "/one", folder.path + "/many")
    // A dozen processes that start take both cores for some seconds; then two consortia are a quiet company.
    let pressure = ProcessorPressure()
    let spread = try SpreadRun(file, many)
    try spread.until { $0.isRunning }
    let whole = try Program.start("up", file, "--data", one, "--until-settled", "--json")
    let simulated = try Self.result(try Program.run("simulate", file, "--json"))
    let outcomes = try Program.outcomes(of: [whole, spread.program])
    let (isCalm, percent) = (pressure.isCalm, pressure.percent.map { "\($0)" } ?? "unknown")
    let isInTime = isCalm || TimeFactor.value > 1
    let results = try outcomes.map(Self.result)
    for (outcome, result) in zip(outcomes, results) {
      let story: Comment = "processor pressure \(percent) %: \(outcome.errors) \(result["complaints"] ?? "")"
      #expect(outcome.status == 0 || !isCalm && outcome.status == 2, story)
    }
    for (result, isExact) in zip(results + [simulated], [isCalm, isCalm, true]) {
      for key in ["settled", "conserved"] { #expect(result[key] as? Bool == true, "\(key)") }
      #expect((result["notes"] as? [String]) == [])
      if isExact {
        #expect(result["asExpected"] as? Bool == true)
        #expect((result["complaints"] as? [String]) == [])
      }
      try Self.expectWhole(result)
    }
    if !isCalm {
      let what = isInTime ? "verdicts" : "outcomes"
      print("\(name): \(what) were not compared, at a processor pressure of \(percent) %: see AJIT_TIME_FACTOR")
    }
    try Self.expectSameMoney(results + [simulated])
    try expectData(one, many, file)
    guard isInTime else { return }
    let essences = try (results + [simulated]).map { result in
      try Self.activations(result).map { Essence($0, isCalm: isCalm) }
    }
    #expect(essences[0] == essences[2], "one process and the simulation")
    #expect(essences[1] == essences[2], "many processes and the simulation")
  }

  // MARK: What must be the same

  /// Whatever no clock measures: how an activation ended, what was booked and locked for it, what was refused. Whether
  /// somebody who moves was handed over before the service ended is a race that a machine without cores loses.
  private struct Essence: Equatable {
    private let facts: [String]

    init(_ activation: Object, isCalm: Bool) {
      let epochs = activation["epochs"] as? [String: Int] ?? [:]
      let rules = (activation["verdicts"] as? [Object] ?? []).map { "\($0["segment"] ?? "") \($0["rule"] ?? "")" }
      let keys =
        [
          "label", "customer", "contract", "state", "statusInfo", "settlement", "segments", "escrow", "bond",
          "rejection",
        ] + (isCalm ? ["handovers"] : [])
      facts = keys.map { "\($0) \(activation[$0] ?? "")" } + ["epochs \(epochs.values.reduce(0, +))"] + rules
    }
  }

  /// Amounts follow from outcomes: who came to the same counts pays the same, to the last unit.
  private static func expectSameMoney(_ results: [Object]) throws {
    var amounts: [String: [String]] = [:]
    for activation in try results.flatMap(activations) {
      let money = ["escrow", "bond", "paid", "refunded", "penalty"].map { "\($0) \(activation[$0] ?? "")" }
      let counts = try [activation["label"], activation["epochs"], activation["verdicts"]].map { value in
        let data = try JSONSerialization.data(withJSONObject: value ?? "", options: [.sortedKeys, .fragmentsAllowed])
        return String(decoding: data, as: UTF8.self)
      }
      #expect(amounts[counts.joined(), default: money] == money, "\(counts)")
      amounts[counts.joined()] = money
      let (escrow, paid, refunded) = (
        activation["escrow"] as? Int, activation["paid"] as? Int, activation["refunded"] as? Int
      )
      #expect(try #require(paid) + #require(refunded) == escrow, "\(counts)")
    }
  }

  // MARK: What each must have

  private static func expectWhole(_ result: Object) throws {
    for activation in try activations(result) {
      for key in ["id", "state", "statusInfo", "settlement", "epochs", "verdicts", "paid", "times", "differences"] {
        #expect(activation[key] != nil, "\(key)")
      }
    }
  }

  private func expectData(_ one: String, _ many: String, _ file: String) throws {
    for data in [one, many] {
      let verified = try Program.run("ledger", "verify", "--data", data)
      #expect(verified.status == 0, "\(verified.errors)")
    }
    #expect(try Program.run("keys", "show", "--data", many).status == 0)
    // What is spread is not started as one process.
    let refused = try Program.run("up", file, "--data", many)
    #expect(refused.status == 65 && refused.errorLines.count == 1, "\(refused.errors)")
  }

  private static func activations(_ result: Object) throws -> [Object] {
    try #require(result["activations"] as? [Object])
  }

  private static func result(_ outcome: Program.Outcome) throws -> Object {
    try SpreadRun.object(try #require(outcome.outputLines.last, "\(outcome.errors)"))
  }
}
