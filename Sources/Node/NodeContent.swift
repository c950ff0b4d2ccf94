import Assembly
import Messages
import Signing
import Topology
import Wire

/// What a data directory says that was founded, read and checked against what a start is asked to do.
struct NodeContent {
  private typealias Name = NodeDirectory.Name

  let genesis: Genesis
  let keyring: FileKeyring
  let keys: KeyDirectory
  let executable: Digest
  let book: AddressBook?

  /// A founded directory, as it stands.
  init(_ path: String, _ topology: Topology, _ extent: Extent) throws(NodeError) {
    do { genesis = try Genesis(decoding: Self.content("\(path)/\(Name.genesis)")) } catch let error as NodeError {
      throw error
    } catch {
      throw .damaged(path: "\(path)/\(Name.genesis)", detail: "\(error)")
    }
    guard genesis.signatureScheme == .ed25519 else {
      throw .damaged(path: "\(path)/\(Name.genesis)", detail: "it is a simulation's: its signatures prove nothing")
    }
    guard let keys = KeyDirectory(topology, genesis) else {
      throw .damaged(path: "\(path)/\(Name.genesis)", detail: "it is not this topology's")
    }
    self.keys = keys
    let line = String(decoding: try Self.content("\(path)/\(Name.executable)"), as: UTF8.self)
    guard line.hasSuffix("\n"), let executable = Digest(hexadecimal: String(line.dropLast())) else {
      throw .damaged(path: "\(path)/\(Name.executable)", detail: "it is not 64 hexadecimal digits")
    }
    self.executable = executable
    keyring = FileKeyring(directory: "\(path)/\(Name.keys)")
    switch extent {
    case .everything:
      book = nil
      try Self.check(keyring, KeyDirectory.names(topology), keys)
    case .node(let name):
      book = try AddressBook.read("\(path)/\(Name.book)")
      let actors = topology.placement.node(named: name)?.actors ?? []
      try Self.check(keyring, KeyName.names(topology, neededBy: actors), keys)
    case .spread:
      book = try AddressBook.read("\(path)/\(Name.bundles)/\(KeyBundles.client)/book.json")
    }
  }

  /// A directory of an earlier life, if it is for what is started now.
  static func resumed(
    _ path: String, _ configuration: ConsortiumConfiguration, _ executable: EnclaveExecutable?
  ) throws(NodeError) -> NodeContent {
    let stored = try content("\(path)/\(Name.topology)")
    guard let file = try? TopologyParser.parse(stored, file: "\(path)/\(Name.topology)") else {
      throw .damaged(path: "\(path)/\(Name.topology)", detail: "it is no topology this version reads")
    }
    // The file may be commented or laid out anew; what it says may not change.
    guard file.topology == configuration.topology else { throw .topologyDiffers(directory: path) }
    let extent = try extent(path)
    guard extent == configuration.extent.description else { throw .extentDiffers(directory: path, holds: extent) }
    if let given = configuration.keyDirectory { try compare(given, configuration, path) }
    let content = try NodeContent(path, configuration.topology, configuration.extent)
    if let executable, executable.digest != content.executable {
      throw .enclaveChanged(executable: executable.path, directory: path)
    }
    return content
  }

  /// Directories of everything did not always say so.
  static func extent(_ path: String) throws(NodeError) -> String {
    guard let bytes = try Files.read("\(path)/\(Name.extent)") else { return Extent.everything.description }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.map(String.init) ?? ""
  }

  /// Bundles that are named again must be of this network. A node then takes their book: others may have moved.
  private static func compare(
    _ given: String, _ configuration: ConsortiumConfiguration, _ path: String
  ) throws(NodeError) {
    let genesis = try content("\(path)/\(Name.genesis)")
    switch configuration.extent {
    case .node(let name):
      let bundle = try KeyBundle(given, of: name, configuration.topology)
      guard bundle.genesis.encoded == genesis else { throw .keysDiffer(keys: given, directory: path) }
      try Files.replace("\(path)/\(Name.book)", bundle.book.encoded)
    case .everything, .spread:
      let client = "\(Files.absolute(given))/\(KeyBundles.client)"
      let bundle = try KeyBundle(client, of: KeyBundles.client, configuration.topology)
      guard bundle.genesis.encoded == genesis else { throw .keysDiffer(keys: given, directory: path) }
    }
  }

  private static func check(_ keyring: FileKeyring, _ names: [KeyName], _ keys: KeyDirectory) throws(NodeError) {
    for name in names {
      let key: PublicKey
      do { key = try keyring.signingKey(name).publicKey } catch let error as NodeError { throw error } catch {
        throw .noRandomness("\(error)")
      }
      guard key == keys[name] else {
        throw .damaged(path: FileKeyring.path(keyring.directory, name), detail: "it is not the genesis' key")
      }
    }
  }

  private static func content(_ path: String) throws(NodeError) -> [UInt8] {
    guard let bytes = try Files.read(path) else { throw .damaged(path: path, detail: "it is missing") }
    return bytes
  }
}

extension Topology {
  /// Enclaves are in processes of their own, started by the node that has them: all of one process are in one node.
  func enclaveProcesses(in node: Placement.Node) -> [EnclaveProcess] {
    let here = Set(node.actors)
    return enclaveProcesses.filter { process in process.enclaves.contains { here.contains(ActorAddress(.enclave, $0)) }
    }
  }
}
