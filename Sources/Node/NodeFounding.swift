import Assembly
import Hosting
import Messages
import Signing
import Topology

/// Makes what a data directory begins with, in a directory aside: the network it is of, and the secrets it needs.
struct NodeFounding {
  private typealias Name = NodeDirectory.Name

  private let configuration: ConsortiumConfiguration
  private let executable: EnclaveExecutable?
  private let path: String

  init(_ configuration: ConsortiumConfiguration, _ executable: EnclaveExecutable?, in path: String) {
    self.configuration = configuration
    self.executable = executable
    self.path = path
  }

  /// - Throws: then the directory is worth nothing.
  func run() throws(NodeError) {
    try Files.create("\(path)/\(Name.topology)", configuration.topologyText)
    try Files.create("\(path)/\(Name.extent)", Array("\(configuration.extent)\n".utf8))
    let genesis: Genesis
    switch configuration.extent {
    case .everything: genesis = try everything()
    case .node(let name): genesis = try node(name)
    case .spread: genesis = try spread()
    }
    // Last: its presence says that all is there.
    try Files.replace("\(path)/\(Name.genesis)", genesis.encoded)
  }

  private func everything() throws(NodeError) -> Genesis {
    let topology = configuration.topology
    try makeStores(topology.enclaveProcesses)
    let keyring = FileKeyring(directory: "\(path)/\(Name.keys)")
    if let given = configuration.keyDirectory {
      let bundles = try givenBundles(given)
      try Files.makeDirectory(keyring.directory)
      for name in KeyDirectory.names(topology) {
        let file = FileKeyring.path("", name)
        let holder = bundles.directories.first { Files.exists($0 + file) } ?? bundles.directories[0]
        try FileKeyring(directory: holder).copy(to: keyring.directory, [name])
      }
      return bundles.genesis
    }
    try write(executable: executable?.digest)
    try FileKeyring.create(in: keyring.directory, KeyDirectory.names(topology))
    return Genesis(
      topology, keys: try keyring.publicKeys(of: topology), salt: randomBytes(Genesis.saltBytes), scheme: .ed25519,
      time: WallClock.now())
  }

  /// Never makes a network: a genesis of its own would be another network than the other nodes'.
  private func node(_ name: String) throws(NodeError) -> Genesis {
    let topology = configuration.topology
    guard let node = topology.placement.node(named: name) else {
      throw .unknownNode(name: name, known: topology.placement.nodes.map(\.name))
    }
    guard let given = configuration.keyDirectory else { throw .bundleMissing(node: name, path: nil) }
    let bundle = try KeyBundle(given, of: name, topology)
    let processes = topology.enclaveProcesses(in: node)
    try admit(bundle.executable, needed: !processes.isEmpty)
    try makeStores(processes)
    try bundle.keyring.copy(
      to: "\(path)/\(Name.keys)", KeyName.names(topology, neededBy: node.actors),
      curveKeys: ["curve"] + processes.map { "curve-\($0.name)" })
    try Files.create("\(path)/\(Name.executable)", bundle.executable)
    try Files.create("\(path)/\(Name.book)", bundle.book.encoded)
    return bundle.genesis
  }

  private func spread() throws(NodeError) -> Genesis {
    let bundles = "\(path)/\(Name.bundles)"
    try Files.makeDirectory("\(path)/\(Name.nodes)")
    if let given = configuration.keyDirectory {
      let genesis = try givenBundles(given).genesis
      try Files.copyDirectory(Files.absolute(given), to: bundles)
      return genesis
    }
    guard let executable else { throw .enclaveExecutableMissing(path: EnclaveExecutable.defaultPath()) }
    _ = try KeyBundles.generate(
      configuration.topology, text: configuration.topologyText, in: bundles, executable: executable.digest,
      choosingAllPorts: true)
    try write(executable: executable.digest)
    return try KeyBundle("\(bundles)/\(KeyBundles.client)", of: KeyBundles.client, configuration.topology).genesis
  }

  // MARK: Parts

  /// A directory of bundles, all of one network, of which the executable here must be the enclave.
  private func givenBundles(_ given: String) throws(NodeError) -> (genesis: Genesis, directories: [String]) {
    let given = Files.absolute(given)
    let client = try KeyBundle("\(given)/\(KeyBundles.client)", of: KeyBundles.client, configuration.topology)
    try admit(client.executable, needed: true)
    try Files.create("\(path)/\(Name.executable)", client.executable)
    let nodes = configuration.topology.placement.nodes.map { "\(given)/\($0.name)/\(Name.keys)" }
    return (client.genesis, ["\(given)/\(KeyBundles.offline)"] + nodes)
  }

  private func admit(_ admitted: [UInt8], needed: Bool) throws(NodeError) {
    guard needed, let executable, admitted != Self.line(executable.digest) else { return }
    throw .enclaveChanged(executable: executable.path, directory: configuration.keyDirectory ?? path)
  }

  private func write(executable: Digest?) throws(NodeError) {
    guard let executable else { throw .enclaveExecutableMissing(path: EnclaveExecutable.defaultPath()) }
    try Files.create("\(path)/\(Name.executable)", Self.line(executable))
  }

  private static func line(_ digest: Digest) -> [UInt8] { Array("\(digest.hexadecimal)\n".utf8) }

  private func makeStores(_ processes: [Topology.EnclaveProcess]) throws(NodeError) {
    try Files.makeDirectory("\(path)/\(Name.enclaves)")
    for process in processes.map(\.name) {
      // Legal names on the bus, and not on a disk.
      guard process != ".", process != ".." else {
        throw .impossible(detail: "an enclave cannot be named '\(process)'")
      }
      try Files.makeDirectory("\(path)/\(Name.enclaves)/\(process)")
    }
    for role in ActorAddress.Role.allCases where role.hasStores {
      try Files.makeDirectory("\(path)/\(role.storeDirectory)")
    }
  }
}
