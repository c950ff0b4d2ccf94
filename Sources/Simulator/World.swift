import Effects
import Messages
import Signing

/// A whole deployment in one thread and virtual time: the same cores as the node runs, with a second interpreter of
/// their effects. What happens next is the earliest event in one queue; chance is one generator; nothing here looks at
/// a clock, so a seed and the code are one history, in any build and any process.
///
/// One event is one turn: the core answers with effects, and they are carried out in order. The records of a turn are
/// one commit, which a crash leaves whole or undone; what is cut off is what should have left after it. Checkers see
/// the disk as the order of the effects promises it. A real host gathers events into larger turns; whatever it does is
/// one of the histories this world allows.
public final class World {
  /// How a run ended.
  public enum Ending: Hashable, Sendable {
    /// What was waited for came.
    case satisfied
    /// Nothing is left to happen.
    case quiet
    case timeLimit
    /// More events than allowed: a core keeps itself busy without getting anywhere.
    case eventLimit
  }

  enum Happening {
    case birth(Int)
    case crash(Int, down: Span)
    case request(UInt64, Parcel)
    case response(UInt64, Result<Parcel, RemoteError>)
    case arrival(stream: Int, life: UInt64, number: UInt64, SubscriptionStream.Arrival)
    case timer(Int, life: UInt64, TimerID, number: UInt64)
    case datagrams(Int, [Datagram])
    case recalled(Int, life: UInt64, RequestID, [StoredRecord])
  }

  /// A request nobody has answered yet and whose deadline has not passed.
  struct OpenRequest {
    let asker: Int
    let life: UInt64
    let id: RequestID
    let target: Int
    /// The target's life it was delivered to.
    var servedBy: UInt64?
    var isAnswered = false
  }

  /// Where the cores' clocks stand when a world begins: 1 January 2026, 00:00 UTC.
  public static let start = Instant(nanoseconds: 1_767_225_600_000_000_000)
  /// On the bus nobody waits longer for an answer.
  static let longestDeadline = Span.seconds(3600)

  public let conditions: NetworkConditions
  public internal(set) var now = World.start
  public internal(set) var halts: [Halt] = []
  /// Messages that did not survive encoding, decoding and verification, by what was wrong: a correct core sends none.
  public internal(set) var refusals: [String: UInt64] = [:]
  /// Events handled so far.
  public internal(set) var eventCount: UInt64 = 0

  /// Told of everything that cores observe.
  public var observer: (Instant, ActorAddress, Observation) -> Void = { _, _, _ in }
  /// Told of every event just before an actor is.
  public var witness: (Instant, ActorAddress, Event) -> Void = { _, _, _ in }
  /// Told of every effect just before it is carried out, with the actor's disk as it is then: for checkers.
  public var inspector: (Instant, ActorAddress, Effect, VirtualDisk) -> Void = { _, _, _, _ in }

  var random: VirtualRandom
  var verifier: Verifier
  var trace = Trace()
  var queue = EventQueue<Happening>()
  var actors: [VirtualActor] = []
  var indexes: [ActorAddress: Int] = [:]
  var portOwners: [DataAddress: Int] = [:]
  var open: [UInt64: OpenRequest] = [:]
  var lastRequest: UInt64 = 0
  var channels: [Subscription: Channel] = [:]
  var streams: [SubscriptionStream] = []
  var crashPoints: [Int: [(count: UInt64, down: Span)]] = [:]

  /// - Parameters:
  ///   - context: what every message is verified against; of the simulated scheme, or the world is slow.
  ///   - seats: in the order in which actors are started. Addresses and ports are distinct; of two the first counts.
  public init(
    seed: UInt64, conditions: NetworkConditions, context: VerificationContext, seats: [ActorSeat],
    faults: [Fault] = []
  ) {
    self.conditions = conditions
    random = VirtualRandom(seed: seed)
    verifier = Verifier(context: context)
    for seat in seats where indexes[seat.address] == nil {
      indexes[seat.address] = actors.count
      for port in seat.ports where portOwners[port] == nil { portOwners[port] = actors.count }
      actors.append(VirtualActor(seat: seat))
    }
    for actor in actors.indices {
      queue.schedule(.birth(actor), at: now + random.delay(.init(.zero, jitter: conditions.startSpread)))
    }
    for fault in faults { plan(fault) }
  }

  private func plan(_ fault: Fault) {
    guard let actor = indexes[fault.actor] else { return }
    switch fault {
    case .crash(_, let at, let down): queue.schedule(.crash(actor, down: down), at: Self.start + at)
    case .crashAfterPersist(_, let count, let down): crashPoints[actor, default: []].append((count, down))
    case .isolate(_, let at, let during):
      actors[actor].isolations.append(Self.start + at...Self.start + at + during)
    }
  }

  /// SHA-256 over everything that has happened.
  public var traceHash: Digest { trace.hash }

  public var addresses: [ActorAddress] { actors.map(\.address) }

  /// A living actor's core.
  public func core(_ address: ActorAddress) -> (any RoleCore)? { indexes[address].flatMap { actors[$0].core } }

  public func disk(_ address: ActorAddress) -> VirtualDisk? { indexes[address].map { actors[$0].disk } }

  /// How often the actor was started.
  public func lives(_ address: ActorAddress) -> UInt64 { indexes[address].map { actors[$0].life } ?? 0 }

  /// Lets things happen until `isSatisfied`, which is asked after each.
  public func run(
    until isSatisfied: () -> Bool = { false }, timeLimit: Span, eventLimit: UInt64
  ) -> Ending {
    let end = Self.start + timeLimit
    while true {
      if isSatisfied() { return .satisfied }
      guard let instant = queue.nextInstant else { return .quiet }
      guard instant <= end else {
        now = max(now, end)
        return .timeLimit
      }
      guard eventCount < eventLimit, let (_, happening) = queue.removeFirst() else { return .eventLimit }
      now = max(now, instant)
      eventCount += 1
      handle(happening)
    }
  }

  private func handle(_ happening: Happening) {
    switch happening {
    case .birth(let actor): bear(actor)
    case .crash(let actor, let down): crash(actor, down: down)
    case .request(let number, let parcel): requestArrived(number, parcel)
    case .response(let number, let result): responseArrived(number, result)
    case .arrival(let stream, let life, let number, let arrival):
      publicationArrived(stream, life: life, number: number, arrival)
    case .timer(let actor, let life, let id, let number):
      guard actors[actor].life == life, actors[actor].timers[id] == number else { return }
      actors[actor].timers[id] = nil
      turn(actor, .timer(id))
    case .datagrams(let actor, let datagrams): turn(actor, .datagrams(datagrams))
    case .recalled(let actor, let life, let id, let records):
      guard actors[actor].life == life else { return }
      turn(actor, .recalled(id, records))
    }
  }
}
