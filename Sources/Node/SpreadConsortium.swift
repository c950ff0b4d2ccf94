import Assembly
import Bus
import Effects
import Hosting
import Messages
import ServiceLifecycle
import Synchronization
import Topology

/// A consortium spread over processes of this machine, one per node of the topology, and this one, which runs no actor:
/// it starts them, shows what they report, and ends them.
///
/// What it shows on the way comes from the nodes' reports (a pipe each): only the actors know an epoch's record or a
/// customer's stage before the ledger does. What came of it comes from the ledger, which this process follows over the
/// bus as any client could, executing every block again: so a node cannot make the verdict better than it is.
public actor SpreadConsortium: RunningConsortium {
  public nonisolated let observations: AsyncStream<(ActorAddress, Observation)>
  /// In the order of happening; ends when the consortium has stopped.
  public nonisolated let nodeEvents: AsyncStream<NodeEvent>

  private let deployment: Deployment
  /// By customer: the node of each that somebody else runs.
  private let elsewhere: [String: String]
  private let directory: NodeDirectory
  private let supervisor: NodeSupervisor
  private let faults: FaultDriver
  private let auditor: LedgerAuditor
  private let told: Told
  private let changes: Changes
  private let run: ServiceRun

  /// What the nodes have told so far.
  private final class Told: Sendable {
    let progress = Mutex<[String: [PlanProgress]]>([:])
    let drops = PolicyDrops()
    let traffic = Mutex(NodeTraffic())
  }

  /// Opens or founds the data directory, starts every node that is not somebody else's, and waits until they are
  /// reachable. When this throws, no process is left, and a directory that was to be founded is gone again.
  public static func start(_ configuration: ConsortiumConfiguration) async throws(NodeError) -> SpreadConsortium {
    try configuration.requirePlayable()
    OpenFileLimit.raise()
    let executable = try EnclaveExecutable(configuration.enclaveExecutable ?? EnclaveExecutable.defaultPath())
    let directory = try NodeDirectory.open(configuration, executable: executable)
    do throws(NodeError) {
      let client = try KeyBundle(directory.bundle(KeyBundles.client), of: KeyBundles.client, configuration.topology)
      let bus = try await BusClient.connect(client)
      do throws(NodeError) {
        let consortium = try SpreadConsortium(configuration, directory, client, bus)
        try await consortium.supervisor.startAll()
        directory.confirm()
        await consortium.run.start()
        await consortium.faults.begin()
        return consortium
      } catch {
        await bus.shutdown()
        throw error
      }
    } catch {
      defer { directory.unlock() }
      try directory.abandon()
      throw error
    }
  }

  private init(
    _ configuration: ConsortiumConfiguration, _ directory: NodeDirectory, _ client: KeyBundle, _ bus: Bus
  ) throws(NodeError) {
    deployment = try client.deployment()
    elsewhere = Dictionary(uniqueKeysWithValues: configuration.plansElsewhere.map { ($0.customer, $0.node) })
    let changes = Changes()
    let told = Told()
    let (observations, stream) = AsyncStream.makeStream(
      of: (ActorAddress, Observation).self, bufferingPolicy: .bufferingOldest(Consortium.maximumBufferedObservations))
    let auditor = try LedgerAuditor.following(directory.genesis, deployment.validators(), over: bus) { changes.tell() }
    let tell = auditor.tell
    let (nodeEvents, events) = AsyncStream.makeStream(
      of: NodeEvent.self, bufferingPolicy: .bufferingOldest(Consortium.maximumBufferedObservations))
    let probe = try NodeProbe(directory, over: bus, heightKnown: { await auditor.height })
    let (happenings, happening) = AsyncStream.makeStream(
      of: Observation.self, bufferingPolicy: .bufferingOldest(Consortium.maximumBufferedObservations))
    let supervisor = NodeSupervisor(
      NodeSupervisor.Setting(
        executable: configuration.nodeExecutable ?? Files.ownExecutable(),
        enclaveExecutable: configuration.enclaveExecutable.map(Files.absolute), directory: directory,
        restartsNodes: configuration.restartsNodes, historyArguments: configuration.historyArguments,
        logger: configuration.logger
      ) { node, report in
        switch report {
        case .ready: break
        case .observed(let actor, let observation):
          stream.yield((actor, observation))
          told.drops.observe(actor, observation)
          if case .blockFinal(let height, _, _, _) = observation { tell.yield(height) }
          happening.yield(observation)
        case .progress(let customer, let plans):
          told.progress.withLock { $0[customer] = plans }
          changes.tell()
        case .carried(let traffic): told.traffic.withLock { $0.tell(node, traffic) }
        }
      } tell: { event in
        events.yield(event)
        guard case .started = event.kind else { return }
        told.traffic.withLock { $0.begin(event.node) }
        Task {
          if await probe.untilAnswering(event) { events.yield(event.next(.answering)) }
        }
      }, nodes: configuration.ownNodes.map(\.name))
    let faults = FaultDriver(
      configuration.topology, nodes: configuration.ownNodes.map(\.name), supervisor
    ) { node, text in events.yield(NodeEvent(node: node, process: 0, kind: .struck(text))) }
    Task { for await observation in happenings { await faults.observed(observation) } }
    self.faults = faults
    self.directory = directory
    self.observations = observations
    self.nodeEvents = nodeEvents
    self.supervisor = supervisor
    self.auditor = auditor
    self.told = told
    self.changes = changes
    // The auditor reads the rest of the ledger while the nodes are being ended, as far as they still answer.
    run = ServiceRun(
      [auditor, supervisor], handlesSignals: configuration.handlesSignals, logger: configuration.logger
    ) {
      await faults.end()
      await supervisor.endAll()
      await bus.shutdown()
      happening.finish()
      directory.unlock()
      stream.finish()
      events.finish()
      changes.finish()
    }
  }

  public nonisolated var isNew: Bool { directory.isNew }

  public func untilSettled() async throws {
    var watch = SettlementWatch(deployment.topology.customers.filter { elsewhere[$0.name] == nil })
    for await _ in changes.stream() {
      if await watch.isSettled(auditor, plans: { customer in told.progress.withLock { $0[customer] ?? [] } }) { return }
    }
    if !Task.isCancelled { try await untilStopped() }
    throw CancellationError()
  }

  public func untilStopped() async throws(NodeError) { try await run.untilStopped() }
  public func stop() async throws(NodeError) { try await run.stop() }

  public func summary() async -> ConsortiumSummary {
    let progress = told.progress.withLock { $0 }
    let customers = deployment.topology.customers.map { ($0.name, progress[$0.name] ?? []) }
    return await ConsortiumSummary(
      deployment, auditor, customers, isNew ? told.drops : nil, elsewhere: elsewhere)
  }

  /// Whether a fault of the topology has struck: what differs from `expect:` may then be its doing.
  public var hasBeenStruck: Bool { get async { await faults.hasStruck } }

  public func traffic() async -> CarriedTraffic? { told.traffic.withLock { $0.sum } }
}
