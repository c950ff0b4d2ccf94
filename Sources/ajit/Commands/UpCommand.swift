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
      ajit up topologies/remote-surgery.yaml --spread --until-settled
      ajit up topologies/remote-surgery.yaml --node NAME --keys keys/NAME --data /var/lib/ajit

      Everything runs in this process (and each enclave in one of its own) unless --spread or --node says otherwise: \
      --spread starts one process per node of the topology on this machine; --node runs one node among others, here or \
      on other hosts, with the key bundle that `ajit keys generate` made for it. Nodes may start in any order.

      Everything durable lives in the data directory. Started again on one that exists, the consortium goes on where \
      it was, however it had stopped. Without --until-settled or --for it runs until Ctrl-C, and then the exit status \
      is 0 unless something that is over differs from its `expect:`; with them Ctrl-C is an interruption (130). A \
      second Ctrl-C stops it at once, which harms nothing.

      With --until-settled or --for the exit status is 0 when every activation ended as its `expect:` says and money \
      is conserved, and 2 when not, after saying what differs. When a run is resumed before its activations were over, \
      what the interruption cost is told as notes and is no difference: an epoch that nobody could measure is \
      INCONCLUSIVE, whatever `expect:` says of an undisturbed run.

      What a customer plans whose node somebody else starts (`external: true` in the topology, or --without) is shown \
      as not ours: it is neither waited for nor judged here, but by whoever runs it, or by `ajit watch`. When nothing \
      else is planned, --until-settled is refused, because it would wait for nothing.
      """)

  @Argument(help: "Topology file (YAML).", completion: .file(extensions: ["yaml", "yml"]))
  var file: String

  @Option(help: "Data directory; \(DataOption.home)/NAME if left out.", completion: .directory)
  var data: String?

  @Flag(help: "Forget what the data directory holds and found a new network in it.")
  var fresh = false

  @Flag(help: "One process per node, all on this machine; this one runs no actor.")
  var spread = false

  @Option(help: "Run only this node of the topology, until SIGTERM.")
  var node: String?

  @Option(
    help: "Key bundles of `ajit keys generate`: with --node that node's own, otherwise the directory with all.",
    completion: .directory)
  var keys: String?

  @Option(name: .customLong("without"), help: "With --spread: a node that somebody else starts. Repeatable.")
  var leftOut: [String] = []

  @Flag(help: "With --spread: start a node again that ended by itself, instead of stopping with it.")
  var restart = false

  @Option(
    help: "With --node on several hosts: what disciplines this host's clock, and its bound: \(ClockArgument.forms).")
  var clock: ClockArgument?

  @OptionGroup var history: HistoryArguments

  @Flag(help: .hidden)
  var supervised = false

  @Flag(help: "Stop when every activation of the topology is over.")
  var untilSettled = false

  @Option(name: .customLong("for"), help: "Stop after this time: 500ms, 30s, 5min, 1h.")
  var duration: SpanArgument?

  @Option(help: "The enclave's executable; ajit-enclave beside this program if left out.", completion: .file())
  var enclave: String?

  @Flag(help: "One JSON object per line; the last has type `result`.")
  var json = false

  @Option(help: "With --json: say this often, as lines of type `traffic`, what was carried so far, by kind.")
  var traffic: SpanArgument?

  @Flag(name: .shortAndLong, help: "Show the node's own log, too.")
  var verbose = false

  func validate() throws {
    if untilSettled, duration != nil {
      throw ValidationError("--until-settled and --for exclude each other: choose when to stop.")
    }
    if node != nil, spread || untilSettled || duration != nil {
      throw ValidationError(
        "--node runs one node until it is told to stop: leave out --spread, --until-settled, --for.")
    }
    if traffic != nil, !json || node != nil {
      throw ValidationError("--traffic goes with --json, and not with --node.")
    }
    if !spread, restart || !leftOut.isEmpty { throw ValidationError("--restart and --without go with --spread.") }
  }

  func run() async throws {
    try await reporting {
      let (topology, text) = try Files.topology(file)
      if let behaviour = topology.behaviours.first(where: \.cheat.isSimulatedOnly) {
        throw CommandFailure(
          .badData,
          "\(file): an enclave has no code for \(behaviour.cheat.rawValue) (\(behaviour.actor)): `ajit simulate` has"
        )
      }
      let directory = data ?? DataOption.defaultDirectory(topology, node: node)
      let (log, sink) = ScreenLog.makeStream()
      let level: Logger.Level = verbose ? .info : .warning
      var configuration = ConsortiumConfiguration(
        topology: topology, topologyText: text, extent: extent, dataDirectory: directory, isFresh: fresh,
        keyDirectory: keys, enclaveExecutable: enclave,
        logger: Logger(label: "ajit") { ScreenLog(label: $0, level: level, sink: sink) })
      configuration.restartsNodes = restart
      configuration.leftOut = leftOut
      configuration.restored = history.restored
      configuration.history = history.policy
      configuration.clock = clock?.quality
      if let node {
        let run = NodeRun(
          node: node, configuration: configuration, isSupervised: supervised, isJSON: json, log: log,
          endOfLog: { sink.finish() })
        return try await run.go()
      }
      let run = UpRun(
        topology: topology, subject: .started(configuration), terminal: Terminal(), isJSON: json, log: log,
        endOfLog: { sink.finish() }, trafficInterval: traffic?.span)
      return try await run.go(stoppingWhen: untilSettled ? .settled : duration.map { .after($0.span) } ?? .told)
    }
  }

  private var extent: Extent { node.map { .node($0) } ?? (spread ? .spread : .everything) }
}
