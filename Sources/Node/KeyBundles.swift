import Assembly
import Bus
import Effects
import Enclave
import Hosting
import Messages
import Signing
import Topology

/// Makes the key bundles of a network, one directory per node, and with them the network itself: its one genesis, with
/// its salt and time. Whoever runs a node is given that node's directory and nothing else.
///
///     DIR/NODE/README          what this is and how to start the node
///     DIR/NODE/genesis.cbor    the network
///     DIR/NODE/topology.yaml   the file it was made from
///     DIR/NODE/enclave.sha256  the enclave's executable, whose measurement the contracts admit
///     DIR/NODE/book.json       who is reached where, and under which CURVE key (``AddressBook``)
///     DIR/NODE/keys/           this node's secrets: ROLE-NAME.key, curve.key, curve-ENCLAVES.key
///     DIR/CLIENT/              the same for whoever only watches and asks: a CURVE key and no role
///     DIR/OFFLINE/             organisations' keys and operators' treasuries: no node needs them; keep them away
///
/// Capitals, because no node can be named so.
public struct KeyBundles: Sendable {
  static let client = "CLIENT"
  static let offline = "OFFLINE"

  /// From the root.
  public let directory: String
  public let book: AddressBook

  /// Makes them all in a directory that is not there yet, or is empty: either all are there afterwards, or nothing is.
  /// - Parameters:
  ///   - hosts: addresses of nodes that have others than the file says.
  ///   - enclaveExecutable: what the contracts' `measurement: auto` will stand for; nil for `ajit-enclave` beside the
  ///     running program.
  public static func generate(
    _ topology: Topology, text: [UInt8], in directory: String,
    hosts: [String: Topology.HostAddress] = [:], enclaveExecutable: String? = nil
  ) throws(NodeError) -> KeyBundles {
    let executable = try EnclaveExecutable(enclaveExecutable ?? EnclaveExecutable.defaultPath())
    return try generate(
      topology, text: text, in: directory, hosts: hosts, executable: executable.digest, choosingAllPorts: false)
  }

  /// - Parameter choosingAllPorts: take free ports of this machine for everything, also where the topology names one:
  ///   for nodes that one process starts here.
  static func generate(
    _ topology: Topology, text: [UInt8], in directory: String, hosts: [String: Topology.HostAddress] = [:],
    executable: Digest, choosingAllPorts: Bool
  ) throws(NodeError) -> KeyBundles {
    let directory = Files.absolute(directory)
    guard Files.entries(directory).isEmpty, !Files.exists(directory) || Files.isDirectory(directory) else {
      throw .file(path: directory, detail: "it exists, and keys are never overwritten")
    }
    let known = topology.placement.nodes.map(\.name)
    if let unknown = hosts.keys.sorted().first(where: { !known.contains($0) }) {
      throw .unknownNode(name: unknown, known: known)
    }
    let unfinished = directory + ".making"
    // Of a making that was interrupted: nobody has seen it.
    Files.remove(unfinished)
    do throws(NodeError) {
      let book = try make(topology, text, in: unfinished, hosts, executable, choosingAllPorts)
      try Files.move(unfinished, to: directory)
      try Files.synchronizeDirectory(Files.parent(of: directory))
      return KeyBundles(directory: directory, book: book)
    } catch {
      Files.remove(unfinished)
      throw error
    }
  }

  private static func make(
    _ topology: Topology, _ text: [UInt8], in directory: String, _ hosts: [String: Topology.HostAddress],
    _ executable: Digest, _ choosingAllPorts: Bool
  ) throws(NodeError) -> AddressBook {
    try Files.makeDirectory(directory)
    let nodes = topology.placement.nodes
    let all = FileKeyring(directory: "\(directory)/\(offline)")
    try FileKeyring.create(in: all.directory, KeyDirectory.names(topology))
    let keys = try all.publicKeys(of: topology)
    let genesis = Genesis(
      topology, keys: keys, salt: randomBytes(Genesis.saltBytes), scheme: .ed25519, time: WallClock.now())

    for node in nodes {
      try Files.makeDirectory("\(directory)/\(node.name)")
      try all.copy(
        to: "\(directory)/\(node.name)/keys", KeyName.names(topology, neededBy: node.actors))
    }
    for node in nodes {
      for name in KeyName.names(topology, neededBy: node.actors) {
        Files.remove(FileKeyring.path(all.directory, name))
      }
    }
    try Files.makeDirectory("\(directory)/\(client)")
    try Files.makeDirectory("\(directory)/\(client)/keys")

    let measurement = MeasuredConfiguration(network: genesis.networkID).measurement(executable: executable)
    let deployment = Deployment(topology: topology, genesis: genesis, keys: keys, measurement: measurement)
    var writer = BookWriter(directory, deployment, hosts, choosingAllPorts: choosingAllPorts)
    let book = try writer.write(nodes)
    for name in nodes.map(\.name) + [client] {
      let bundle = "\(directory)/\(name)"
      try Files.create("\(bundle)/genesis.cbor", genesis.encoded)
      try Files.create("\(bundle)/topology.yaml", text)
      try Files.create("\(bundle)/enclave.sha256", Array("\(executable.hexadecimal)\n".utf8))
      try Files.create("\(bundle)/book.json", book.encoded)
      try Files.create("\(bundle)/README", Array(readme(name, topology, book).utf8))
      try Files.synchronizeDirectory("\(bundle)/keys")
      try Files.synchronizeDirectory(bundle)
    }
    try Files.synchronizeDirectory(directory)
    return book
  }

  private static func readme(_ name: String, _ topology: Topology, _ book: AddressBook) -> String {
    let head = "AJIT key bundle of \(name) in the network \(book.network.prefix(8)) of topology \(topology.name).\n\n"
    guard name != client else {
      return head + "For whoever watches: `client/…` may ask any actor what anybody may ask, and nothing else.\n"
    }
    let actors = book.places.filter { $0.node == name }.flatMap(\.actors).map { "  \($0)\n" }.joined()
    return head + "Runs:\n\(actors)\nStart it with this directory as --keys:\n\n"
      + "  ajit up topology.yaml --node \(name) --keys . --data DIR\n\n"
      + "keys/ is secret, and this node's alone. Everything else is the same in every bundle but this text.\n"
  }
}

/// Gives every place its ports and its CURVE key, and writes them down.
private struct BookWriter {
  private let directory: String
  private let deployment: Deployment
  private let hosts: [String: Topology.HostAddress]
  private let choosesAllPorts: Bool
  private var ports = PortChooser()

  init(
    _ directory: String, _ deployment: Deployment, _ hosts: [String: Topology.HostAddress], choosingAllPorts: Bool
  ) {
    self.directory = directory
    self.deployment = deployment
    self.hosts = hosts
    choosesAllPorts = choosingAllPorts
  }

  mutating func write(_ nodes: [Placement.Node]) throws(NodeError) -> AddressBook {
    // What the topology names is taken before anything is chosen.
    var own: [[UInt16]] = []
    for node in nodes {
      let first = choosesAllPorts && !node.isExternal ? nil : node.port
      own.append(try ports.choose(2, on: host(of: node).ipv4, first: first))
    }
    var places: [AddressBook.Place] = []
    for (node, own) in zip(nodes, own) {
      let actors = node.actors.filter { $0.role != .enclave }
      let uses = actors.flatMap(Self.dataUses)
      let data = try ports.choose(uses.count, on: host(of: node).ipv4, first: nil)
      places.append(
        try place(
          node.name, node, own, actors + contracts(beside: actors),
          data: Dictionary(uniqueKeysWithValues: zip(uses, data)), key: "curve"))
      for process in deployment.topology.enclaveProcesses(in: node) { places.append(try place(of: process, node)) }
    }
    places.append(
      AddressBook.Place(
        name: KeyBundles.client, node: KeyBundles.client, host: "0.0.0.0", requests: 0, publications: 0,
        curve: try makeKey(KeyBundles.client, "curve"), actors: [], data: [:]))
    return AddressBook(
      format: AddressBook.formatVersion, topology: deployment.topology.name,
      network: deployment.genesis.networkID.hexadecimal, places: places)
  }

  private func host(of node: Placement.Node) -> Topology.HostAddress { hosts[node.name] ?? node.host }

  private mutating func place(
    of process: Topology.EnclaveProcess, _ node: Placement.Node
  ) throws(NodeError) -> AddressBook.Place {
    let enclaves = process.enclaves.map { ActorAddress(.enclave, $0) }
    let uses = enclaves.flatMap { ["\($0)/application", "\($0)/network"] }
    let ports = try ports.choose(2 + uses.count, on: host(of: node).ipv4, first: nil)
    return try place(
      AddressBook.Place.name(ofEnclaves: process.name), node, Array(ports[..<2]), enclaves,
      data: Dictionary(uniqueKeysWithValues: zip(uses, ports[2...])), key: "curve-\(process.name)")
  }

  private func place(
    _ name: String, _ node: Placement.Node, _ ports: [UInt16], _ actors: [ActorAddress], data: [String: UInt16],
    key: String
  ) throws(NodeError) -> AddressBook.Place {
    AddressBook.Place(
      name: name, node: node.name, host: host(of: node).description, requests: ports[0], publications: ports[1],
      curve: try makeKey(node.name, key), actors: actors.map(\.description), data: data)
  }

  /// - Returns: the public half.
  private func makeKey(_ node: String, _ name: String) throws(NodeError) -> String {
    try FileKeyring(directory: "\(directory)/\(node)/keys").createCurveKey(name).description
  }

  private func contracts(beside actors: [ActorAddress]) -> [ActorAddress] {
    deployment.contracts.filter { actors.contains(ActorAddress(.controller, $0.reference.operatorName)) }
      .map { .contract($0.terms.id) }
  }

  private static func dataUses(_ actor: ActorAddress) -> [String] {
    switch actor.role {
    case .edge: ["edge/\(actor.name)/network", "edge/\(actor.name)/endpoint"]
    case .customer: ["customer/\(actor.name)"]
    default: []
    }
  }
}
