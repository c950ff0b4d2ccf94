import Effects
import Ledger
import Messages
import Roles
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
    /// A fault strikes, by its number in the schedule.
    case fault(Int)
    case faultEnds(Int)
    case request(UInt64, Parcel)
    case response(UInt64, Result<Parcel, RemoteError>)
    case arrival(stream: Int, life: UInt64, number: UInt64, SubscriptionStream.Arrival)
    case timer(Int, life: UInt64, TimerID, number: UInt64)
    case datagrams(Int, [Datagram])
    case recalled(Int, life: UInt64, RequestID, [StoredRecord])
    case told(Int, life: UInt64, LedgerTip, [LedgerNotice])
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

  /// Told of every actor that becomes ``unreliable``.
  public var distruster: (ActorAddress) -> Void = { _ in }
  /// Told of everything that cores observe.
  public var observer: (Instant, ActorAddress, Observation) -> Void = { _, _, _ in }
  /// Told of every event just before the actor is.
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
  var schedule: FaultSchedule
  /// Faults that came, in that order.
  public internal(set) var struck: [StruckFault] = []
  var links = LinkFaults()
  /// Whose disk lost or damaged what it had acknowledged: such an actor counts as faulty (consensus.md).
  public internal(set) var unreliable: Set<ActorAddress> = []

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
    schedule = FaultSchedule([], addresses: [])
    for seat in seats where indexes[seat.address] == nil {
      indexes[seat.address] = actors.count
      for port in seat.ports where portOwners[port] == nil { portOwners[port] = actors.count }
      actors.append(VirtualActor(seat: seat))
    }
    for actor in actors.indices {
      queue.schedule(.birth(actor), at: now + random.delay(.init(.zero, jitter: conditions.startSpread)))
    }
    plan(faults)
  }

  /// SHA-256 over everything that has happened.
  public var traceHash: Digest { trace.hash }

  public var addresses: [ActorAddress] { actors.map(\.address) }

  /// A living actor's core.
  public func core(_ address: ActorAddress) -> (any RoleCore)? { indexes[address].flatMap { actors[$0].core } }

  public func disk(_ address: ActorAddress) -> VirtualDisk? { indexes[address].map { actors[$0].disk } }

  /// Since when nothing has been wrong; nil while a fault is under way. Faults that wait for their event do not count,
  /// nor does an actor that is gone for good.
  public var calmSince: Instant? { schedule.calmSince }

  /// Whether the actor will never be up again: it halted, or a fault took it down for good.
  public func isGone(_ address: ActorAddress) -> Bool {
    guard let actor = indexes[address].map({ actors[$0] }) else { return true }
    switch actor.condition {
    case .alive: return false
    case .halted: return true
    case .down: return actor.life > 0 && !actor.isStruck
    }
  }

  /// The ledgers of members that are or will be up, nil for one that is down; of those who are no honest members none.
  func ledgers(of members: [ActorAddress]) -> [LedgerState?] {
    var ledgers: [LedgerState?] = []
    for address in members where !isGone(address) {
      switch core(address) {
      case nil: ledgers.append(nil)
      case let member as ValidatorCore: ledgers.append(member.ledger)
      default: break
      }
    }
    return ledgers
  }

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
    case .fault(let number): strike(number)
    case .faultEnds(let number): heal(number)
    case .request(let number, let parcel): requestArrived(number, parcel)
    case .response(let number, let result): responseArrived(number, result)
    case .arrival(let stream, let life, let number, let arrival):
      publicationArrived(stream, life: life, number: number, arrival)
    case .timer(let actor, let life, let id, let number):
      guard actors[actor].life == life else { return }
      timerRang(actor, id, number: number)
    case .datagrams(let actor, let datagrams): datagramsArrived(actor, datagrams)
    case .recalled(let actor, let life, let id, let records):
      guard actors[actor].life == life else { return }
      turn(actor, .recalled(id, records))
    case .told(let actor, let life, let tip, let notices):
      guard actors[actor].life == life else { return }
      turn(actor, .ledger(tip, notices))
    }
  }
}
