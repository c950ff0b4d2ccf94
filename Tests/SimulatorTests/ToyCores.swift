import Effects
import Messages
import Signing

@testable import Simulator

/// Answers `getStatus` with how many requests it has counted, each count durable before the answer leaves. Publishes
/// every count under `ledger`, as a quote.
struct CounterCore: RoleCore {
  static let stream: UInt16 = 7

  let address: ActorAddress
  var count: UInt64 = 0
  var subscriptions: [Subscription] { [] }

  init(_ address: ActorAddress, recovering records: [StoredRecord]) {
    self.address = address
    count = UInt64(records.count)
  }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    guard case .request(let token, _, _) = event else { return [] }
    count += 1
    return [
      .persist(.put(stream: Self.stream, key: count, bytes: count.encoded)),
      .publish(.ledger, .getQuote(epochs: count)),
      .reply(token, .status([StatusItem("count", count)])),
    ]
  }
}

/// Asks a counter every `interval` and listens to what it publishes. What it saw is a line of text per event.
struct AskerCore: RoleCore {
  static let deadline = Span.milliseconds(500)

  let address: ActorAddress
  let counter: ActorAddress
  let interval: Span
  private(set) var heard: [String] = []
  /// Numbers published, and the sum of all gaps.
  private(set) var published: [UInt64] = []
  private(set) var gaps: UInt64 = 0
  private(set) var answers: [Result<UInt64, RemoteError>] = []
  private var asked: UInt64 = 0

  init(_ address: ActorAddress, counter: ActorAddress, interval: Span = .milliseconds(100)) {
    self.address = address
    self.counter = counter
    self.interval = interval
  }

  var subscriptions: [Subscription] { [Subscription(counter, .ledger)] }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    switch event {
    case .started: return [.setTimer(TimerID(1), at: now + interval)]
    case .timer:
      asked += 1
      return [
        .request(RequestID(asked), to: counter, .getStatus, deadline: Self.deadline),
        .setTimer(TimerID(1), at: now + interval),
      ]
    case .response(_, .success(let message)):
      if case .status(let items) = message.value, let count = items.first.flatMap({ UInt64($0.value) }) {
        answers.append(.success(count))
      }
    case .response(_, .failure(let error)): answers.append(.failure(error))
    case .published(_, let gap, let message):
      gaps += gap
      if case .getQuote(let epochs) = message.value { published.append(epochs) }
    case .request, .datagrams, .recalled, .ledger: break
    }
    return []
  }
}

/// Two datagrams from the first port to the second every `interval`; counts what comes back the other way.
struct SprayerCore: RoleCore {
  let address: ActorAddress
  let from: DataAddress
  let to: DataAddress
  let sends: Bool
  private(set) var received: [Datagram] = []

  init(_ name: String, from: DataAddress, to: DataAddress, sends: Bool) {
    address = ActorAddress(.edge, name)
    self.from = from
    self.to = to
    self.sends = sends
  }

  var subscriptions: [Subscription] { [] }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    switch event {
    case .started: return sends ? [.setTimer(TimerID(1), at: now)] : []
    case .timer:
      let datagram = Datagram(from: from, to: to, bytes: [1, 2, 3])
      return [.transmit([datagram, datagram]), .setTimer(TimerID(1), at: now + .milliseconds(1))]
    case .datagrams(let datagrams): received += datagrams
    default: break
    }
    return []
  }
}

/// Does whatever it is told on start and keeps every event it sees.
struct ScriptCore: RoleCore {
  let address: ActorAddress
  let script: @Sendable (_ life: UInt64) -> [Effect]
  let life: UInt64
  let recovered: [StoredRecord]
  private(set) var timers: [TimerID] = []
  private(set) var instants: [Instant] = []
  private(set) var recalled: [StoredRecord] = []
  private(set) var errors: [RemoteError] = []

  var subscriptions: [Subscription] { [] }

  init(
    _ address: ActorAddress, life: UInt64 = 1, recovering records: [StoredRecord] = [],
    script: @escaping @Sendable (_ life: UInt64) -> [Effect]
  ) {
    self.address = address
    self.life = life
    recovered = records
    self.script = script
  }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    switch event {
    case .started: return script(life)
    case .timer(let id):
      timers.append(id)
      instants.append(now)
    case .recalled(_, let records): recalled = records
    case .response(_, .failure(let error)): errors.append(error)
    default: break
    }
    return []
  }
}

extension World {
  /// A world without signatures in it.
  convenience init(
    seed: UInt64 = 1, conditions: NetworkConditions = .calm, faults: [Fault] = [], _ seats: [ActorSeat]
  ) {
    self.init(
      seed: seed, conditions: conditions,
      context: VerificationContext(network: .zero, scheme: .simulated, members: []), seats: seats, faults: faults)
  }

  static let counter = ActorAddress(.contract, "counter")
  static let asker = ActorAddress(.client, "asker")

  /// One counter and one who asks it ten times a second.
  static func asking(seed: UInt64, conditions: NetworkConditions = .calm, faults: [Fault] = []) -> World {
    World(
      seed: seed, conditions: conditions, faults: faults,
      [
        ActorSeat(counter) { _, records in CounterCore(counter, recovering: records) },
        ActorSeat(asker) { _, _ in AskerCore(asker, counter: counter) },
      ])
  }

  var askerCore: AskerCore? { core(Self.asker) as? AskerCore }
  var counterCore: CounterCore? { core(Self.counter) as? CounterCore }
}
