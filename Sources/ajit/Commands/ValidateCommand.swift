import ArgumentParser
import Topology

struct ValidateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Check topology files; every error with line and column.",
    discussion: """
      ajit validate topologies/*.yaml

      Errors are FILE:LINE:COL: error: what is wrong and what to do. Exit status 65 when a file has one.
      """)

  @Argument(help: "Topology files (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var files: [String]

  func run() async throws {
    try await reporting {
      // Every file gets its turn; the first thing wrong decides the status.
      var status = CommandStatus.asExpected
      for path in files {
        do {
          let (topology, _) = try Files.topology(path)
          Terminal.write("\(path): ok: \(Self.summary(topology))\n")
        } catch {
          report(error)
          if status == .asExpected { status = CommandStatus(error) }
        }
      }
      return status
    }
  }

  static func summary(_ topology: Topology) -> String {
    [
      Wording.counted(topology.operators.count, "operator"), Wording.counted(topology.regulators.count, "regulator"),
      Wording.counted(topology.operators.reduce(0) { $0 + $1.contracts.count }, "contract"),
      Wording.counted(topology.customers.count, "customer"),
      Wording.counted(topology.customers.reduce(0) { $0 + $1.activations.count }, "activation"),
    ].joined(separator: ", ")
  }
}
