import Bus
import Effects
import Messages
import Signing

/// The shell of one role: the one consumer of its events and the interpreter of its effects on real parts. It decides
/// nothing. One turn = everything that waits is handled by the core, all records of the turn become durable in one
/// commit, and only then does anything leave (persist before speaking). While a commit is under way events gather, so
/// under load one sync carries many.
public actor RoleHost<Core: RoleCore> {
  private var core: Core
  private let store: any HostStore
  private let bus: Bus
  private let dataPlane: DataPlane?
  private let observer: @Sendable (ActorAddress, Observation) -> Void
  public nonisolated let address: ActorAddress

  private var mailbox: Mailbox?
  private var verifier: Verifier
  private var inbox: [Event] = []
  private var waitingForEvents: CheckedContinuation<Void, Never>?
  private var waitingForRoom: [CheckedContinuation<Void, Never>] = []
  private var timers = Timers()
  private var alarm: (at: Instant, task: Task<Void, Never>)?
  private var lastNow = Instant.zero
  private var isStopped = false

  /// Events that may wait for a turn before those who bring them have to.
  public static var inboxCapacity: Int { 4096 }
  public static var mailboxCapacity: Int { 8192 }
  static var batchDeliveries: Int { 256 }

  public init(
    _ core: Core, context: VerificationContext, store: any HostStore, bus: Bus, dataPlane: DataPlane? = nil,
    observer: @escaping @Sendable (ActorAddress, Observation) -> Void
  ) {
    self.core = core
    self.store = store
    self.bus = bus
    self.dataPlane = dataPlane
    self.observer = observer
    address = core.address
    verifier = Verifier(context: context)
  }

  /// Puts the role on the bus. After this it can be asked; it answers once ``run(arrivals:)`` is under way.
  public func register() async throws {
    mailbox = try await bus.register(address, mailboxCapacity: Self.mailboxCapacity)
  }

  /// Works until the task is cancelled or the core or the store demands a stop.
  /// - Throws: ``HaltReason``, or the store's error: the node must stop.
  public func run(arrivals: [AsyncStream<[Datagram]>] = []) async throws {
    guard let mailbox else { throw HaltReason("\(address) is not registered on the bus") }
    for subscription in core.subscriptions {
      try await bus.subscribe(address, to: subscription.publisher, topic: subscription.topic)
    }
    inbox.append(.started)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await self.receive(from: mailbox) }
      for stream in arrivals {
        group.addTask {
          for await datagrams in stream { await self.deliver([.datagrams(datagrams)]) }
        }
      }
      group.addTask {
        try await withTaskCancellationHandler {
          try await self.work()
        } onCancel: {
          Task { await self.stop() }
        }
        // Work ends only by cancellation: what the other tasks wait for will not come.
        throw CancellationError()
      }
      defer { group.cancelAll() }
      while try await group.next() != nil {}
    }
  }

  // MARK: Events in

  private func receive(from mailbox: Mailbox) async {
    while let batch = await mailbox.nextBatch(max: Self.batchDeliveries) {
      // The verifier works outside the actor and comes back with what it remembers: one batch at a time.
      let (events, verifier) = await Self.admit(batch, self.verifier, bus: bus)
      self.verifier = verifier.verifier
      for (name, count) in verifier.refusals { observer(address, .observe(name, count)) }
      await deliver(events)
    }
    stop()
  }

  /// Adds events for the next turn; waits while too many wait already.
  private func deliver(_ events: [Event]) async {
    while inbox.count >= Self.inboxCapacity, !isStopped {
      await withCheckedContinuation { waitingForRoom.append($0) }
    }
    inbox.append(contentsOf: events)
    wake()
  }

  private func wake() {
    waitingForEvents?.resume()
    waitingForEvents = nil
  }

  private func stop() {
    isStopped = true
    alarm?.task.cancel()
    wake()
    for continuation in waitingForRoom { continuation.resume() }
    waitingForRoom = []
  }

  // MARK: Turns

  private func work() async throws {
    while !isStopped {
      if inbox.isEmpty {
        await withCheckedContinuation { waitingForEvents = $0 }
        continue
      }
      try await turn()
    }
  }

  private func turn() async throws {
    let events = inbox
    inbox = []
    for continuation in waitingForRoom { continuation.resume() }
    waitingForRoom = []

    var effects: [Effect] = []
    for event in events { effects += core.handle(event, at: now()) }

    let records = effects.compactMap { effect in
      if case .persist(let record) = effect { record } else { nil }
    }
    if !records.isEmpty { try await store.commit(records) }
    for effect in effects { try await perform(effect) }
    setAlarm()
  }

  /// Real time, never going back within one life.
  private func now() -> Instant {
    lastNow = max(lastNow, WallClock.now())
    return lastNow
  }

  private func perform(_ effect: Effect) async throws {
    switch effect {
    case .persist: break
    case .publish(let topic, let message):
      do {
        try bus.publish(from: address, topic: topic, body: message.encoded)
      } catch {
        observer(address, .observe("publish.\(error)", 1))
      }
    case .request(let id, let to, let message, let deadline):
      guard let mailbox else { return }
      do {
        try bus.send(id.number, from: mailbox, to: to, body: message.encoded, deadline: deadline)
      } catch {
        inbox.append(.response(id, .failure(error)))
      }
    case .reply(let token, let message): bus.reply(Ticket(token.number), .success(message.encoded))
    case .refuse(let token, let error): bus.reply(Ticket(token.number), .failure(error))
    case .setTimer(let id, let at): timers.set(id, at: at)
    case .cancelTimer(let id): timers.cancel(id)
    case .transmit(let datagrams): dataPlane?.send(datagrams)
    case .recall(let id, let stream, let from, let limit):
      inbox.append(.recalled(id, try await store.records(stream: stream, from: from, limit: limit)))
    case .observe(let observation): observer(address, observation)
    case .halt(let reason): throw reason
    }
  }

  // MARK: Time

  private func setAlarm() {
    guard let next = timers.next() else { return }
    if let alarm, alarm.at <= next { return }
    alarm?.task.cancel()
    let wait = max(Span.zero, next - WallClock.now())
    let task = Task {
      try? await Task.sleep(for: .nanoseconds(wait.nanoseconds), tolerance: .zero)
      if !Task.isCancelled { self.ring() }
    }
    alarm = (next, task)
  }

  private func ring() {
    alarm = nil
    let now = now()
    while let id = timers.pop(dueAt: now) { inbox.append(.timer(id)) }
    if inbox.isEmpty { setAlarm() } else { wake() }
  }
}

extension Observation {
  static func observe(_ name: String, _ count: UInt64) -> Observation { .counted(name, by: count) }
}
