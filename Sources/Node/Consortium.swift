import Bus
import Effects
import Hosting
import Messages
import Roles
import ServiceLifecycle
import Topology

/// A consortium that runs, wherever its actors are, as whoever shows it and waits for its end sees it.
public protocol RunningConsortium: Sendable {
  /// What the actors let people know, in the order of happening; ends when the consortium has stopped. Bounded
  /// (``Consortium/maximumBufferedObservations``): who reads too slowly loses the newest.
  var observations: AsyncStream<(ActorAddress, Observation)> { get }
  /// Whether this start founded the network; otherwise it resumed an earlier life's.
  var isNew: Bool { get }

  /// Returns when every planned activation has come to its end and the ledger's word on each was checked; at once
  /// when nothing is planned.
  /// - Throws: the ``NodeError`` that stopped the consortium before that; `CancellationError` when it was told to stop,
  ///   or this task was cancelled.
  func untilSettled() async throws
  /// Returns when the consortium has stopped in order: told by a signal or by ``stop()``.
  /// - Throws: the ``NodeError`` that stopped it.
  func untilStopped() async throws(NodeError)
  /// Stops everything and returns when that is done. A second call waits for the first.
  /// - Throws: the ``NodeError`` that had stopped it before.
  func stop() async throws(NodeError)
  /// Where every planned activation stands now.
  func summary() async -> ConsortiumSummary
  /// What the actors' and the enclaves' processes have carried in this run: exactly once it has stopped, until then as
  /// they told it a second or two ago. Nil where nobody tells.
  func traffic() async -> CarriedTraffic?
}

/// Actors of a topology in this process, over one bus, with their enclaves, each of which is a process of its own: all
/// of them, or those of one node.
///
///     let consortium = try await Consortium.start(configuration)
///     for await (actor, observation) in consortium.observations { … }   // in a task of its own
///     try await consortium.untilSettled()
///     let summary = await consortium.summary()
///     try await consortium.stop()
///
/// Everything an actor promises is on disk before it is said, so the process may be killed at any moment; the next
/// start on the same directory goes on where it was.
public actor Consortium: RunningConsortium {
  public nonisolated let observations: AsyncStream<(ActorAddress, Observation)>

  public static let maximumBufferedObservations = 65_536

  private let parts: ConsortiumParts
  private let changes: Changes
  private let run: ServiceRun

  /// Opens or founds the data directory, launches the enclaves, and sets every actor to work. When this throws, nothing
  /// is left running, no socket is left behind, and a directory that was to be founded is gone again.
  public static func start(_ configuration: ConsortiumConfiguration) async throws(NodeError) -> Consortium {
    let (observations, stream) = AsyncStream.makeStream(
      of: (ActorAddress, Observation).self, bufferingPolicy: .bufferingOldest(maximumBufferedObservations))
    let changes = Changes()
    let parts = try await ConsortiumParts.bringUp(configuration, stream: stream) { changes.tell() }
    let consortium = Consortium(parts, changes, observations)
    await consortium.run.start()
    return consortium
  }

  private init(
    _ parts: ConsortiumParts, _ changes: Changes, _ observations: AsyncStream<(ActorAddress, Observation)>
  ) {
    self.parts = parts
    self.changes = changes
    self.observations = observations
    // Stopped last first: customers before those whom they ask, validators and the auditor after everybody.
    var services: [any Service] = [WatcherService(watcher: parts.watcher, counts: parts.counts)]
    if let auditor = parts.auditor { services.append(auditor) }
    services += parts.hosts.filter { $0.host.address.role != .customer }
    // A service that has nothing to do would end all others.
    if !parts.site.enclaveProcesses.isEmpty { services.append(parts.supervisor) }
    services += parts.hosts.filter { $0.host.address.role == .customer }
    run = ServiceRun(
      services, handlesSignals: parts.configuration.handlesSignals, logger: parts.configuration.logger
    ) {
      await parts.tearDown()
      changes.finish()
    }
  }

  /// Where a running consortium, or node, with this data directory is reached: for `ajit status` and the like.
  public static func busEndpoint(dataDirectory: String) -> BusEndpoint { SocketPaths(dataDirectory: dataDirectory).bus }

  /// Observations that found no room in ``observations``.
  public nonisolated var droppedObservations: UInt64 { parts.watcher.dropped }

  public nonisolated var isNew: Bool { parts.directory.isNew }

  /// The processes of the enclaves that are there now.
  public var enclaveProcessIDs: [Int32] { get async { await parts.supervisor.processIDs } }

  public func untilSettled() async throws {
    var watch = SettlementWatch(parts.configuration.topology.customers)
    for await _ in changes.stream() {
      guard let auditor = parts.auditor else { continue }
      if await watch.isSettled(auditor, plans: { await progress(of: $0) ?? [] }) { return }
    }
    if !Task.isCancelled { try await untilStopped() }
    throw CancellationError()
  }

  public func untilStopped() async throws(NodeError) { try await run.untilStopped() }
  public func stop() async throws(NodeError) { try await run.stop() }

  public func summary() async -> ConsortiumSummary {
    await ConsortiumSummary(parts.deployment, parts.auditor, await progress(), isNew ? parts.watcher.drops : nil)
  }

  public func traffic() async -> CarriedTraffic? { parts.watcher.traffic }

  /// What the process that started this node wants done.
  nonisolated func obey(_ order: NodeOrder) {
    switch order {
    case .obstruct(let obstructions): parts.bus.obstruct(obstructions)
    }
  }

  /// What the customers here say of their plans, in file order.
  func progress() async -> [(customer: String, plans: [PlanProgress])] {
    var all: [(String, [PlanProgress])] = []
    for customer in parts.configuration.topology.customers {
      if let plans = await progress(of: customer.name) { all.append((customer.name, plans)) }
    }
    return all
  }

  /// In the order of the plan, which is the order of the file; nil for a customer that is not here.
  func progress(of customer: String) async -> [PlanProgress]? {
    guard let host = parts.customers[customer] else { return nil }
    return await host.inspect { core in (core as? CustomerCore)?.progress.map { PlanProgress($0) } ?? [] }
  }
}

/// Logs counts, at most once a second.
private struct WatcherService: Service {
  let watcher: Watcher
  let counts: ProcessCounts

  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      while true {
        try await Task.sleep(for: .nanoseconds(Watcher.reportInterval.nanoseconds))
        await counts.tell(watcher)
        watcher.report()
      }
    }
  }
}

extension ProcessCounts {
  /// What was added since the last time.
  func tell(_ watcher: Watcher) async {
    watcher.count(await take())
    watcher.carried(await takeTraffic())
  }
}
