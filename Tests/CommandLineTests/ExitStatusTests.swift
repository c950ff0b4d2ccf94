import Messages
import Node
import Storage
import Testing
import Topology

@testable import ajit

struct ExitStatusTests {
  @Test(arguments: [
    (NodeError.storage(.locked(path: "d", processID: 1)), ExitStatus.locked),
    (.storage(.newerFormat(path: "d", detail: "")), .badData),
    (.storage(.missing(path: "d")), .missingInput),
    (.storage(.unwritable(path: "d", detail: "")), .notPermitted),
    (.storage(.diskFull(path: "d")), .inputOutput),
    (.keyMissing(path: "k"), .missingInput),
    (.keyExposed(path: "k", mode: "644"), .notPermitted),
    (.topologyDiffers(directory: "d"), .badData),
    (.enclaveExecutableMissing(path: "e"), .unavailable),
    (.halted(actor: ActorAddress(.validator, "alpha"), detail: ""), .halted),
  ]) func `an error has one status`(error: NodeError, status: ExitStatus) {
    #expect(ExitStatus(error) == status)
    #expect(!error.description.contains("\n"), "one clear line")
  }

  @Test func `other errors, too`() {
    #expect(ExitStatus(TopologyRefused([])) == .badData)
    #expect(ExitStatus(LedgerProblem(member: "alpha", height: 3, "x")) == .badData)
    #expect(ExitStatus(StorageError.corrupt(path: "d", detail: "")) == .badData)
    #expect(ExitStatus(CommandFailure(.unavailable, "x")) == .unavailable)
    #expect(ExitStatus(CancellationError()) == .interrupted)
  }

  @Test func `help documents every status`() {
    let lines = ExitStatus.documentation.split(separator: "\n")
    #expect(lines.count == ExitStatus.allCases.count)
    for status in ExitStatus.allCases { #expect(lines.contains { $0.contains("\(status.rawValue)  ") }) }
  }
}
