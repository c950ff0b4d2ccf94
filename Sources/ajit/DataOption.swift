import ArgumentParser
import Foundation
import Node
import Topology

/// `--data DIR` of the commands that look at a consortium.
struct DataOption: ParsableArguments {
  @Option(
    help: "Data directory of the consortium; if left out, the only one under \(DataOption.home).",
    completion: .directory)
  var data: String?

  /// Where `ajit up` keeps data when nobody says otherwise, under the current directory.
  static let home = ".ajit"

  static func defaultDirectory(_ topology: Topology, node: String?) -> String {
    "\(home)/\(topology.name)" + (node.map { "-\($0)" } ?? "")
  }

  var directory: String {
    get throws {
      if let data { return data }
      let found = ((try? FileManager.default.contentsOfDirectory(atPath: Self.home)) ?? []).sorted()
      guard let only = found.first else {
        throw CommandFailure(
          .missingInput, "there is no data directory under \(Self.home): name one with --data, or run `ajit up` first")
      }
      guard found.count == 1 else {
        throw CommandFailure(
          .usage, "\(Self.home) holds \(found.joined(separator: ", ")): say which with --data \(Self.home)/NAME")
      }
      return "\(Self.home)/\(only)"
    }
  }

  var consortium: StoredConsortium { get throws { try StoredConsortium.read(directory) } }
}
