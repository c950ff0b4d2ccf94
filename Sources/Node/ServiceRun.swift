import Foundation
import Logging
import ServiceLifecycle
import UnixSignals

/// Services that stand and fall together: the first that ends or fails ends all, in order, last first.
actor ServiceRun {
  private let group: ServiceGroup
  private let handlesSignals: Bool
  private let tearDown: @Sendable () async -> Void
  private var work: Task<Result<Void, NodeError>, Never>?

  /// - Parameter tearDown: what remains to be done when no service works any more.
  init(
    _ services: [any Service], handlesSignals: Bool, logger: Logger, tearDown: @escaping @Sendable () async -> Void
  ) {
    let configurations = services.map {
      ServiceGroupConfiguration.ServiceConfiguration(
        service: $0, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .cancelGroup)
    }
    let signals: [UnixSignal] = handlesSignals ? [.sigint, .sigterm] : []
    var logger = logger
    // The group tells every step of every service.
    logger.logLevel = max(logger.logLevel, .warning)
    group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: configurations, gracefulShutdownSignals: signals, cancellationSignals: [], logger: logger))
    self.handlesSignals = handlesSignals
    self.tearDown = tearDown
  }

  func start() {
    let (group, tearDown) = (group, tearDown)
    let hardStop = handlesSignals ? Task { await stopHardAtSecondSignal() } : nil
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
      await tearDown()
      hardStop?.cancel()
      return result
    }
  }

  /// Returns when all have stopped in order.
  /// - Throws: the ``NodeError`` that stopped them.
  func untilStopped() async throws(NodeError) {
    guard let work else { return }
    try await work.value.get()
  }

  /// Stops all and returns when that is done; a second call waits for the first.
  func stop() async throws(NodeError) {
    await group.triggerGracefulShutdown()
    try await untilStopped()
  }
}

/// Whoever asks twice for a stop wants it now. Children end with this process; what was promised is on disk.
private func stopHardAtSecondSignal() async {
  var count = 0
  for await signal in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
    count += 1
    if count == 2 { exit(128 + signal.rawValue) }
  }
}
