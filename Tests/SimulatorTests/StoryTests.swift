import Foundation
import Messages
import Testing

@testable import Simulator

/// Short scenarios as topology files (Tests/Fixtures/stories): each says in its first line what happens, and under
/// `expect` how it ends. One for every way an activation can change or end that needs no coalition.
@Suite struct StoryTests {
  static func names() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: Topologies.stories.path).filter { $0.hasSuffix(".yaml") }
      .map { String($0.dropLast(".yaml".count)) }.sorted()
  }

  @Test(arguments: try names(), Seeds.few(2)) func endsAsItSays(name: String, seed: UInt64) throws {
    let result = try Simulation(topology: Topologies.story(name), seed: seed).run()
    #expect(result.defects == [])
    #expect(result.surprises == [], "\(result.summary)")
    expectNothingLocked(result)
  }

  /// Lost messages cost time, and may cost an epoch its record; nobody who is there is convicted of silence (M3), and
  /// nothing stays locked.
  @Test(arguments: try names(), Seeds.few(2)) func nobodyHonestLosesOnABadDay(name: String, seed: UInt64) throws {
    let result = try Simulation(topology: Topologies.story(name), seed: seed, conditions: .lossy).run()
    #expect(result.defects == [])
    expectNothingLocked(result)
  }

  /// Once an edge believed in a handover that the ledger refused; once one that became final while a record was being
  /// signed was forgotten with the account that the record was computed from.
  @Test(arguments: [("there-and-back", 103), ("both-ends-move", 200)])
  func whoServesIsNeverInDispute(name: String, seed: UInt64) throws {
    let result = try Simulation(topology: Topologies.story(name), seed: seed, conditions: .lossy).run()
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
