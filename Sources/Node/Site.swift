import Bus
import Hosting
import Messages
import Signing
import Topology

/// What of a topology runs in this process, and how it and everybody else reach each other: everything here over one
/// bus inside the process (and `ipc://` for the enclaves), or one node among others over `tcp://` with CURVE.
struct Site: Sendable {
  /// The node that this is; nil where everything is here.
  struct Own: Sendable {
    let name: String
    let place: AddressBook.Place
    let book: AddressBook
    let actors: Set<ActorAddress>
  }

  let own: Own?
  let sockets: SocketPaths
  let clock: ClockQuality
  private let topology: Topology

  init(_ configuration: ConsortiumConfiguration, _ directory: NodeDirectory) throws(NodeError) {
    topology = configuration.topology
    sockets = SocketPaths(dataDirectory: directory.path)
    guard case .node(let name) = configuration.extent, let book = directory.book else {
      own = nil
      clock = Self.commonClock
      return
    }
    guard let place = book.place(name), let node = topology.placement.node(named: name) else {
      throw .unknownNode(name: name, known: topology.placement.nodes.map(\.name))
    }
    own = Own(name: name, place: place, book: book, actors: Set(node.actors))
    clock = configuration.clock ?? (book.isOneHost ? Self.commonClock : Self.unknownClock)
  }

  /// One host, one clock: what one end stamps the other reads (the kernel's real-time clock).
  private static let commonClock = ClockQuality(source: .common, synchronised: true, errorBound: .zero)

  /// Nothing tells this program what disciplines a host's clock, so nothing is claimed unless a person says it: one-way
  /// rules are INCONCLUSIVE then, loss and round trips are judged.
  private static let unknownClock = ClockQuality(source: .freeRunning, synchronised: false, errorBound: .seconds(1))

  func runs(_ actor: ActorAddress) -> Bool { own.map { $0.actors.contains(actor) } ?? true }

  /// A process of enclaves that this node starts.
  struct EnclaveProcess: Sendable {
    let name: String
    /// In file order, with their owners.
    let enclaves: [(name: String, customer: String)]

    var actors: [ActorAddress] { enclaves.map { ActorAddress(.enclave, $0.name) } }
  }

  /// In the order of their first enclaves. All enclaves of one process are in one node.
  var enclaveProcesses: [EnclaveProcess] {
    let owners = Dictionary(
      topology.customers.flatMap { customer in customer.enclaves.map { ($0.name, customer.name) } },
      uniquingKeysWith: { first, _ in first })
    return topology.enclaveProcesses.compactMap { process in
      let here = process.enclaves.filter { runs(ActorAddress(.enclave, $0)) }
      return here.isEmpty
        ? nil : EnclaveProcess(name: process.name, enclaves: here.map { ($0, owners[$0] ?? "") })
    }
  }

  // MARK: The bus

  /// The address that UDP ports are bound on.
  var host: UInt32 { own?.place.ipv4 ?? DataAddress.loopback(port: 0).ipv4 }

  func busConfiguration(_ keyring: FileKeyring) throws(NodeError) -> BusConfiguration {
    guard let own else { return BusConfiguration() }
    return BusConfiguration(
      keys: try keyring.curveKey("curve"), admissions: own.book.others(than: own.place.name).compactMap(\.admission))
  }

  /// Learns the way to everybody else. Whoever is not there yet is connected to when it is.
  func route(_ bus: Bus) async throws(NodeError) {
    guard let own else { return }
    do throws(BusError) {
      for place in own.book.others(than: own.place.name) where place.isServed {
        for actor in place.addresses { try await bus.route(actor, to: place.endpoint, serverKey: place.key) }
      }
    } catch {
      throw .bus(error)
    }
  }

  /// Listens where others expect it: when every actor is on the bus, because who asks before is refused, not kept
  /// waiting.
  func listen(_ bus: Bus) async throws(NodeError) {
    do throws(BusError) {
      // Enclaves that were started here, and whoever watches, come over `ipc://`.
      let enclaves = Set(enclaveProcesses.flatMap(\.actors))
      try await bus.bind(sockets.bus, claims: Claims(enclaves, anyOf: [.client]))
      guard let own else { return }
      try await bus.bind(own.place.endpoint, publicationPort: own.place.publications)
    } catch {
      throw .bus(error)
    }
  }

  // MARK: Ports

  /// The port that the book gives to a use; nil where none is given.
  func port(_ use: String) -> UInt16? {
    guard let own else { return nil }
    return own.book.places.filter { $0.node == own.name }.compactMap { $0.data[use] }.first
  }

  /// Where enclaves take their applications' datagrams; nil where all of them are here and say so themselves.
  var enclavePorts: [String: DataAddress]? { own?.book.enclavePorts }

  // MARK: Enclaves

  /// What a process of enclaves is told about the bus: its own place there, the secret of its key, and everybody else.
  func bus(
    ofEnclaves number: Int, _ keyring: FileKeyring
  ) throws(NodeError) -> (place: BusPlace, secret: [UInt8], peers: [BusPlace]) {
    let processes = enclaveProcesses
    guard let own else {
      let edges = topology.operators.flatMap(\.edges).map { ActorAddress(.edge, $0.name) }
      let node = BusPlace(endpoint: sockets.bus.description, actors: edges)
      let places = processes.indices.map { number in
        BusPlace(endpoint: sockets.enclaves(number).description, actors: processes[number].actors)
      }
      return (places[number], [], [node] + places[..<number] + places[(number + 1)...])
    }
    let name = processes[number].name
    let placeName = AddressBook.Place.name(ofEnclaves: name)
    guard let place = own.book.place(placeName) else {
      throw .bundleDiffers(path: keyring.directory, detail: "its book.json does not know the enclaves of \(name)")
    }
    return (place.busPlace, try keyring.curveSecret("curve-\(name)"), own.book.others(than: placeName).map(\.busPlace))
  }
}
