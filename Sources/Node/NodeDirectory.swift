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
/// A founding that fails removes what it made; one that a crash interrupted is begun again by the next start.
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
    /// In the order of removal: the genesis first, so that an interrupted removal leaves no half of a network.
    static let all =
      [genesis, topology, executable, ports, keys, enclaves, run] + ActorAddress.Role.allCases.map { $0.storeDirectory }
  }

  /// - Parameter executable: SHA-256 of the enclave's file.
  static func open(
    _ configuration: ConsortiumConfiguration, executable: Digest, executablePath: String
  ) throws(NodeError) -> NodeDirectory {
    let path = Files.absolute(configuration.dataDirectory)
    let wasThere = Files.exists(path)
    let directory: DataDirectory
    do { directory = try DataDirectory.open(path) } catch { throw .storage(error) }
    let isFounded = Files.exists("\(path)/\(Name.genesis)")
    if isFounded, !configuration.isFresh {
      return try resume(directory, path, configuration.topology, executable, executablePath)
    }
    do throws(NodeError) {
      removeContent(path)
      return try found(directory, path, configuration, executable, isOwnDirectory: !wasThere)
    } catch {
      remove(path, isOwnDirectory: !wasThere)
      throw error
    }
  }

  /// Undoes a founding: the start that it was for has failed.
  func abandon() {
    guard isNew else { return }
    Self.remove(path, isOwnDirectory: isOwnDirectory)
  }

  /// Lets another node have it. Nothing of it may be open any more.
  func unlock() { lock.release() }

  // MARK: What lives in it

  func store(_ address: ActorAddress) -> String { "\(path)/\(address.role.storeDirectory)/\(address.name).sqlite" }
  func enclave(_ name: String) -> String { "\(path)/\(Name.enclaves)/\(name)" }
  var portsFile: String { "\(path)/\(Name.ports)" }

  // MARK: Founding

  private static func found(
    _ directory: DataDirectory, _ path: String, _ configuration: ConsortiumConfiguration, _ executable: Digest,
    isOwnDirectory: Bool
  ) throws(NodeError) -> NodeDirectory {
    let topology = configuration.topology
    try FileKeyring.create(in: "\(path)/\(Name.keys)", KeyDirectory.names(topology))
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
    let keyring = FileKeyring(directory: "\(path)/\(Name.keys)")
    let keys = try publicKeys(topology, keyring)
    let genesis = Genesis(
      topology, keys: keys, salt: randomBytes(Genesis.saltBytes), scheme: .ed25519, time: WallClock.now())
    try Files.replace("\(path)/\(Name.genesis)", genesis.encoded)
    return NodeDirectory(
      lock: DirectoryLock(directory), path: path, genesis: genesis, keyring: keyring, keys: keys, isNew: true,
      isOwnDirectory: isOwnDirectory)
  }

  // MARK: Resuming

  private static func resume(
    _ directory: DataDirectory, _ path: String, _ topology: Topology, _ executable: Digest, _ executablePath: String
  ) throws(NodeError) -> NodeDirectory {
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

  // MARK: Removing

  private static func removeContent(_ path: String) {
    for name in Name.all { Files.remove("\(path)/\(name)") }
    Files.remove("\(path)/\(Name.genesis).new")
  }

  private static func remove(_ path: String, isOwnDirectory: Bool) {
    removeContent(path)
    if isOwnDirectory { Files.remove(path) }
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
