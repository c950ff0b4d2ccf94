import Assembly
import Hosting
import Messages
import Signing
import Storage
import Synchronization
import Topology
import Wire

/// Everything one consortium keeps, locked while it runs:
///
///     DIR/format, lock            Storage.DataDirectory
///     DIR/genesis.cbor            the network; written last, so its presence says that founding was finished
///     DIR/topology.yaml           the file it was founded from
///     DIR/enclave.sha256          the executable whose measurement the contracts admit
///     DIR/ports                   UDP ports of the data plane, the same in every life if they can be had
///     DIR/keys/ROLE-NAME.key      secret keys
///     DIR/ROLE/NAME.sqlite        the durable records of each actor
///     DIR/enclaves/NAME/          an enclave's sealed state, and how often it was launched
///     DIR/run/                    sockets, while it runs
///
/// A founding that fails removes what it made; one that a crash interrupted is begun again by the next start. A network
/// is given up for a new one (`--fresh`) only when the new one runs; until then it is kept aside (``NetworkSwap``).
struct NodeDirectory: Sendable {
  private let lock: DirectoryLock
  let path: String
  let genesis: Genesis
  let keyring: FileKeyring
  let keys: KeyDirectory
  /// False when an earlier life is resumed.
  let isNew: Bool
  /// What to remove when the start that founded this fails.
  private let isOwnDirectory: Bool

  private enum Name {
    static let genesis = "genesis.cbor"
    static let topology = "topology.yaml"
    static let executable = "enclave.sha256"
    static let ports = "ports"
    static let keys = "keys"
    static let enclaves = "enclaves"
    static let run = "run"
    /// The genesis first, as ``NetworkSwap`` wants it. `enclaves` is where that role's stores would be.
    static let all =
      [genesis, topology, executable, ports, keys, run] + ActorAddress.Role.allCases.map { $0.storeDirectory }
  }

  /// - Parameter executable: SHA-256 of the enclave's file.
  static func open(
    _ configuration: ConsortiumConfiguration, executable: Digest, executablePath: String
  ) throws(NodeError) -> NodeDirectory {
    let path = Files.absolute(configuration.dataDirectory)
    let wasThere = Files.exists(path)
    let directory: DataDirectory
    do { directory = try DataDirectory.open(path) } catch { throw .storage(error) }
    let swap = NetworkSwap(path: path, names: Name.all)
    try swap.recover()
    if !configuration.isFresh {
      if Files.exists("\(path)/\(Name.genesis)") {
        return try resume(directory, path, configuration, executable, executablePath)
      }
      if let state = durableState(path) {
        throw .damaged(path: "\(path)/\(Name.genesis)", detail: "it is missing, and there is \(state)")
      }
    }
    do throws(NodeError) {
      return try found(directory, swap, configuration, executable, isOwnDirectory: !wasThere)
    } catch {
      try giveUp(swap, isOwnDirectory: !wasThere)
      throw error
    }
  }

  /// What an actor or an enclave has made durable, if anything: a promise may stand on it, so it is never removed
  /// without being asked.
  private static func durableState(_ path: String) -> String? {
    for role in ActorAddress.Role.allCases where role.hasStores {
      if let name = Files.entries("\(path)/\(role.storeDirectory)").first { return "\(role.storeDirectory)/\(name)" }
    }
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

  func store(_ address: ActorAddress) -> String { "\(path)/\(address.role.storeDirectory)/\(address.name).sqlite" }
  func enclave(_ name: String) -> String { "\(path)/\(Name.enclaves)/\(name)" }
  var portsFile: String { "\(path)/\(Name.ports)" }

  // MARK: Founding

  private static func found(
    _ directory: DataDirectory, _ swap: NetworkSwap, _ configuration: ConsortiumConfiguration, _ executable: Digest,
    isOwnDirectory: Bool
  ) throws(NodeError) -> NodeDirectory {
    let topology = configuration.topology
    let path = swap.founding
    try Files.makeDirectory(path)
    let keyring = FileKeyring(directory: "\(path)/\(Name.keys)")
    if let given = configuration.keyDirectory {
      try FileKeyring(directory: Files.absolute(given)).copy(to: keyring.directory, KeyDirectory.names(topology))
    } else {
      try FileKeyring.create(in: keyring.directory, KeyDirectory.names(topology))
    }
    try Files.create("\(path)/\(Name.topology)", configuration.topologyText)
    try Files.create("\(path)/\(Name.executable)", Array("\(executable.hexadecimal)\n".utf8))
    try Files.makeDirectory("\(path)/\(Name.enclaves)")
    for enclave in topology.customers.flatMap(\.enclaves) {
      // Legal names on the bus, and not on a disk.
      guard enclave.name != ".", enclave.name != ".." else {
        throw .impossible(detail: "an enclave cannot be named '\(enclave.name)'")
      }
      try Files.makeDirectory("\(path)/\(Name.enclaves)/\(enclave.name)")
    }
    for role in ActorAddress.Role.allCases where role.hasStores {
      try Files.makeDirectory("\(path)/\(role.storeDirectory)")
    }
    let keys = try publicKeys(topology, keyring)
    let genesis = Genesis(
      topology, keys: keys, salt: randomBytes(Genesis.saltBytes), scheme: .ed25519, time: WallClock.now())
    try Files.replace("\(path)/\(Name.genesis)", genesis.encoded)
    try swap.putInPlace()
    return NodeDirectory(
      lock: DirectoryLock(directory), path: swap.path, genesis: genesis,
      keyring: FileKeyring(directory: "\(swap.path)/\(Name.keys)"), keys: keys, isNew: true,
      isOwnDirectory: isOwnDirectory)
  }

  // MARK: Resuming

  private static func resume(
    _ directory: DataDirectory, _ path: String, _ configuration: ConsortiumConfiguration, _ executable: Digest,
    _ executablePath: String
  ) throws(NodeError) -> NodeDirectory {
    let topology = configuration.topology
    let stored = try content("\(path)/\(Name.topology)")
    guard let file = try? TopologyParser.parse(stored, file: "\(path)/\(Name.topology)") else {
      throw .damaged(path: "\(path)/\(Name.topology)", detail: "it is no topology this version reads")
    }
    // The file may be commented or laid out anew; what it says may not change.
    guard file.topology == topology else { throw .topologyDiffers(directory: path) }
    let measured = String(decoding: try content("\(path)/\(Name.executable)"), as: UTF8.self)
    guard measured == "\(executable.hexadecimal)\n" else {
      throw .enclaveChanged(executable: executablePath, directory: path)
    }
    let genesis: Genesis
    do { genesis = try Genesis(decoding: content("\(path)/\(Name.genesis)")) } catch let error as NodeError {
      throw error
    } catch {
      throw .damaged(path: "\(path)/\(Name.genesis)", detail: "\(error)")
    }
    guard genesis.signatureScheme == .ed25519 else {
      throw .damaged(path: "\(path)/\(Name.genesis)", detail: "it is a simulation's: its signatures prove nothing")
    }
    let keyring = FileKeyring(directory: "\(path)/\(Name.keys)")
    let keys = try publicKeys(topology, keyring)
    guard genesis.members.allSatisfy({ keys[KeyName(.validator, $0.name)] == $0.key }) else {
      throw .damaged(path: "\(path)/\(Name.keys)", detail: "a validator's key is not the genesis' one")
    }
    if let given = configuration.keyDirectory {
      let others = try publicKeys(topology, FileKeyring(directory: Files.absolute(given)))
      guard KeyDirectory.names(topology).allSatisfy({ others[$0] == keys[$0] }) else {
        throw .keysDiffer(keys: given, directory: path)
      }
    }
    return NodeDirectory(
      lock: DirectoryLock(directory), path: path, genesis: genesis, keyring: keyring, keys: keys, isNew: false,
      isOwnDirectory: false)
  }

  private static func content(_ path: String) throws(NodeError) -> [UInt8] {
    guard let bytes = try Files.read(path) else { throw .damaged(path: path, detail: "it is missing") }
    return bytes
  }

  private static func publicKeys(_ topology: Topology, _ keyring: FileKeyring) throws(NodeError) -> KeyDirectory {
    do { return try KeyDirectory(topology, keyring) } catch let error as NodeError { throw error } catch {
      throw .noRandomness("\(error)")
    }
  }
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
    case .client: "clients"
    }
  }

  var hasStores: Bool {
    switch self {
    case .regulator, .validator, .controller, .edge, .customer: true
    case .contract, .enclave, .platform, .client: false
    }
  }
}
