import Messages
import Node
import Storage
import Testing
import Topology

@testable import ajit

struct CommandStatusTests {
  @Test(arguments: [
    (NodeError.storage(.locked(path: "d", processID: 1)), CommandStatus.locked),
    (.storage(.newerFormat(path: "d", detail: "")), .badData),
    (.storage(.missing(path: "d")), .missingInput),
    (.storage(.unwritable(path: "d", detail: "")), .notPermitted),
    (.storage(.diskFull(path: "d")), .inputOutput),
    (.keyMissing(path: "k"), .missingInput),
    (.keyExposed(path: "k", mode: "644"), .notPermitted),
    (.topologyDiffers(directory: "d"), .badData),
    (.enclaveExecutableMissing(path: "e"), .unavailable),
    (.halted(actor: ActorAddress(.validator, "alpha"), detail: ""), .halted),
  ]) func `an error has one status`(error: NodeError, status: CommandStatus) {
    #expect(CommandStatus(error) == status)
    #expect(!error.description.contains("\n"), "one clear line")
  }

  @Test func `other errors, too`() {
    #expect(CommandStatus(TopologyRefused([])) == .badData)
    #expect(CommandStatus(LedgerProblem(member: "alpha", height: 3, "x")) == .badData)
    #expect(CommandStatus(StorageError.corrupt(path: "d", detail: "")) == .badData)
    #expect(CommandStatus(CommandFailure(.unavailable, "x")) == .unavailable)
    #expect(CommandStatus(CancellationError()) == .interrupted)
  }

  @Test func `help documents every status`() {
    let lines = CommandStatus.documentation.split(separator: "\n")
    #expect(lines.count == CommandStatus.allCases.count)
    for status in CommandStatus.allCases { #expect(lines.contains { $0.contains("\(status.rawValue)  ") }) }
  }
}
