import Assembly
import Bus
import Effects
import Hosting
import Logging
import Messages
import Signing
import Storage
import Topology

/// Everything that runs, in the order in which it was brought up; torn down the other way round.
struct ConsortiumParts: Sendable {
  let configuration: ConsortiumConfiguration
  let directory: NodeDirectory
  let site: Site
  let deployment: Deployment
  let measurement: Digest
  let bus: Bus
  let dataPlane: DataPlane
  let supervisor: EnclaveSupervisor
  /// Nil for one node of several: whoever started them all looks at the ledger once for all.
  let auditor: LedgerAuditor?
  let watcher: Watcher
  let counts: ProcessCounts
  private(set) var hosts: [HostService] = []
  /// Hosts of customers by name.
  private(set) var customers: [String: RoleHost] = [:]
  private var stores: NodeStores

  /// Brings everything up but the work itself. When this throws, nothing is left.
  static func bringUp(
    _ configuration: ConsortiumConfiguration, stream: AsyncStream<Watcher.Observed>.Continuation,
    changed: @escaping @Sendable () -> Void
  ) async throws(NodeError) -> ConsortiumParts {
    try configuration.requirePlayable()
    OpenFileLimit.raise()
    let executable = try enclaveExecutable(configuration)
    var isUp = false
    let directory = try NodeDirectory.open(configuration, executable: executable)
    defer { if !isUp { directory.unlock() } }
    do throws(NodeError) {
      let parts = try await bringUp(configuration, directory, executable, stream: stream, changed: changed)
      directory.confirm()
      isUp = true
      return parts
    } catch {
      // What the start failed of is what its caller must know, unless not even that could be undone.
      try directory.abandon()
      throw error
    }
  }

  /// Where no enclave is started, the program that would be is not needed.
  private static func enclaveExecutable(
    _ configuration: ConsortiumConfiguration
  ) throws(NodeError) -> EnclaveExecutable? {
    let topology = configuration.topology
    if case .node(let name) = configuration.extent,
      topology.placement.node(named: name).map({ topology.enclaveProcesses(in: $0).isEmpty }) ?? true
    {
      return nil
    }
    return try EnclaveExecutable(configuration.enclaveExecutable ?? EnclaveExecutable.defaultPath())
  }

  private static func bringUp(
    _ configuration: ConsortiumConfiguration, _ directory: NodeDirectory, _ executable: EnclaveExecutable?,
    stream: AsyncStream<Watcher.Observed>.Continuation, changed: @escaping @Sendable () -> Void
  ) async throws(NodeError) -> ConsortiumParts {
    let site = try Site(configuration, directory)
    try site.sockets.prepare()
    let bus: Bus
    let busConfiguration = try site.busConfiguration(directory.keyring)
    do { bus = try Bus(configuration: busConfiguration) } catch { throw .bus(error) }
    do throws(NodeError) {
      try await site.route(bus)
      let dataPlane = DataPlane(host: site.host)
      do throws(NodeError) {
        var parts = try ConsortiumParts(
          configuration, directory, executable, site, bus, dataPlane, stream: stream, changed: changed)
        try await parts.populate()
        return parts
      } catch {
        dataPlane.shutdown()
        throw error
      }
    } catch {
      await bus.shutdown()
      site.sockets.remove()
      throw error
    }
  }

  private init(
    _ configuration: ConsortiumConfiguration, _ directory: NodeDirectory, _ executable: EnclaveExecutable?,
    _ site: Site, _ bus: Bus, _ dataPlane: DataPlane,
    stream: AsyncStream<Watcher.Observed>.Continuation, changed: @escaping @Sendable () -> Void
  ) throws(NodeError) {
    let genesis = directory.genesis
    measurement = MeasuredConfiguration(network: genesis.networkID).measurement(executable: directory.executable)
    deployment = Deployment(
      topology: configuration.topology, genesis: genesis, keys: directory.keys, measurement: measurement)
    auditor =
      site.own == nil
      ? try LedgerAuditor.following(genesis, deployment.validators(), over: bus, changed: changed) : nil
    let tell = auditor?.tell
    let watcher = Watcher(
      logger: configuration.logger, stream: stream, finalized: { tell?.yield($0) }, changed: changed)
    self.watcher = watcher
    hosting = HostSetting(
      context: genesis.verificationContext, bus: bus, dataPlane: dataPlane, observer: watcher.observe)
    supervisor = EnclaveSupervisor(
      EnclaveSupervisor.Setting(
        executable: executable, measurement: measurement, genesis: genesis, keyring: directory.keyring, site: site,
        bus: bus, hosting: hosting, carried: watcher.carried, logger: configuration.logger),
      directory: directory)
    self.configuration = configuration
    self.directory = directory
    self.site = site
    self.bus = bus
    self.dataPlane = dataPlane
    counts = ProcessCounts(bus: bus, dataPlane: dataPlane)
    stores = NodeStores(directory, configuration)
  }

  private let hosting: HostSetting

  // MARK: Actors

  private mutating func populate() async throws(NodeError) {
    var book = try PortBook(path: directory.portsFile)
    var arrivals: [DataAddress: AsyncStream<[Datagram]>] = [:]
    func open(_ name: String) throws(NodeError) -> DataAddress {
      let (address, stream) = try book.open(name, given: self.site.port(name), on: dataPlane)
      arrivals[address] = stream
      return address
    }
    var edgePorts: [String: EdgePorts] = [:]
    for edge in configuration.topology.operators.flatMap(\.edges) where site.runs(ActorAddress(.edge, edge.name)) {
      edgePorts[edge.name] = EdgePorts(
        network: try open("edge/\(edge.name)/network"), endpoint: try open("edge/\(edge.name)/endpoint"))
    }
    var customerPorts: [String: DataAddress] = [:]
    for customer in configuration.topology.customers where site.runs(ActorAddress(.customer, customer.name)) {
      customerPorts[customer.name] = try open("customer/\(customer.name)")
    }
    let known = book
    let here = site
    func port(_ use: String) -> UInt16 { here.port(use) ?? known[use] }
    try await supervisor.launchAll { (port("enclave/\($0)/application"), port("enclave/\($0)/network")) }
    do throws(NodeError) {
      for (name, ports) in await supervisor.ports {
        book["enclave/\(name)/application"] = ports.application
        book["enclave/\(name)/network"] = ports.network
      }
      try book.save()
      var inputs = RuntimeInputs(
        runs: site.runs, keyring: directory.keyring, entropy: { _ in randomBytes(32) }, edgePorts: edgePorts,
        customerPorts: customerPorts, enclaves: await supervisor.identities, enclavePorts: site.enclavePorts,
        measurement: measurement, bootCounts: await supervisor.bootCounts, clock: site.clock, sharesReading: true)
      inputs.history = configuration.history
      // The supervisor has the platforms: they are made anew with every launch.
      for plan in try plans(inputs) where plan.address.role != .platform {
        try await add(plan, plan.ports.compactMap { arrivals[$0] })
      }
      try await site.listen(bus)
    } catch {
      await supervisor.endAll()
      await stores.close(configuration.logger)
      throw error
    }
  }

  private func plans(_ inputs: RuntimeInputs<FileKeyring>) throws(NodeError) -> [ActorPlan] {
    do { return try deployment.actors(inputs) } catch let error as NodeError { throw error } catch {
      throw .impossible(detail: "\(error)")
    }
  }

  private mutating func add(_ plan: ActorPlan, _ arrivals: [AsyncStream<[Datagram]>]) async throws(NodeError) {
    let store = try stores.open(plan)
    let core: any RoleCore
    do { core = try plan.make(try await store?.recover() ?? []) } catch let error as StorageError {
      throw .storage(error)
    } catch {
      throw .unrecoverable(actor: plan.address, detail: "\(error)")
    }
    let host = hosting.host(core, store: store ?? NoStore(), isTold: plan.isToldOfLedger)
    do { try await host.register() } catch { throw .bus(error) }
    hosts.append(HostService(host: host, arrivals: arrivals))
    if plan.address.role == .customer { customers[plan.address.name] = host }
  }

  /// Ends what the services left: after this there is no process, no socket and no open file of this consortium.
  func tearDown() async {
    await supervisor.endAll()
    await bus.shutdown()
    dataPlane.shutdown()
    await stores.close(configuration.logger)
    site.sockets.remove()
    directory.unlock()
    await counts.tell(watcher)
    watcher.report()
    watcher.finish()
  }
}
