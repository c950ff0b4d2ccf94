import Bus
import Effects
import Messages
import Signing

/// The shell of one role: the one consumer of its events and the interpreter of its effects on real parts. It decides
/// nothing. One turn = what waits is handled by the core, all records of the turn become durable in one commit, and
/// only then does anything leave (persist before speaking). While a commit is under way events gather, so under load
/// one sync carries many.
///
/// Timers are bookkeeping of the core's own and take effect at once, inside the turn: a timer that an event cancels or
/// moves does not fire after that event, however late the host is.
public actor RoleHost {
  private var core: any RoleCore
  private let context: VerificationContext
  private let store: any HostStore
  private let bus: Bus
  private let dataPlane: DataPlane?
  private let observer: Observer
  public nonisolated let address: ActorAddress

  /// Told of everything a core observes and everything admission refuses. Called from the host's turns: returns at
  /// once.
  public typealias Observer = @Sendable (ActorAddress, Observation) -> Void

  private var phase = Phase.new
  private var inbox: [Event] = []
  private var waitingForEvents: CheckedContinuation<Void, Never>?
  private var waitingForRoom: [CheckedContinuation<Void, Never>] = []
  private var timers = Timers()
  private var alarm: (at: Instant, task: Task<Void, Never>)?
  private var hasRung = false
  private var clock: SteadyClock

  private enum Phase {
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
  }

  /// Events that may wait for a turn before those who bring them have to.
  public static let inboxCapacity = 4096
  /// Requests and publications that may wait on the bus before it refuses or defers more.
  public static let mailboxCapacity = 8192
  /// Events handled in one turn: bounds how long the first of them waits for its effects to leave.
  static let turnEvents = 256
  /// Deliveries decoded and verified at a time.
  static let batchDeliveries = 256

  public init(
    _ core: any RoleCore, context: VerificationContext, store: any HostStore, bus: Bus, dataPlane: DataPlane? = nil,
    clock: SteadyClock = SteadyClock(), observer: @escaping Observer
  ) {
    self.core = core
    self.context = context
    self.store = store
    self.bus = bus
    self.dataPlane = dataPlane
    self.clock = clock
    self.observer = observer
    address = core.address
  }

  /// Puts the role on the bus. After this it can be asked; it answers once ``run(arrivals:)`` is under way.
  public func register() async throws(BusError) {
    let mailbox = try await bus.register(address, mailboxCapacity: Self.mailboxCapacity)
    phase = .registered(mailbox)
  }

  /// Works until ``stop()``, the cancellation of this task or the end of the bus: then returns, after the turn that is
  /// under way and with the role off the bus.
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
    inbox.append(.started)
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
    makeRoom()
  }

  /// Looks at the core between turns. For reports; nothing may depend on it.
  public func inspect<Value: Sendable>(_ question: @Sendable (any RoleCore) -> Value) -> Value { question(core) }

  private func work(receivingFrom mailbox: Mailbox, _ arrivals: [AsyncStream<[Datagram]>]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await self.receive(from: mailbox) }
      for stream in arrivals {
        group.addTask {
          for await datagrams in stream { await self.deliver([.datagrams(datagrams)]) }
        }
      }
      let result: Result<Void, any Error>
      do {
        try await takeTurns()
        result = .success(())
      } catch {
        result = .failure(error)
      }
      // Frees those who wait for room in the inbox; cancellation frees those who wait for something to bring.
      stop()
      group.cancelAll()
      try result.get()
    }
  }

  // MARK: Events in

  private func receive(from mailbox: Mailbox) async {
    // The verifier lives here, and works outside the actor: one batch at a time, in order.
    var admission = Admission(role: address.role, context: context)
    while let batch = await mailbox.nextBatch(max: Self.batchDeliveries) {
      let events = await admission.admit(batch, refusingOn: bus)
      for (name, count) in admission.takeRefusals() { observer(address, .counted(name, by: count)) }
      await deliver(events)
    }
    stop()
  }

  /// Adds events for the next turn; waits while too many wait already.
  private func deliver(_ events: [Event]) async {
    while inbox.count >= Self.inboxCapacity, !phase.isStopping {
      await withCheckedContinuation { waitingForRoom.append($0) }
    }
    inbox.append(contentsOf: events)
    wake()
  }

  private func wake() {
    waitingForEvents?.resume()
    waitingForEvents = nil
  }

  private func makeRoom() {
    for continuation in waitingForRoom { continuation.resume() }
    waitingForRoom = []
  }

  // MARK: Turns

  private func takeTurns() async throws {
    while !phase.isStopping {
      if inbox.isEmpty, !hasRung {
        await withCheckedContinuation { waitingForEvents = $0 }
      } else {
        try await turn()
      }
    }
  }

  private func turn() async throws {
    var outcome = Outcome()
    let events = inbox.prefix(Self.turnEvents)
    inbox.removeFirst(events.count)
    if inbox.count < Self.inboxCapacity { makeRoom() }
    for event in events {
      handle(event, &outcome)
      if outcome.halt != nil { break }
    }
    hasRung = false
    while outcome.halt == nil, outcome.handled < 2 * Self.turnEvents, let timer = timers.pop(dueAt: clock.now()) {
      handle(.timer(timer), &outcome)
    }

    if !outcome.records.isEmpty { try await store.commit(outcome.records) }
    for effect in outcome.effects { perform(effect) }
    if let halt = outcome.halt { throw halt }
    for recall in outcome.recalls {
      let records = try await store.records(stream: recall.stream, from: recall.from, limit: recall.limit)
      inbox.append(.recalled(recall.id, records))
    }
    setAlarm()
  }

  /// What a turn's events came to.
  private struct Outcome {
    var records: [Record] = []
    /// What leaves, in order.
    var effects: [Effect] = []
    var recalls: [(id: RequestID, stream: UInt16, from: UInt64, limit: Int)] = []
    /// The core handles nothing after it asked to be stopped.
    var halt: HaltReason?
    var handled = 0
  }

  private func handle(_ event: Event, _ outcome: inout Outcome) {
    outcome.handled += 1
    for effect in core.handle(event, at: clock.now()) {
      switch effect {
      case .persist(let record): outcome.records.append(record)
      case .setTimer(let id, let at): timers.set(id, at: at)
      case .cancelTimer(let id): timers.cancel(id)
      case .recall(let id, let stream, let from, let limit): outcome.recalls.append((id, stream, from, limit))
      case .halt(let reason):
        outcome.halt = reason
        return
      case .publish, .request, .reply, .refuse, .transmit, .observe: outcome.effects.append(effect)
      }
    }
  }

  private func perform(_ effect: Effect) {
    switch effect {
    case .publish(let topic, let message): publish(message, under: topic)
    case .request(let id, let to, let message, let deadline): request(id, to: to, message, deadline: deadline)
    case .reply(let token, let message): bus.reply(Ticket(token.number), .success(message.encoded))
    case .refuse(let token, let error): bus.reply(Ticket(token.number), .failure(error))
    case .transmit(let datagrams):
      if let dataPlane {
        dataPlane.send(datagrams)
      } else {
        observer(address, .counted("transmit.noDataPlane", by: UInt64(datagrams.count)))
      }
    case .observe(let observation): observer(address, observation)
    case .persist, .recall, .setTimer, .cancelTimer, .halt: break  // taken out by `handle`
    }
  }

  private func publish(_ message: Message, under topic: Topic) {
    guard let mailbox else { return }
    do throws(BusError) {
      try bus.publish(from: mailbox, topic: topic, body: message.encoded)
    } catch {
      observer(address, .counted("publish.failed", by: 1))
      observer(address, .note(.warning, "a publication under \(topic) did not leave: \(error)"))
    }
  }

  private func request(_ id: RequestID, to: ActorAddress, _ message: Message, deadline: Span) {
    guard let mailbox else { return }
    do throws(RemoteError) {
      try bus.send(id.number, from: mailbox, to: to, body: message.encoded, deadline: deadline)
    } catch {
      // As the bus itself would tell it: an answer, in a later turn.
      inbox.append(.response(id, .failure(error)))
    }
  }

  private var mailbox: Mailbox? {
    switch phase {
    case .registered(let mailbox), .working(let mailbox), .stopping(let mailbox): mailbox
    case .new, .stopped: nil
    }
  }

  // MARK: Time

  private func setAlarm() {
    guard !phase.isStopping, let next = timers.next() else { return }
    if let alarm, alarm.at <= next { return }
    alarm?.task.cancel()
    let wait = max(Span.zero, next - clock.now())
    let task = Task { [weak self] in
      do { try await Task.sleep(for: .nanoseconds(wait.nanoseconds), tolerance: .zero) } catch { return }
      await self?.ring()
    }
    alarm = (next, task)
  }

  private func ring() {
    // A cancelled alarm may have rung already: a turn without a due timer does no harm.
    alarm = nil
    hasRung = true
    wake()
  }
}
