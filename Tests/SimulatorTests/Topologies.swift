import Foundation
import Messages
import Testing
import Topology

@testable import Simulator

/// The topology files that are shipped.
enum Topologies {
  static func shipped(_ name: String) throws -> Topology {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "topologies/\(name).yaml")
    return try TopologyParser.parse(Array(Data(contentsOf: file)), file: file.lastPathComponent).topology
  }

  /// Short scenarios, one file each; all without a warning.
  static let stories = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/stories")

  static func story(_ name: String) throws -> Topology {
    let file = stories.appending(path: "\(name).yaml")
    let read = try TopologyParser.parse(Array(Data(contentsOf: file)), file: file.lastPathComponent)
    #expect(read.warnings.isEmpty)
    #expect(read.topology.name == name)
    return read.topology
  }

  /// The same with half of the packets, for tests that are about something else. Fewer, and an epoch would have too few
  /// samples to be judged.
  static func quiet(_ name: String) throws -> Topology {
    var topology = try shipped(name)
    for customer in topology.customers.indices {
      for activation in topology.customers[customer].activations.indices {
        topology.customers[customer].activations[activation].up.packetsPerSecond /= 2
        topology.customers[customer].activations[activation].down.packetsPerSecond /= 2
      }
    }
    return topology
  }
}

extension SimulationResult {
  /// One line per activation, for a failed test's reader.
  var summary: String {
    activations.map { "\($0.label): \($0.end)" }.joined(separator: "\n")
  }
}

/// Whatever goes wrong, every activation that reached the ledger ends in a final state and nothing stays locked. In the
/// shipped topologies one path is worse than its plan, `bus-control`'s: the others end without a penalty, unless the
/// operator itself is to blame.
func expectOnlyTheGuiltyPay(_ result: SimulationResult, operatorIsGuilty: Bool = false) {
  for activation in result.activations {
    switch activation.end {
    case .ended(let end):
      #expect(end.state.isFinal, "\(activation.label)")
      let mayBePunished = operatorIsGuilty || activation.label == "bus-control"
      #expect(end.money.penalty == 0 || mayBePunished, "\(activation.label): \(end)")
    case .refused: break
    case .unfinished(let state): Issue.record("\(activation.label) is not over: \(String(describing: state))")
    }
  }
  #expect(result.membersAgree && result.money?.escrows == 0 && result.money?.bonds == 0)
}
