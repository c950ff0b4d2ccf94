import Foundation
import Messages
import Node

/// One run of `ajit up --node`: says when the node is reachable, logs to stderr, and stops when it is told to.
struct NodeRun {
  let node: String
  let configuration: ConsortiumConfiguration
  /// The process that started this one shows everything.
  let isSupervised: Bool
  let isJSON: Bool
  let log: AsyncStream<ScreenLog.Line>
  let endOfLog: @Sendable () -> Void

  func go() async throws -> CommandStatus {
    let logging = Task {
      for await line in log { Terminal.printDiagnostics(line.text) }
    }
    let result: Result<Void, any Error>
    do {
      let running = try await Consortium.start(configuration)
      if isSupervised {
        await SupervisedNode.report(running)
      } else {
        try announce(running)
        for await _ in running.observations {}
      }
      try await running.untilStopped()
      result = .success(())
    } catch {
      result = .failure(error)
    }
    endOfLog()
    await logging.value
    try result.get()
    return .asExpected
  }

  private func announce(_ running: Consortium) throws {
    let line = ReadyLine(
      node: node, process: ProcessInfo.processInfo.processIdentifier, resumed: !running.isNew,
      actors: configuration.topology.placement.node(named: node)?.actors.map(\.description) ?? [])
    if isJSON { return try JSONLine.print(line) }
    Terminal.write("node \(node) ready: \(line.actors.joined(separator: ", "))\n")
  }

  private struct ReadyLine: Encodable {
    let type = "ready"
    let node: String
    let process: Int32
    let resumed: Bool
    let actors: [String]
  }
}
