import Bus
import Effects
import Enclave
import Hosting
import Messages
import Signing
import Synchronization

/// The parts of one life of a process of enclaves, brought up.
struct RunningEnclaves: Sendable {
  /// One enclave: its core at work on its own ports.
  private struct Running: Sendable {
    let host: RoleHost
    let arrivals: [AsyncStream<[Datagram]>]
    let ready: ReadyEnclave
  }

  private let enclaves: [Running]
  private let bus: Bus
  private let dataPlane: DataPlane
  private let counts: EnclaveCounts

  var report: EnclaveReport { .ready(enclaves.map(\.ready)) }

  init(_ launch: EnclaveLaunch, log: @escaping @Sendable (String) -> Void) async throws {
    let store = try Self.openState(launch)
    dataPlane = DataPlane(host: launch.host)
    bus = try await Self.bus(launch)
    counts = EnclaveCounts(of: ProcessCounts(bus: bus, dataPlane: dataPlane), log: log)
    var enclaves: [Running] = []
    for order in launch.enclaves {
      enclaves.append(try await Self.start(order, launch, store.section(order.name), bus, dataPlane, counts, log))
    }
    self.enclaves = enclaves
  }

  /// Works until it is told to stop, or until one of them halts: then all of them end.
  func run(until stop: StopNotice) async throws {
    let result: Result<Void, any Error>
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for enclave in enclaves { group.addTask { try await enclave.host.run(arrivals: enclave.arrivals) } }
        group.addTask { await counts.keepTelling() }
        group.addTask {
          for await _ in stop.stream {}
          for enclave in enclaves { await enclave.host.stop() }
        }
        // Whichever ends first: all were told to stop, or one cannot go on, or the bus has ended.
        try await group.next()
        group.cancelAll()
        try await group.waitForAll()
      }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    await bus.shutdown()
    dataPlane.shutdown()
    await counts.tell()
    try result.get()
  }

  private static func start(
    _ order: EnclaveOrder, _ launch: EnclaveLaunch, _ state: SealedSection, _ bus: Bus, _ dataPlane: DataPlane,
    _ counts: EnclaveCounts, _ log: @escaping @Sendable (String) -> Void
  ) async throws -> Running {
    let keys = try await keys(state, order.name)
    let application = try open(order.applicationPort, on: dataPlane)
    let network = try open(order.networkPort, on: dataPlane)
    let core = try EnclaveCore(
      EnclaveCore.Configuration(
        name: order.name, network: launch.genesis.networkID, customer: ActorAddress(.customer, order.customer),
        receiptKey: keys.receipt, agreementKey: keys.agreement, applicationPort: application.address,
        networkPort: network.address, clock: launch.clock),
      recovering: await state.recover())
    let host = RoleHost(
      core, context: launch.genesis.verificationContext, store: state, bus: bus, dataPlane: dataPlane
    ) { address, observation in
      switch observation {
      case .note(let severity, let text): log("\(address): \(severity): \(text)")
      case .counted(let name, let amount): counts.add(name, amount, of: address.name)
      // Its customer and the edge report these.
      case .blockFinal, .activation, .epochRecorded: break
      }
    }
    try await host.register()
    let identity = EnclaveIdentity(receiptKey: keys.receipt.publicKey, applicationPort: application.address)
    return Running(
      host: host, arrivals: [application.arrivals, network.arrivals],
      ready: ReadyEnclave(name: order.name, identity: identity, networkPort: network.address))
  }

  /// Listens where it was told to, admits whom it was told of, and knows the way to them.
  private static func bus(_ launch: EnclaveLaunch) async throws -> Bus {
    var configuration = BusConfiguration()
    if !launch.busSecret.isEmpty {
      var secret = launch.busSecret
      defer { wipe(&secret) }
      configuration.keys = try CurveKeyPair(secret: secret)
      configuration.admissions = launch.peers.compactMap { peer in
        peer.key.map { Admission(CurvePublicKey($0), as: Set(peer.actors), anyOf: [.client]) }
      }
    }
    let bus = try Bus(configuration: configuration)
    // Over `ipc://` the node that started it speaks for its customers and edges, and other enclaves for themselves.
    let customers = launch.enclaves.map { ActorAddress(.customer, $0.customer) }
    let claims = Claims(Set(launch.peers.flatMap(\.actors) + customers), anyOf: [.client])
    try await bus.bind(endpoint(launch.place), publicationPort: launch.place.publicationPort, claims: claims)
    for peer in launch.peers {
      let endpoint = try endpoint(peer)
      for actor in peer.actors {
        try await bus.route(actor, to: endpoint, serverKey: peer.key.map { CurvePublicKey($0) })
      }
    }
    return bus
  }

  private static func endpoint(_ place: BusPlace) throws(LaunchFault) -> BusEndpoint {
    guard let endpoint = BusEndpoint(place.endpoint) else {
      throw LaunchFault("its launcher names an endpoint that is none: \(place.endpoint)")
    }
    return endpoint
  }

  private static func openState(_ launch: EnclaveLaunch) throws -> SealedStore {
    var secret = launch.sealingKey
    defer { wipe(&secret) }
    return try SealedStore(
      directory: launch.stateDirectory, key: try SealingKey(secret: secret), enclaves: launch.enclaves.map(\.name),
      bootCount: launch.bootCount, reportedBootCount: launch.reportedBootCount)
  }

  /// The receipt key, made in here at the first launch and never told to anybody, and the key that agrees on packet
  /// tags, derived from it: the same in every life, so that a flow survives a restart.
  private static func keys(
    _ state: SealedSection, _ name: String
  ) async throws -> (receipt: SigningKey, agreement: KeyAgreementKey) {
    guard var seed = await state.takeSeed() else { throw LaunchFault("enclave \(name) is named twice") }
    var agreement = Digest(label: "AJIT enclave agreement key", seed).bytes
    defer {
      wipe(&seed)
      wipe(&agreement)
    }
    return (try SigningKey(seed: seed), try KeyAgreementKey(seed: agreement))
  }

  /// The port of the life before, or, when somebody else has it, another.
  private static func open(
    _ port: UInt16, on plane: DataPlane
  ) throws(DataPortError) -> (address: DataAddress, arrivals: AsyncStream<[Datagram]>) {
    if port != 0, let opened = try? plane.open(port: port) { return opened }
    return try plane.open()
  }
}

/// What the enclaves counted and their process carried, told to their launcher at most once a second, and at the end.
private final class EnclaveCounts: Sendable {
  static let interval = Duration.seconds(1)

  /// By enclave.
  private let sums = Mutex<[String: CountSums]>([:])
  private let process: ProcessCounts
  private let log: @Sendable (String) -> Void

  init(of process: ProcessCounts, log: @escaping @Sendable (String) -> Void) {
    self.process = process
    self.log = log
  }

  func add(_ name: String, _ amount: UInt64, of enclave: String) {
    sums.withLock { $0[enclave, default: CountSums()].add(name, amount) }
  }

  /// Until cancelled.
  func keepTelling() async {
    while (try? await Task.sleep(for: Self.interval)) != nil { await tell() }
  }

  /// What was added since the last time.
  func tell() async {
    var taken = sums.withLock { sums in
      defer { sums = [:] }
      return sums
    }
    for enclave in taken.keys.sorted() {
      for count in taken[enclave]?.take() ?? [] {
        log(CountLine(name: count.name, amount: count.amount, enclave: enclave).text)
      }
    }
    for count in await process.take() { log(CountLine(name: count.name, amount: count.amount).text) }
    for row in await process.takeTraffic().rows { log(TrafficLine(kind: row.kind, flow: row.flow).text) }
  }
}
