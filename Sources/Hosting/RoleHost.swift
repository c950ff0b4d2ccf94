import Bus
import Effects
import Messages
import Signing

/// The shell of one role: the one consumer of its events and the interpreter of its effects on real parts. It decides
/// nothing. What a turn's events came to is concluded as a whole: all its records become durable in one commit, and
/// only then does anything of it leave (persist before speaking). One conclusion is under way at a time; meanwhile the
/// next turns gather what follows it, so under load one sync carries many.
///
/// Two things wait for no commit. Datagrams leave the moment the core transmits them, and those that arrive are handled
/// while the disk works: their delay is measured, and a sync takes from half a millisecond to a second. And timers are
/// bookkeeping of the core's own: a timer that an event cancels or moves does not fire after that event, however late
/// the host is.
public actor RoleHost {
  var core: any RoleCore
  private let context: VerificationContext
  private let publications: SharedPublications?
  /// Where those who read the ledger tell others of this process; nil where nobody does.
  let desk: LedgerDesk?
  /// Whether this role is one of the others.
  private let isTold: Bool
  let store: any HostStore
  let bus: Bus
  let dataPlane: DataPlane?
  let observer: Observer
  public nonisolated let address: ActorAddress

  /// Told of everything a core observes and everything admission refuses. Called from the host's turns: returns at
  /// once.
  public typealias Observer = @Sendable (ActorAddress, Observation) -> Void

  private(set) var phase = Phase.new
  var inbox = EventQueue(capacity: RoleHost.inboxCapacity)
  var packets = EventQueue(capacity: RoleHost.packetBatches)
  var waitingForWork: CheckedContinuation<Void, Never>?
  /// The ledger's height as the role was told it.
  private var toldHeight: Height = 0
  var hasStarted = false
  /// Something waits at the desk.
  var hasNews = false
  var timers = Timers()
  var alarm: (at: Instant, task: Task<Void, Never>)?
  var hasRung = false
  var clock: SteadyClock
  /// What turns came to since the last conclusion began.
  var gathered = TurnOutcome()
  var conclusion = Conclusion.none
  /// Those that the core said to recognise, in order: one for each change of members in the network's life.
  var eras: [EraRecord] = []

  enum Phase {
    case new
    case registered(Mailbox)
    case working(Mailbox)
    case stopping(Mailbox)
    case stopped

    var isStopping: Bool {
      switch self {
      case .stopping, .stopped: true
      case .new, .registered, .working: false
      }
    }

    var mailbox: Mailbox? {
      switch self {
      case .registered(let mailbox), .working(let mailbox), .stopping(let mailbox): mailbox
      case .new, .stopped: nil
      }
    }
  }

  /// Events that may wait for a turn before those who bring them have to.
  public static let inboxCapacity = 4096
  /// Batches of datagrams that may wait for a turn; what arrives beyond waits at its port.
  static let packetBatches = 64
  /// Requests and publications that may wait on the bus before it refuses or defers more.
  public static let mailboxCapacity = 8192
  /// Events concluded together: bounds how long the first of them waits for its effects to leave. Datagrams and timers
  /// of a long commit come on top.
  static let turnEvents = 256
  /// Records and effects that gather behind a commit before everything waits for it.
  static let maximumGathered = 16_384
  /// Deliveries decoded and verified at a time.
  static let batchDeliveries = 256

  /// - Parameters:
  ///   - publications: what this process's followers read together; a member's host reads for itself.
  ///   - desk: where those who read the ledger tell others of this process.
  ///   - isTold: the role is one of the others.
  public init(
    _ core: any RoleCore, context: VerificationContext, store: any HostStore, bus: Bus, dataPlane: DataPlane? = nil,
    publications: SharedPublications? = nil, desk: LedgerDesk? = nil, isTold: Bool = false,
    clock: SteadyClock = SteadyClock(), observer: @escaping Observer
  ) {
    self.core = core
    self.context = context
    self.store = store
    self.bus = bus
    self.dataPlane = dataPlane
    self.publications = publications
    self.desk = desk
    self.isTold = isTold
    self.clock = clock
    self.observer = observer
    address = core.address
  }

  /// Puts the role on the bus. After this it can be asked; it answers once ``run(arrivals:)`` is under way.
  public func register() async throws(BusError) {
    let mailbox = try await bus.register(address, mailboxCapacity: Self.mailboxCapacity)
    phase = .registered(mailbox)
  }

  /// Works until ``stop()``, the cancellation of this task or the end of the bus: then returns, after what was handled
  /// is concluded and with the role off the bus.
  /// - Parameter arrivals: of the role's own ports.
  /// - Throws: ``HaltReason`` of the core, or whatever the store threw: the node must stop. Nothing has left that
  ///   depends on what was not made durable.
  public func run(arrivals: [AsyncStream<[Datagram]>] = []) async throws {
    let mailbox: Mailbox
    switch phase {
    case .registered(let registered): mailbox = registered
    case .stopped:
      // Told to stop before it had begun.
      try? await bus.unregister(address)
      return
    case .new, .working, .stopping: throw HaltReason("\(address) can run once, after it was put on the bus")
    }
    phase = .working(mailbox)
    inbox.append([.started])
    let result: Result<Void, any Error>
    do {
      for subscription in core.subscriptions {
        try await bus.subscribe(address, to: subscription.publisher, topic: subscription.topic)
      }
      try await withTaskCancellationHandler {
        try await work(receivingFrom: mailbox, arrivals)
      } onCancel: {
        Task { await self.stop() }
      }
      result = .success(())
    } catch BusError.closed {
      // The bus of this process ended while we were coming up: an orderly stop.
      result = .success(())
    } catch {
      result = .failure(error)
    }
    stop()
    phase = .stopped
    // It is off the bus already when the bus has ended.
    try? await bus.unregister(address)
    try result.get()
  }

  /// Ends ``run(arrivals:)`` after the turn that is under way.
  public func stop() {
    switch phase {
    case .working(let mailbox): phase = .stopping(mailbox)
    case .registered: phase = .stopped
    case .new, .stopping, .stopped: break
    }
    alarm?.task.cancel()
    alarm = nil
    wake()
    inbox.freeWaiting()
    packets.freeWaiting()
  }

  /// Looks at the core between turns. For reports; nothing may depend on it.
  public func inspect<Value: Sendable>(_ question: @Sendable (any RoleCore) -> Value) -> Value { question(core) }

  private func work(receivingFrom mailbox: Mailbox, _ arrivals: [AsyncStream<[Datagram]>]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await self.receive(from: mailbox) }
      for stream in arrivals {
        group.addTask {
          for await datagrams in stream { await self.deliver(datagrams) }
        }
      }
      if isTold, let desk {
        group.addTask {
          for await _ in desk.bell(for: self.address) { await self.rung() }
        }
      }
      let result: Result<Void, any Error>
      do {
        try await takeTurns()
        result = .success(())
      } catch {
        result = .failure(error)
      }
      // Frees those who wait for room; cancellation frees those who wait for something to bring.
      stop()
      group.cancelAll()
      try result.get()
    }
  }

  // MARK: Events in

  private func receive(from mailbox: Mailbox) async {
    // The verifier lives here, and works outside the actor: one batch at a time, in order.
    var recognised = 0
    var admission = Admission(role: address.role, context: context, publications: publications)
    while let batch = await mailbox.nextBatch(max: Self.batchDeliveries) {
      while recognised < eras.count {
        admission.learn(eras[recognised])
        recognised += 1
      }
      let events = await admission.admit(batch, refusingOn: bus)
      for (name, count) in admission.takeRefusals() { observer(address, .counted(name, by: count)) }
      await deliver(events)
    }
    stop()
  }

  /// Adds events for the next turn; waits while too many wait already.
  private func deliver(_ events: [Event]) async {
    while inbox.isFull, !phase.isStopping { await withCheckedContinuation { inbox.waitForRoom($0) } }
    inbox.append(events)
    wake()
  }

  private func deliver(_ datagrams: [Datagram]) async {
    while packets.isFull, !phase.isStopping { await withCheckedContinuation { packets.waitForRoom($0) } }
    packets.append([.datagrams(datagrams)])
    wake()
  }

  private func rung() {
    hasNews = true
    wake()
  }

  /// What the ledger says that the role was not told yet.
  func news() -> [Event] {
    hasNews = false
    guard isTold, let desk else { return [] }
    return desk.take(for: address, above: &toldHeight)
  }

  func wake() {
    waitingForWork?.resume()
    waitingForWork = nil
  }
}

/// Events that wait for their turn, and those who wait to bring more.
struct EventQueue {
  private let capacity: Int
  private var events: [Event] = []
  private var waiting: [CheckedContinuation<Void, Never>] = []

  init(capacity: Int) { self.capacity = capacity }

  var isEmpty: Bool { events.isEmpty }
  var isFull: Bool { events.count >= capacity }

  mutating func append(_ more: [Event]) { events.append(contentsOf: more) }
  mutating func waitForRoom(_ continuation: CheckedContinuation<Void, Never>) { waiting.append(continuation) }

  mutating func take(_ maximum: Int) -> [Event] {
    let taken = Array(events.prefix(maximum))
    events.removeFirst(taken.count)
    if !isFull { freeWaiting() }
    return taken
  }

  /// Those who wait look again.
  mutating func freeWaiting() {
    for continuation in waiting { continuation.resume() }
    waiting = []
  }
}
