import Assembly
import Hosting
import Messages
import Signing
import Storage
import Synchronization
import Topology
import Wire

/// Everything that one process of a consortium keeps, locked while it runs:
///
///     DIR/format, lock            Storage.DataDirectory
///     DIR/genesis.cbor            the network; written last, so its presence says that founding was finished
///     DIR/topology.yaml           the file it was founded from
///     DIR/extent                  how much of it this directory is for (``Extent``)
///     DIR/enclave.sha256          the executable whose measurement the contracts admit
///     DIR/run/                    sockets, while it runs
///
/// for everything and for a node
///
///     DIR/ports                   UDP ports of the data plane, the same in every life if they can be had
///     DIR/keys/                   secret keys, the node's own only
///     DIR/book.json               a node: where the others are
///     DIR/ROLE/NAME.sqlite        the durable records of each actor
///     DIR/customers/ALL.sqlite    those of all customers (``NodeStores``)
///     DIR/enclaves/NAME/          the sealed state of a process of enclaves, and how often it was launched
///
/// and for a spread
///
///     DIR/bundles/NODE/           the node's key bundle (``KeyBundles``)
///     DIR/nodes/NODE/             the node's own data directory
///
/// A founding that fails removes what it made; one that a crash interrupted is begun again by the next start. A network
/// is given up for a new one (`--fresh`) only when the new one runs; until then it is kept aside (``NetworkSwap``).
struct NodeDirectory: Sendable {
  private let lock: DirectoryLock
  let path: String
  let genesis: Genesis
  let keyring: FileKeyring
  /// Public keys of everybody.
  let keys: KeyDirectory
  /// SHA-256 of the enclave's executable.
  let executable: Digest
  /// A node's; nil where everything is in one process.
  let book: AddressBook?
  /// False when an earlier life is resumed.
  let isNew: Bool
  /// What to remove when the start that founded this fails.
  private let isOwnDirectory: Bool

  enum Name {
    static let genesis = "genesis.cbor"
    static let topology = "topology.yaml"
    static let extent = "extent"
    static let executable = "enclave.sha256"
    static let ports = "ports"
    static let keys = "keys"
    static let book = "book.json"
    static let enclaves = "enclaves"
    static let bundles = "bundles"
    static let nodes = "nodes"
    static let run = "run"
    /// The genesis first, as ``NetworkSwap`` wants it. `enclaves` is where that role's stores would be.
    static let all =
      [genesis, topology, extent, executable, ports, keys, book, bundles, nodes, run]
      + ActorAddress.Role.allCases.map { $0.storeDirectory }
  }

  /// - Parameter executable: the enclave's; nil where no enclave is started.
  static func open(
    _ configuration: ConsortiumConfiguration, executable: EnclaveExecutable?
  ) throws(NodeError) -> NodeDirectory {
    let path = Files.absolute(configuration.dataDirectory)
    let wasThere = Files.exists(path)
    let directory: DataDirectory
    do { directory = try DataDirectory.open(path) } catch { throw .storage(error) }
    let swap = NetworkSwap(path: path, names: Name.all)
    try swap.recover()
    if !configuration.isFresh {
      if Files.exists("\(path)/\(Name.genesis)") {
        let content = try NodeContent.resumed(path, configuration, executable)
        return NodeDirectory(directory, path, content, isNew: false, isOwnDirectory: false)
      }
      if let state = durableState(path) {
        throw .damaged(path: "\(path)/\(Name.genesis)", detail: "it is missing, and there is \(state)")
      }
    }
    do throws(NodeError) {
      try Files.makeDirectory(swap.founding)
      try NodeFounding(configuration, executable, in: swap.founding).run()
      try swap.putInPlace()
      let content = try NodeContent(path, configuration.topology, configuration.extent)
      return NodeDirectory(directory, path, content, isNew: true, isOwnDirectory: !wasThere)
    } catch {
      try giveUp(swap, isOwnDirectory: !wasThere)
      throw error
    }
  }

  private init(
    _ directory: DataDirectory, _ path: String, _ content: NodeContent, isNew: Bool, isOwnDirectory: Bool
  ) {
    lock = DirectoryLock(directory)
    self.path = path
    genesis = content.genesis
    keyring = content.keyring
    keys = content.keys
    executable = content.executable
    book = content.book
    self.isNew = isNew
    self.isOwnDirectory = isOwnDirectory
  }

  /// What an actor or an enclave has made durable, if anything: a promise may stand on it, so it is never removed
  /// without being asked.
  private static func durableState(_ path: String) -> String? {
    for role in ActorAddress.Role.allCases where role.hasStores {
      if let name = Files.entries("\(path)/\(role.storeDirectory)").first { return "\(role.storeDirectory)/\(name)" }
    }
    if let name = Files.entries("\(path)/\(Name.nodes)").first { return "\(Name.nodes)/\(name)" }
    for name in Files.entries("\(path)/\(Name.enclaves)") {
      if let file = Files.entries("\(path)/\(Name.enclaves)/\(name)").first {
        return "\(Name.enclaves)/\(name)/\(file)"
      }
    }
    return nil
  }

  /// The start succeeded: what was there before is given up.
  func confirm() {
    if isNew { NetworkSwap(path: path, names: Name.all).confirm() }
  }

  /// Undoes a founding: the start that it was for has failed. The network that was there before is there again.
  func abandon() throws(NodeError) {
    guard isNew else { return }
    try Self.giveUp(NetworkSwap(path: path, names: Name.all), isOwnDirectory: isOwnDirectory)
  }

  private static func giveUp(_ swap: NetworkSwap, isOwnDirectory: Bool) throws(NodeError) {
    if try !swap.undo(), isOwnDirectory { Files.remove(swap.path) }
  }

  /// Lets another node have it. Nothing of it may be open any more.
  func unlock() { lock.release() }

  // MARK: What lives in it

  /// Of all customers but those that have files of their own. No actor's name has capital letters.
  var customerStore: String { "\(path)/\(ActorAddress.Role.customer.storeDirectory)/ALL.sqlite" }
  func store(_ address: ActorAddress) -> String { "\(path)/\(address.role.storeDirectory)/\(address.name).sqlite" }
  /// Of one process of enclaves.
  func enclaves(_ name: String) -> String { "\(path)/\(Name.enclaves)/\(name)" }
  var portsFile: String { "\(path)/\(Name.ports)" }
  var topologyFile: String { "\(path)/\(Name.topology)" }
  func bundle(_ node: String) -> String { "\(path)/\(Name.bundles)/\(node)" }
  func node(_ name: String) -> String { "\(path)/\(Name.nodes)/\(name)" }
}

/// A lock that can be given up before the last reference to it goes.
private final class DirectoryLock: Sendable {
  private let directory: Mutex<DataDirectory?>

  init(_ directory: DataDirectory) { self.directory = Mutex(directory) }

  func release() { directory.withLock { $0 = nil } }
}

extension ActorAddress.Role {
  /// Where stores of this role's actors live.
  var storeDirectory: String {
    switch self {
    case .regulator: "regulators"
    case .validator: "validators"
    case .contract: "contracts"
    case .controller: "controllers"
    case .edge: "edges"
    case .enclave: "enclaves"
    case .customer: "customers"
    case .platform: "platforms"
    case .domain: "domains"
    case .client: "clients"
    }
  }

  var hasStores: Bool {
    switch self {
    case .regulator, .validator, .controller, .domain, .edge, .customer: true
    case .contract, .enclave, .platform, .client: false
    }
  }
}
