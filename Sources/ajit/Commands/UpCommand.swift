import ArgumentParser
import Hosting
import Logging
import Messages
import Node
import Topology

struct UpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Start a consortium from a topology file and show what happens.",
    discussion: """
      ajit up topologies/remote-surgery.yaml --until-settled
      ajit up topologies/congested.yaml --fresh --until-settled --json
      ajit up topologies/remote-surgery.yaml --for 30s --data /var/lib/ajit

      Everything durable lives in the data directory. Started again on one that exists, the consortium goes on where it
      was, however it had stopped. Without --until-settled or --for it runs until Ctrl-C; a second Ctrl-C stops it at
      once, which harms nothing.

      With --until-settled or --for the exit status is 0 when every activation ended as its `expect:` says and money is
      conserved, and 2 when not, after saying what differs. When a run is resumed before its activations were over,
      what the interruption cost is told as notes and is no difference: an epoch that nobody could measure is
      INCONCLUSIVE, whatever `expect:` says of an undisturbed run.
      """)

  @Argument(help: "Topology file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: "Data directory; \(DataOption.home)/NAME if left out.", completion: .directory)
  var data: String?

  @Flag(help: "Forget what the data directory holds and found a new network in it.")
  var fresh = false

  @Option(
    help: "Found the network with the keys in this directory, made by `ajit keys generate`.", completion: .directory)
  var keys: String?

  @Flag(help: "Stop when every activation of the topology is over.")
  var untilSettled = false

  @Option(name: .customLong("for"), help: "Stop after this time: 500ms, 30s, 5min, 1h.")
  var duration: SpanArgument?

  @Option(help: "The enclave's executable; ajit-enclave beside this program if left out.", completion: .file())
  var enclave: String?

  @Flag(help: "One JSON object per line; the last has type `result`.")
  var json = false

  @Flag(name: .shortAndLong, help: "Show the node's own log, too.")
  var verbose = false

  func validate() throws {
    if untilSettled, duration != nil {
      throw ValidationError("--until-settled and --for exclude each other: choose when to stop.")
    }
  }

  func run() async throws {
    try await reporting {
      let (topology, text) = try Files.topology(file)
      let directory = data ?? DataOption.defaultDirectory(topology)
      let (log, sink) = ScreenLog.makeStream()
      let level: Logger.Level = verbose ? .info : .warning
      let configuration = ConsortiumConfiguration(
        topology: topology, topologyText: text, dataDirectory: directory, isFresh: fresh, keyDirectory: keys,
        enclaveExecutable: enclave, logger: Logger(label: "ajit") { ScreenLog(label: $0, level: level, sink: sink) })
      let run = UpRun(
        topology: topology, configuration: configuration, terminal: Terminal(), isJSON: json, log: log,
        endOfLog: { sink.finish() })
      return try await run.go(stoppingWhen: untilSettled ? .settled : duration.map { .after($0.span) } ?? .told)
    }
  }
}
