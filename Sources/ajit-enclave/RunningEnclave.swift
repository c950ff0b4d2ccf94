import Bus
import Effects
import Enclave
import Hosting
import Messages
import Signing
import Synchronization

/// The parts of one life of an enclave, brought up.
struct RunningEnclave: Sendable {
  let report: EnclaveReport
  private let host: RoleHost
  private let bus: Bus
  private let dataPlane: DataPlane
  private let arrivals: [AsyncStream<[Datagram]>]
  private let counts: EnclaveCounts

  init(_ launch: EnclaveLaunch, log: @escaping @Sendable (String) -> Void) async throws {
    let store = try Self.openState(launch)
    let keys = try await Self.keys(store)

    dataPlane = try DataPlane(host: launch.host)
    let application = try Self.open(launch.applicationPort, on: dataPlane)
    let network = try Self.open(launch.networkPort, on: dataPlane)
    arrivals = [application.arrivals, network.arrivals]

    let core = try EnclaveCore(
      EnclaveCore.Configuration(
        name: launch.name, network: launch.genesis.networkID, customer: ActorAddress(.customer, launch.customer),
        receiptKey: keys.receipt, agreementKey: keys.agreement, applicationPort: application.address,
        networkPort: network.address, clock: launch.clock),
      recovering: await store.recover())

    bus = try await Self.bus(launch)

    let counts = EnclaveCounts(log: log)
    self.counts = counts
    host = RoleHost(
      core, context: launch.genesis.verificationContext, store: store, bus: bus, dataPlane: dataPlane
    ) { _, observation in
      switch observation {
      case .note(let severity, let text): log("\(severity): \(text)")
      case .counted(let name, let amount): counts.add(name, amount)
      // Its customer and the edge report these.
      case .blockFinal, .activation, .epochRecorded: break
      }
    }
    try await host.register()
    report = .ready(
      EnclaveIdentity(receiptKey: keys.receipt.publicKey, applicationPort: application.address),
      networkPort: network.address)
  }

  func run(until stop: StopNotice) async throws {
    let result: Result<Void, any Error>
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await host.run(arrivals: arrivals) }
        group.addTask { await counts.tell(adding: ProcessCounts(bus: bus, dataPlane: dataPlane)) }
        group.addTask {
          for await _ in stop.stream {}
          await host.stop()
        }
        try await group.next()
        group.cancelAll()
      }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    await bus.shutdown()
    dataPlane.shutdown()
    try result.get()
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
    try await bus.bind(endpoint(launch.place), publicationPort: launch.place.publicationPort)
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
      directory: launch.stateDirectory, key: try SealingKey(secret: secret), bootCount: launch.bootCount,
      reportedBootCount: launch.reportedBootCount)
  }

  /// The receipt key, made in here at the first launch and never told to anybody, and the key that agrees on packet
  /// tags, derived from it: the same in every life, so that a flow survives a restart.
  private static func keys(_ store: SealedStore) async throws -> (receipt: SigningKey, agreement: KeyAgreementKey) {
    var seed = await store.takeSeed()
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

/// What the enclave counted, told to its launcher at most once a second.
private final class EnclaveCounts: Sendable {
  static let interval = Duration.seconds(1)

  private let sums = Mutex(CountSums())
  private let log: @Sendable (String) -> Void

  init(log: @escaping @Sendable (String) -> Void) { self.log = log }

  func add(_ name: String, _ amount: UInt64) { sums.withLock { $0.add(name, amount) } }

  /// Until cancelled.
  func tell(adding process: ProcessCounts) async {
    var process = process
    while (try? await Task.sleep(for: Self.interval)) != nil {
      let counts = sums.withLock { $0.take() } + (await process.take())
      for count in counts { log(CountLine(name: count.name, amount: count.amount).text) }
    }
  }
}
