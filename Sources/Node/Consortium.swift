import Bus
import Effects
import Messages
import Topology

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
  private let continuation: AsyncStream<(ActorAddress, Observation)>.Continuation

  public static let maximumBufferedObservations = 65_536

  private init() {
    (observations, continuation) = AsyncStream.makeStream(
      bufferingPolicy: .bufferingOldest(Self.maximumBufferedObservations))
  }

  /// Opens or founds the data directory, launches the enclaves, and sets every actor to work. When this throws, nothing
  /// is left running, no socket is left behind, and a directory that was to be founded is gone again.
  public static func start(_ configuration: ConsortiumConfiguration) async throws(NodeError) -> Consortium {
    throw .impossible(detail: "this build has no actors yet")
  }

  /// Where a running consortium with this data directory is reached: for `ajit status` and the like.
  public static func busEndpoint(dataDirectory: String) throws(NodeError) -> BusEndpoint {
    throw .impossible(detail: "this build has no actors yet")
  }

  /// Observations that found no room in ``observations``.
  public nonisolated var droppedObservations: UInt64 { 0 }

  /// Returns when every planned activation has come to its end and the ledger's word on each was checked; at once
  /// when nothing is planned.
  /// - Throws: what stopped the node before that; `CancellationError` when it was told to stop, or this task was.
  public func untilSettled() async throws {}

  /// Returns when the consortium has stopped in order: told by a signal or by ``stop()``.
  /// - Throws: the ``NodeError`` that stopped it.
  public func untilStopped() async throws(NodeError) {}

  /// Stops every actor, ends the enclaves and removes the sockets; returns when that is done. A second call waits for
  /// the first.
  /// - Throws: the ``NodeError`` that had stopped it before.
  public func stop() async throws(NodeError) {}

  /// Where every planned activation stands now.
  public func summary() async -> ConsortiumSummary {
    ConsortiumSummary(activations: [], height: 0, isConserved: true, discrepancy: nil)
  }
}
