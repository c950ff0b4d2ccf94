import Foundation
import Messages
import Testing
import Topology

@testable import Simulator

/// Short scenarios as topology files (Tests/Fixtures/stories): each says in its first line what happens, and under
/// `expect` how it ends. One for every way an activation can change or end that needs no coalition.
@Suite struct StoryTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/stories")

  static func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".yaml") }
      .map { String($0.dropLast(".yaml".count)) }.sorted()
  }

  private func story(_ name: String) throws -> Topology {
    let file = Self.folder.appending(path: "\(name).yaml")
    let read = try TopologyParser.parse(Array(Data(contentsOf: file)), file: file.lastPathComponent)
    #expect(read.warnings.isEmpty)
    #expect(read.topology.name == name)
    return read.topology
  }

  @Test(arguments: try names(), Seeds.few(2)) func endsAsItSays(name: String, seed: UInt64) throws {
    let result = try Simulation(topology: story(name), seed: seed).run()
    #expect(result.defects == [])
    #expect(result.surprises == [], "\(result.summary)")
    expectNothingLocked(result)
  }

  /// Lost messages cost time, and may cost an epoch its record; nobody who is there is convicted of silence (M3), and
  /// nothing stays locked.
  @Test(arguments: try names(), Seeds.few(2)) func nobodyHonestLosesOnABadDay(name: String, seed: UInt64) throws {
    let result = try Simulation(topology: story(name), seed: seed, conditions: .lossy).run()
    #expect(result.defects == [])
    expectNothingLocked(result)
  }

  private func expectNothingLocked(_ result: SimulationResult) {
    for activation in result.activations {
      if case .unfinished(let state) = activation.end {
        Issue.record("\(activation.label) is not over: \(String(describing: state))")
      }
    }
    #expect(result.membersAgree && result.money?.escrows == 0 && result.money?.bonds == 0)
  }
}
