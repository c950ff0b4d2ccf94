import ArgumentParser
import Logging
import Node
import Topology

struct WatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Follow a consortium whose nodes run elsewhere, and judge how it ends.",
    discussion: """
      ajit keys generate topologies/spread.yaml --out keys
      ajit watch topologies/spread.yaml --keys keys/CLIENT --until-settled

      Executes every block again from the genesis and trusts no node. Starts and stops nothing. The exit status is \
      that of `ajit up`: with --until-settled or --for, 0 when every activation ended as its `expect:` says and money \
      is conserved, and 2 when not.
      """)

  @Argument(help: "Topology file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: "The client bundle of `ajit keys generate`: DIR/CLIENT.", completion: .directory)
  var keys: String

  @Flag(help: "Stop when every activation of the topology is over.")
  var untilSettled = false

  @Option(name: .customLong("for"), help: "Stop after this time: 500ms, 30s, 5min, 1h.")
  var duration: SpanArgument?

  @Flag(help: "One JSON object per line; the last has type `result`.")
  var json = false

  func validate() throws {
    if untilSettled, duration != nil {
      throw ValidationError("--until-settled and --for exclude each other: choose when to stop.")
    }
  }

  func run() async throws {
    try await reporting {
      let (topology, _) = try Files.topology(file)
      let (log, sink) = ScreenLog.makeStream()
      let logger = Logger(label: "ajit") { ScreenLog(label: $0, level: .warning, sink: sink) }
      let run = UpRun(
        topology: topology, subject: .watched(keys: keys, logger), terminal: Terminal(), isJSON: json, log: log,
        endOfLog: { sink.finish() })
      return try await run.go(stoppingWhen: untilSettled ? .settled : duration.map { .after($0.span) } ?? .told)
    }
  }
}
