import CZeroMQ
import Glibc
import Messages
import Synchronization

/// What the socket thread is asked to do. Everything it needs comes along: the thread shares nothing.
enum Command: Sendable {
  typealias Answer<Value: Sendable> = CheckedContinuation<Result<Value, BusError>, Never>

  case bind(BusEndpoint, publicationPort: UInt16, Claims, Answer<BusEndpoint>)
  case admit(Admission, Answer<Void>)
  case revoke(CurvePublicKey, Answer<Void>)
  case register(Mailbox, Answer<Void>)
  case unregister(ActorAddress, Answer<Void>)
  case route(ActorAddress, PeerRoute, Answer<Void>)
  case subscribe(ActorAddress, PublicationKey, StartingPoint, Answer<Void>)
  case request(id: UInt64, OutgoingRequest, Completion)
  case cancel(id: UInt64)
  case reply(Ticket, Result<[UInt8], RemoteError>)
  case publish(PublicationKey, body: [UInt8])
  case roomAvailable(ActorAddress)
  case obstruct([Obstruction])
  case readCounters(CheckedContinuation<BusCounters, Never>)
  case shutdown
}

/// The way onto the socket thread: a queue under a mutex and an eventfd that is written only while the thread sleeps.
final class CommandQueue: Sendable {
  enum Posted { case accepted, full, closed }

  private struct State {
    var commands: [Command] = []
    var isSleeping = false
    var isClosed = false
    /// Kept for whoever asks after the end.
    var finalCounters = BusCounters()
    var shutdownWaiters: [CheckedContinuation<Void, Never>] = []
    var isFinished = false
  }

  private let state = Mutex(State())
  /// Readable when the thread must look at the queue.
  let wakeDescriptor: Int32
  private let capacity: Int

  init(capacity: Int) throws(BusError) {
    wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard wakeDescriptor >= 0 else { throw .system("eventfd: \(systemReason())") }
    self.capacity = capacity
  }

  deinit { Glibc.close(wakeDescriptor) }

  /// - Parameter isBounded: refused when the queue is full. Commands whose number is bounded elsewhere (answers by
  ///   tickets, cancellations by requests) or by the program's structure always pass.
  func post(_ command: Command, isBounded: Bool = false) -> Posted {
    let (posted, mustWake) = state.withLock { state -> (Posted, Bool) in
      if state.isClosed { return (.closed, false) }
      if isBounded, state.commands.count >= capacity { return (.full, false) }
      state.commands.append(command)
      defer { state.isSleeping = false }
      return (.accepted, state.isSleeping)
    }
    if mustWake { _ = eventfd_write(wakeDescriptor, 1) }
    return posted
  }

  // MARK: The thread's side

  /// Swaps the queue for an empty one, so that neither side reallocates in steady state.
  func drain(into batch: inout [Command]) {
    batch.removeAll(keepingCapacity: true)
    state.withLock { swap(&$0.commands, &batch) }
  }

  /// - Returns: false when there are commands: do not sleep.
  func prepareToSleep() -> Bool {
    state.withLock { state in
      state.isSleeping = state.commands.isEmpty
      return state.isSleeping
    }
  }

  /// - Parameter isSignalled: the eventfd is readable.
  func wokeUp(isSignalled: Bool) {
    state.withLock { $0.isSleeping = false }
    guard isSignalled else { return }
    var count: eventfd_t = 0
    _ = unsafe eventfd_read(wakeDescriptor, &count)
  }

  /// From now on every post is refused.
  /// - Returns: the commands nobody will carry out; the caller answers them.
  func close() -> [Command] {
    state.withLock { state in
      state.isClosed = true
      defer { state.commands = [] }
      return state.commands
    }
  }

  func finish(with counters: BusCounters) {
    let waiters = state.withLock { state in
      state.finalCounters = counters
      state.isFinished = true
      defer { state.shutdownWaiters = [] }
      return state.shutdownWaiters
    }
    for waiter in waiters { waiter.resume() }
  }

  // MARK: After the end

  var finalCounters: BusCounters { state.withLock { $0.finalCounters } }

  /// Resumes `waiter` when the thread has ended.
  func whenFinished(_ waiter: CheckedContinuation<Void, Never>) {
    let isFinished = state.withLock { state in
      if !state.isFinished { state.shutdownWaiters.append(waiter) }
      return state.isFinished
    }
    if isFinished { waiter.resume() }
  }
}
