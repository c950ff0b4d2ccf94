import Messages
import Testing

@testable import Topology

/// `faults:` is read, and written again so that it reads the same.
@Suite struct FaultTests {
  private static func full() throws -> [Topology.Fault] {
    try TopologyParser.parse(try Files.bytes(Files.fixtures.appending(path: "full.yaml")), file: "full").topology.faults
  }

  @Test func everyKindIsInTheFullFile() throws {
    let kinds = Set(try Self.full().map(\.kindName))
    #expect(kinds == Set(Topology.Fault.KindName.allCases))
  }

  @Test func whatIsWrittenReadsBack() throws {
    let text = String(decoding: try Files.bytes(Files.fixtures.appending(path: "full.yaml")), as: UTF8.self)
    let faults = Array(try Self.full().reversed())
    let again = FaultSection.replace(in: text, by: faults, remarks: ["the other way round"])
    #expect(try TopologyParser.parse(Array(again.utf8), file: "again").topology.faults == faults)
    let none = FaultSection.replace(in: again, by: [], remarks: [])
    #expect(try TopologyParser.parse(Array(none.utf8), file: "none").topology.faults.isEmpty)
  }

  @Test func aSectionInTheMiddleIsReplacedAndNothingElse() {
    let text = "name: a\nfaults:\n  - { at: 1s }\n# more\n  - { at: 2s }\nseed: 3\n"
    let fault = Topology.Fault(at: .height(4), .crash([.init(ActorAddress(.edge, "e"))], down: .milliseconds(1500)))
    #expect(
      FaultSection.replace(in: text, by: [fault], remarks: ["why"])
        == """
        name: a
        seed: 3

        # why
        faults:
          - { at: { height: 4 }, kind: crash, actors: [edge/e], down: 1500ms }

        """)
  }

  @Test func somePlacesAreOnlySimulated() {
    let actor = [Topology.ActorPattern(ActorAddress(.validator, "a"))]
    let links = Topology.Links(between: actor)
    func places(_ kind: Topology.Fault.Kind, at trigger: Topology.FaultTrigger = .height(1)) -> Topology.Fault.Places {
      Topology.Fault(at: trigger, kind).places
    }
    #expect(places(.crash(actor, down: nil)) == .simulatedAndSpread)
    #expect(places(.crash(actor, down: nil), at: .persist(1)) == .simulated)
    #expect(places(.disturbance(links, .init(delay: .seconds(1)), lasting: nil)) == .simulatedAndSpread)
    #expect(places(.disturbance(links, .init(loss: 1), lasting: nil)) == .simulated)
    #expect(places(.partition(.init(between: actor, plane: .data), lasting: nil)) == .simulated)
    #expect(places(.fullDisk(actor, lasting: .seconds(1))) == .simulated)
  }
}
