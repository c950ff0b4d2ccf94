import Bus
import Effects
import Hosting
import Messages
import Signing
import Synchronization
import Wire

/// A core that does what a closure says, in the order of events.
struct Toy: RoleCore {
  let address: ActorAddress
  var subscriptions: [Subscription] = []
  let respond: @Sendable (Event, Instant) -> [Effect]

  init(
    _ name: String, as role: ActorAddress.Role = .validator, _ respond: @escaping @Sendable (Event, Instant) -> [Effect]
  ) {
    address = ActorAddress(role, name)
    self.respond = respond
  }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] { respond(event, now) }
}

/// Records in memory. A test may hold commits back, or let them fail.
actor MemoryStore: HostStore {
  struct Broken: Error {}

  private(set) var committed: [[Record]] = []
  private var isHeld: Bool
  private var isBroken: Bool
  private let failsWhenReleased: Bool
  private var held: [CheckedContinuation<Void, Never>] = []
  private var heldWaiters: [CheckedContinuation<Void, Never>] = []

  init(isHeld: Bool = false, isBroken: Bool = false, failsWhenReleased: Bool = false) {
    self.failsWhenReleased = failsWhenReleased
    self.isHeld = isHeld
    self.isBroken = isBroken
  }

  func commit(_ records: [Record]) async throws {
    if isBroken { throw Broken() }
    if isHeld {
      for waiter in heldWaiters { waiter.resume() }
      heldWaiters = []
      await withCheckedContinuation { held.append($0) }
      if failsWhenReleased { throw Broken() }
    }
    committed.append(records)
  }

  func records(stream: UInt16, from: UInt64, limit: Int) -> [StoredRecord] {
    var found: [UInt64: [UInt8]] = [:]
    for case .put(stream, let key, let bytes) in committed.joined() where key >= from { found[key] = bytes }
    return found.keys.sorted().prefix(limit).map { StoredRecord(stream: stream, key: $0, bytes: found[$0] ?? []) }
  }

  /// Returns when a commit is being held back.
  func untilHeld() async {
    if held.isEmpty { await withCheckedContinuation { heldWaiters.append($0) } }
  }

  func release() {
    isHeld = false
    for continuation in held { continuation.resume() }
    held = []
  }
}

/// Collects what a test waits for, in order.
final class Log<Element: Sendable>: Sendable {
  let stream: AsyncStream<Element>
  private let continuation: AsyncStream<Element>.Continuation
  private let elements = Mutex<[Element]>([])

  init() { (stream, continuation) = AsyncStream.makeStream() }

  var all: [Element] { elements.withLock { $0 } }

  func add(_ element: Element) {
    elements.withLock { $0.append(element) }
    continuation.yield(element)
  }

  /// Waits for so many elements from the first on.
  func first(_ count: Int) async -> [Element] {
    var taken: [Element] = []
    for await element in stream {
      taken.append(element)
      if taken.count == count { break }
    }
    return taken
  }
}

/// One bus, one host at work on it, and an asker.
struct Scene {
  let bus: Bus
  let host: RoleHost
  let work: Task<Void, any Error>

  static let context = VerificationContext(network: Digest(hashing: []), scheme: .simulated, members: [])

  init(
    _ core: Toy, store: any HostStore = NoStore(), observer: @escaping RoleHost.Observer = { _, _ in },
    dataPlane: DataPlane? = nil, arrivals: [AsyncStream<[Datagram]>] = []
  ) async throws {
    let bus = try Bus()
    let host = RoleHost(
      core, context: Self.context, store: store, bus: bus, dataPlane: dataPlane, observer: observer)
    try await host.register()
    (self.bus, self.host) = (bus, host)
    work = Task { try await host.run(arrivals: arrivals) }
  }

  func ask(_ message: Message, deadline: Span = .seconds(5)) async -> Result<Message, RemoteError> {
    do throws(RemoteError) {
      let body = try await bus.request(
        from: ActorAddress(.client, "asker"), to: host.address, body: message.encoded, deadline: deadline)
      guard let answer = try? Message(decoding: body) else { return .failure(RemoteError(.invalidArgument, "answer")) }
      return .success(answer)
    } catch {
      return .failure(error)
    }
  }

  func end() async throws {
    await host.stop()
    try await work.value
    await bus.shutdown()
  }
}

let put = Record.put(stream: 1, key: 1, bytes: [1])
