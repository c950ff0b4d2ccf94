import Logging
import Messages
import Roles
import Topology

/// How much of a topology one data directory, and the process that has it, is for.
public enum Extent: Hashable, Sendable, CustomStringConvertible {
  /// Every actor, in one process.
  case everything
  /// The actors of one node; the others run elsewhere.
  case node(String)
  /// No actor: one process for each node, started by this one.
  case spread

  /// As the data directory keeps it.
  public var description: String {
    switch self {
    case .everything: "everything"
    case .node(let name): "node \(name)"
    case .spread: "spread"
    }
  }
}

/// What a person says when they start a consortium, or a part of it, on this machine.
public struct ConsortiumConfiguration: Sendable {
  /// The topology, as ``TopologyParser`` accepted it.
  public var topology: Topology
  /// The file it came from, byte for byte: kept in the data directory, so that a later start can tell whether it is
  /// still the same one.
  public var topologyText: [UInt8]
  public var extent: Extent
  /// Where everything durable lives (``NodeDirectory`` says what).
  public var dataDirectory: String
  /// Forget what the directory holds and found a new network in it. Without this a directory is resumed.
  public var isFresh: Bool
  /// Key bundles made by ``KeyBundles``: a node's own, or else the directory with all of them. Needed to found a node;
  /// without it, everything and spread make new ones. What is resumed must have been founded with the same.
  public var keyDirectory: String?
  /// What a spread starts its nodes with: `ajit`; nil for the running program.
  public var nodeExecutable: String?
  /// Nodes that a spread leaves to others, besides those that the topology says are external.
  public var leftOut: [String] = []
  /// A spread starts a node again that ended by itself, instead of ending with it.
  public var restartsNodes = false
  /// The enclave's executable; nil for `ajit-enclave` beside the running one.
  public var enclaveExecutable: String?
  /// Validators whose files were put back from an old copy that cannot be told from the live one.
  public var restored: [String] = []
  /// How much of the past the validators keep.
  public var history = HistoryPolicy()
  /// What receipts say about this host's clock; nil: common to all where all nodes are on one host, else undisciplined.
  public var clock: ClockQuality?
  /// Stop on SIGINT and SIGTERM: at the first in order, at the second at once.
  public var handlesSignals: Bool
  public var logger: Logger

  public init(
    topology: Topology, topologyText: [UInt8], extent: Extent = .everything, dataDirectory: String,
    isFresh: Bool = false, keyDirectory: String? = nil, enclaveExecutable: String? = nil, handlesSignals: Bool = true,
    logger: Logger
  ) {
    self.topology = topology
    self.topologyText = topologyText
    self.extent = extent
    self.dataDirectory = dataDirectory
    self.isFresh = isFresh
    self.keyDirectory = keyDirectory
    self.enclaveExecutable = enclaveExecutable
    self.handlesSignals = handlesSignals
    self.logger = logger
  }
}

extension ConsortiumConfiguration {
  /// Nodes that a spread starts.
  var ownNodes: [Placement.Node] {
    topology.placement.nodes.filter { !$0.isExternal && !leftOut.contains($0.name) }
  }

  /// What a spread's nodes are told as they are started.
  var historyArguments: [String] {
    var arguments = [
      "--snapshot-every", "\(history.snapshotInterval)", "--keep-blocks", "\(history.evidenceHorizon)",
    ]
    if let checkpoint = history.checkpoint {
      arguments += ["--checkpoint", "\(checkpoint.height):\(checkpoint.hash.hexadecimal)"]
    }
    return arguments + restored.flatMap { ["--restored", $0] }
  }

  /// Customers of a spread with plans whose nodes somebody else runs, in file order. A customer tells how far its plans
  /// are to whoever started it, so of these nobody here can say when they are over: they are not waited for.
  public var plansElsewhere: [(customer: String, node: String)] {
    guard extent == .spread else { return [] }
    let own = Set(ownNodes.map(\.name))
    return topology.customers.filter { !$0.activations.isEmpty }.compactMap { customer in
      topology.placement.node(of: ActorAddress(.customer, customer.name)).flatMap { node in
        own.contains(node.name) ? nil : (customer.name, node.name)
      }
    }
  }

  /// What only a simulation can play is refused, rather than left out in silence: an enclave that is attested does what
  /// its measured file does, and that keeps to the protocol.
  func requirePlayable() throws(NodeError) {
    guard let behaviour = topology.behaviours.first(where: { $0.actor.role == .enclave }) else { return }
    throw .impossible(
      detail: "\(behaviour.actor) is to \(behaviour.cheat.rawValue), which an attested enclave does not: "
        + "run it with `ajit simulate`")
  }
}
