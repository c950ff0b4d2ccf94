import ArgumentParser
import Node
import Storage
import Topology

/// What the process tells its caller. One place for the whole mapping from errors to numbers.
enum CommandStatus: Int32, CaseIterable {
  case asExpected = 0
  case notAsExpected = 2
  case usage = 64
  case badData = 65
  case missingInput = 66
  case unavailable = 69
  case halted = 70
  case cannotCreate = 73
  case inputOutput = 74
  case locked = 75
  case notPermitted = 77
  case interrupted = 130

  var meaning: String {
    switch self {
    case .asExpected: "done; activations ended as the topology expects"
    case .notAsExpected: "a scenario or transaction did not end as it should, two ledgers differ, or money is missing"
    case .usage: "the command line makes no sense"
    case .badData: "a topology, a directory's content or a ledger is not right"
    case .missingInput: "a file or directory does not exist"
    case .unavailable: "nothing answers, or a program that is needed is missing"
    case .halted: "a node stopped because going on would break a promise"
    case .cannotCreate: "a socket, port or file cannot be created"
    case .inputOutput: "the disk failed or is full"
    case .locked: "another process uses the data directory"
    case .notPermitted: "a key or directory has the wrong permissions"
    case .interrupted: "stopped by a signal before the end; `ajit up` again goes on"
    }
  }

  static var documentation: String {
    allCases.map { status in
      let number = "\(status.rawValue)"
      return String(repeating: " ", count: max(0, 5 - number.count)) + "\(number)  \(status.meaning)"
    }.joined(separator: "\n")
  }

  /// The status an error ends the process with.
  init(_ error: any Error) {
    self =
      switch error {
      case let error as NodeError: Self.of(error)
      case let error as StorageError: Self.of(error)
      case is TopologyRefused, is LedgerProblem: .badData
      case let error as CommandFailure: error.status
      case is CancellationError: .interrupted
      default: .halted
      }
  }

  private static func of(_ error: NodeError) -> CommandStatus {
    switch error {
    case .storage(let error): of(error)
    case .file: .inputOutput
    case .damaged, .topologyDiffers, .extentDiffers, .enclaveChanged, .keyMalformed, .keysDiffer, .bundleDiffers,
      .impossible, .unrecoverable:
      .badData
    case .keyMissing, .bundleMissing: .missingInput
    case .unknownNode: .usage
    case .keyExposed: .notPermitted
    case .bus, .dataPort, .noRandomness: .cannotCreate
    case .enclaveExecutableMissing, .enclaveDidNotStart, .nodeDidNotStart: .unavailable
    case .enclaveKeepsStopping, .halted, .nodeStopped: .halted
    }
  }

  private static func of(_ error: StorageError) -> CommandStatus {
    switch error {
    case .locked: .locked
    case .newerFormat, .notADataDirectory, .corrupt, .substrateChanged: .badData
    case .missing: .missingInput
    case .unwritable, .unreadable: .notPermitted
    case .diskFull, .failed: .inputOutput
    case .unusableRecord: .halted
    }
  }
}

/// Why a command itself gave up. The text is one line: what, where, and what to do.
struct CommandFailure: Error, CustomStringConvertible {
  let status: CommandStatus
  let description: String

  init(_ status: CommandStatus, _ description: String) {
    self.status = status
    self.description = description
  }
}

extension AsyncParsableCommand {
  /// Runs a command's work; an error becomes one line on stderr and the status that fits it.
  func reporting(_ work: () async throws -> CommandStatus) async throws {
    let status: CommandStatus
    do {
      status = try await work()
    } catch {
      report(error)
      status = CommandStatus(error)
    }
    if status != .asExpected { throw ExitCode(status.rawValue) }
  }

  /// A refused topology brings lines that name their own place; everything else is one line of ours.
  func report(_ error: any Error) {
    if let refused = error as? TopologyRefused {
      Terminal.printDiagnostics(refused.description)
    } else {
      Terminal.printError("\(error)")
    }
  }
}
