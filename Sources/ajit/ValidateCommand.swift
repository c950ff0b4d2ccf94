import ArgumentParser
import Foundation
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
      var worst = ExitStatus.asExpected
      for path in files {
        do {
          let (file, _) = try Files.topology(path)
          Terminal.write("\(path): ok: \(Self.summary(file.topology))\n")
        } catch let refused as TopologyRefused {
          FileHandle.standardError.write(Data("\(refused)\n".utf8))
          worst = .badData
        }
      }
      return worst
    }
  }

  static func summary(_ topology: Topology) -> String {
    func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }
    return [
      counted(topology.operators.count, "operator"), counted(topology.regulators.count, "regulator"),
      counted(topology.operators.reduce(0) { $0 + $1.contracts.count }, "contract"),
      counted(topology.customers.count, "customer"),
      counted(topology.customers.reduce(0) { $0 + $1.activations.count }, "activation"),
    ].joined(separator: ", ")
  }
}
