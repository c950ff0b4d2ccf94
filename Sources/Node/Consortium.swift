import Bus
import Effects
import Foundation
import Hosting
import Messages
import Roles
import ServiceLifecycle
import Topology
import UnixSignals

/// A whole consortium on one machine: every actor of a topology in this process, over one bus, except the enclaves,
/// each of which is a process of its own.
///
///     let consortium = try await Consortium.start(configuration)
///     for await (actor, observation) in consortium.observations { … }   // in a task of its own
///     try await consortium.untilSettled()
///     let summary = await consortium.summary()
///     try await consortium.stop()
///
/// Everything an actor promises is on disk before it is said, so the process may be killed at any moment; the next
/// start on the same directory goes on where it was.
public actor Consortium {
  /// What the actors let people know, in the order of happening; ends when the consortium has stopped. Bounded
  /// (``maximumBufferedObservations``): who reads too slowly loses the newest, counted in ``droppedObservations``.
  public nonisolated let observations: AsyncStream<(ActorAddress, Observation)>

  public static let maximumBufferedObservations = 65_536

  private let parts: ConsortiumParts
  private let changes: Changes
  private let group: ServiceGroup
  private var work: Task<Result<Void, NodeError>, Never>?

  /// Opens or founds the data directory, launches the enclaves, and sets every actor to work. When this throws, nothing
  /// is left running, no socket is left behind, and a directory that was to be founded is gone again.
  public static func start(_ configuration: ConsortiumConfiguration) async throws(NodeError) -> Consortium {
    let (observations, stream) = AsyncStream.makeStream(
      of: (ActorAddress, Observation).self, bufferingPolicy: .bufferingOldest(maximumBufferedObservations))
    let changes = Changes()
    let parts = try await ConsortiumParts.bringUp(configuration, stream: stream) { changes.tell() }
    let consortium = Consortium(parts, changes, observations)
    await consortium.setToWork()
    return consortium
  }

  private init(
    _ parts: ConsortiumParts, _ changes: Changes, _ observations: AsyncStream<(ActorAddress, Observation)>
  ) {
    self.parts = parts
    self.changes = changes
    self.observations = observations
    // Stopped last first: customers before those whom they ask, validators and the auditor after everybody.
    let counts = ProcessCounts(bus: parts.bus, dataPlane: parts.dataPlane)
    var services: [any Service] = [WatcherService(watcher: parts.watcher, counts: counts), parts.auditor]
    services += parts.hosts.filter { $0.host.address.role != .customer }
    services.append(parts.supervisor)
    services += parts.hosts.filter { $0.host.address.role == .customer }
    let configurations = services.map {
      ServiceGroupConfiguration.ServiceConfiguration(
        service: $0, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .cancelGroup)
    }
    let signals: [UnixSignal] = parts.configuration.handlesSignals ? [.sigint, .sigterm] : []
    var logger = parts.configuration.logger
    // The group tells every step of every service.
    logger.logLevel = max(logger.logLevel, .warning)
    group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: configurations, gracefulShutdownSignals: signals, cancellationSignals: [], logger: logger))
  }

  private func setToWork() {
    let (group, parts, changes) = (group, parts, changes)
    let hardStop = parts.configuration.handlesSignals ? Task { await stopHardAtSecondSignal() } : nil
    work = Task {
      let result: Result<Void, NodeError>
      do {
        try await group.run()
        result = .success(())
      } catch let error as NodeError {
        result = .failure(error)
      } catch is CancellationError {
        result = .success(())
      } catch let error as ServiceGroupError where error == .alreadyFinished() {
        // Stopped before it had begun.
        result = .success(())
      } catch {
        result = .failure(.impossible(detail: "\(error)"))
      }
      await parts.tearDown()
      hardStop?.cancel()
      changes.finish()
      return result
    }
  }

  /// Where a running consortium with this data directory is reached: for `ajit status` and the like.
  public static func busEndpoint(dataDirectory: String) -> BusEndpoint { SocketPaths(dataDirectory: dataDirectory).bus }

  /// Observations that found no room in ``observations``.
  public nonisolated var droppedObservations: UInt64 { parts.watcher.dropped }

  /// Whether this start founded the network; otherwise it resumed an earlier life's.
  public nonisolated var isNew: Bool { parts.directory.isNew }

  /// The processes of the enclaves that are there now.
  public var enclaveProcessIDs: [Int32] { get async { await parts.supervisor.processIDs } }

  /// Returns when every planned activation has come to its end and the ledger's word on each was checked; at once
  /// when nothing is planned.
  /// - Throws: the ``NodeError`` that stopped the node before that; `CancellationError` when it was told to stop, or
  ///   this task was cancelled.
  public func untilSettled() async throws {
    for await _ in changes.stream() {
      if await isSettled() { return }
    }
    if !Task.isCancelled { try await untilStopped() }
    throw CancellationError()
  }

  /// Returns when the consortium has stopped in order: told by a signal or by ``stop()``.
  /// - Throws: the ``NodeError`` that stopped it.
  public func untilStopped() async throws(NodeError) {
    guard let work else { return }
    try await work.value.get()
  }

  /// Stops every actor, ends the enclaves and removes the sockets; returns when that is done. A second call waits for
  /// the first.
  /// - Throws: the ``NodeError`` that had stopped it before.
  public func stop() async throws(NodeError) {
    await group.triggerGracefulShutdown()
    try await untilStopped()
  }

  // MARK: What came of it

  /// Where every planned activation stands now.
  public func summary() async -> ConsortiumSummary {
    let issued = parts.deployment.genesis.organisations.reduce(UInt128(0)) { $0 + UInt128($1.credit) }
    return ConsortiumSummary(
      activations: await activations(), height: await parts.auditor.height,
      isConserved: await parts.auditor.isConserved(issued: issued), discrepancy: await parts.auditor.discrepancy)
  }

  /// Asked after every change: looks no further than the first that is not over.
  private func isSettled() async -> Bool {
    for customer in parts.configuration.topology.customers {
      for activation in await activations(of: customer, untilUnderWay: true) where !activation.outcome.isOver {
        return false
      }
    }
    return true
  }

  private func activations() async -> [ActivationSummary] {
    var summaries: [ActivationSummary] = []
    for customer in parts.configuration.topology.customers { summaries += await activations(of: customer) }
    return summaries
  }

  private func activations(
    of customer: Topology.Customer, untilUnderWay: Bool = false
  ) async -> [ActivationSummary] {
    guard let host = parts.customers[customer.name] else { return [] }
    // In the order of the plan, which is the order of the file.
    let progress = await host.inspect { ($0 as? CustomerCore)?.progress ?? [] }
    var summaries: [ActivationSummary] = []
    for (planned, progress) in zip(customer.activations, progress) {
      let summary = ActivationSummary(
        label: planned.name, customer: customer.name, contract: planned.contract, id: progress.activation,
        outcome: await outcome(progress))
      summaries.append(summary)
      if untilUnderWay, !summary.outcome.isOver { break }
    }
    return summaries
  }

  private func outcome(_ progress: CustomerCore.Progress) async -> ActivationSummary.Outcome {
    if let refusal = progress.refusal { return .refused(refusal) }
    guard let id = progress.activation, let record = await parts.auditor.record(of: id) else {
      return .underWay(progress.stage)
    }
    let change = record.change
    let settled = record.settlement?.record
    return .ended(
      ActivationResult(
        state: change.state, statusInfo: change.statusInfo, settlement: change.settlement,
        epochs: settled?.epochCounters ?? EpochCounters(), rules: settled?.ruleCounters ?? [], money: change.money))
  }
}

/// Logs counts, at most once a second.
private struct WatcherService: Service {
  let watcher: Watcher
  let counts: ProcessCounts

  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      var counts = counts
      while true {
        try await Task.sleep(for: .nanoseconds(Watcher.reportInterval.nanoseconds))
        watcher.count(await counts.take())
        watcher.report()
      }
    }
  }
}

/// Whoever asks twice for a stop wants it now. The enclaves end with this process; what was promised is on disk.
private func stopHardAtSecondSignal() async {
  var count = 0
  for await signal in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
    count += 1
    if count == 2 { exit(128 + signal.rawValue) }
  }
}
