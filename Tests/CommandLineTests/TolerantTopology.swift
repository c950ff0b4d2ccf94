import FixtureSupport
import Foundation
import Yams

/// A shipped topology as a test can run it on any machine without luck: the same organisations, contracts, orders and
/// expectations, but what is promised about packets is judged so that only half an epoch of them can break it. The
/// shipped bounds leave room for stalls of some tens of milliseconds, as a person's machine has them; a test's machine
/// also has neighbours. Verdicts that the file means to be bad stay bad: a path that is 80 ms too slow is so for every
/// packet, and five nines cannot be judged whatever the bound.
///
/// On a slow machine (``TimeFactor``) every duration of the file, delays of paths included, is that many times longer.
enum TolerantTopology {
  /// - Parameters:
  ///   - name: of the shipped file.
  ///   - members: how many stand for the thousand of `population`, one every so many milliseconds.
  /// - Returns: the path of the written file.
  static func write(
    _ name: String, to folder: Folder, members: Int = Self.members, everyMilliseconds: Int = 300
  ) throws -> String {
    let text = try String(contentsOfFile: Program.topology(name), encoding: .utf8)
    guard let shipped = try Yams.compose(yaml: text) else { throw Unreadable(name: name) }
    var topology = rewritten(shipped, under: "")
    if name == "population" { shrink(&topology, members, everyMilliseconds) }
    let file = folder.url.appending(path: "\(name).yaml")
    try Data(Yams.serialize(node: topology).utf8).write(to: file)
    return file.path
  }

  struct Unreadable: Error {
    let name: String
  }

  // MARK: Any topology

  private static func rewritten(_ node: Node, under key: String) -> Node {
    switch node {
    case .scalar(let scalar):
      return scaled(scalar.string, under: key).map { Node($0) } ?? node
    case .sequence(let sequence):
      return Node(sequence.map { rewritten($0, under: key) })
    case .mapping(let mapping):
      var pairs = mapping.map { ($0.key, rewritten($0.value, under: $0.key.string ?? "")) }
      if let metric = mapping["metric"]?.string, mapping["window"] == nil, mapping["rule"] == nil {
        pairs = pairs.map { ($0.0, loosened(metric, $0.0.string ?? "") ?? $0.1) }
      }
      return Node(pairs)
    case .alias: return node
    }
  }

  /// A rule's bound, or statistic; nil where it stays.
  private static func loosened(_ metric: String, _ key: String) -> Node? {
    switch (metric, key) {
    case ("oneWayDelay", "statistic"): Node("p50")
    case ("lossRatio", "atMost"): Node("50%")
    case ("throughput", "atLeast"), ("availability", "atLeast"): Node("10%")
    case ("survivalTime", "atMost"): Node("\(900 * TimeFactor.value)ms")
    default: nil
    }
  }

  /// Durations, and counts of what happens in them.
  private static func scaled(_ text: String, under key: String) -> String? {
    guard TimeFactor.value > 1 else { return nil }
    if key == "droppedByPolicy" {
      let bounds = text.components(separatedBy: "..").compactMap { Int($0) }
      return bounds.map { "\($0 * TimeFactor.value)" }.joined(separator: "..")
    }
    guard let match = text.wholeMatch(of: #/(\d+)(us|ms|s|min|h)/#), let count = Int(match.1) else { return nil }
    return "\(count * TimeFactor.value)\(match.2)"
  }

  // MARK: The population

  static let members = 6

  /// So many meters of the thousand, which ask for more than a test's machine has; one after the other, sooner.
  private static func shrink(_ topology: inout Node, _ members: Int, _ everyMilliseconds: Int) {
    topology["customers"]?[0]?["count"] = Node("\(members)")
    topology["customers"]?[0]?["every"] = Node("\(everyMilliseconds * TimeFactor.value)ms")
    topology["customers"]?[0]?["enclaveProcesses"] = Node("2")
    topology["customers"]?[0]?["activations"]?[0]?["at"] = Node("\(5 * TimeFactor.value)s")
  }
}
