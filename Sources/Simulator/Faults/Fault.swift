import Messages
import Topology

/// Something that goes wrong on schedule: what a topology file says under `faults:`, what chaos draws from a seed, and
/// what a test makes by hand are one thing.
public typealias Fault = Topology.Fault

extension Topology.Fault {
  /// The actor loses everything but its durable records, so long after the world began, and comes back `down` later.
  public static func crash(_ actor: ActorAddress, at span: Span, down: Span?) -> Fault {
    Fault(at: .time(span), .crash([.init(actor)], down: down))
  }

  /// The actor dies where its `count`-th durable record stands (from 1, over all its lives): the commit of that turn is
  /// made, what stands before the record has left, the rest never happens.
  public static func crashAfterPersist(_ actor: ActorAddress, count: UInt64, down: Span?) -> Fault {
    Fault(at: .persist(count), .crash([.init(actor)], down: down))
  }

  /// The actor dies before its `count`-th effect.
  public static func crashBeforeEffect(_ actor: ActorAddress, count: UInt64, down: Span?) -> Fault {
    Fault(at: .effect(count), .crash([.init(actor)], down: down))
  }

  /// Nothing gets from or to the actor for a while; it keeps running.
  public static func isolate(_ actor: ActorAddress, at span: Span, during lasting: Span) -> Fault {
    partition([actor], at: span, during: lasting, plane: .all)
  }

  /// Nothing gets from one group to the other, or to anybody else when that is empty; nor back, unless it is one way.
  public static func partition(
    _ group: [ActorAddress], from others: [ActorAddress] = [], at span: Span, during lasting: Span?,
    isOneWay: Bool = false, plane: Topology.Links.Plane = .bus
  ) -> Fault {
    let links = Topology.Links(
      between: group.map { .init($0) }, and: others.map { .init($0) }, isOneWay: isOneWay, plane: plane)
    return Fault(at: .time(span), .partition(links, lasting: lasting))
  }

  public static func disturb(
    _ group: [ActorAddress], _ disturbance: Topology.Disturbance, at span: Span, during lasting: Span?,
    plane: Topology.Links.Plane = .bus
  ) -> Fault {
    let links = Topology.Links(between: group.map { .init($0) }, plane: plane)
    return Fault(at: .time(span), .disturbance(links, disturbance, lasting: lasting))
  }

  /// How long it lasts from when it strikes, as far as the schedule says; nil for good.
  public var duration: Span? {
    switch kind {
    case .crash(_, let down), .tornWrite(_, let down), .failedSync(_, let down): down
    case .flippedBit(_, let down): down
    case .pause(_, let lasting), .fullDisk(_, let lasting): lasting
    case .lostSyncs(_, let lasting, let down): down.map { lasting + $0 }
    case .clock(_, _, let lasting), .partition(_, let lasting), .disturbance(_, _, let lasting): lasting
    }
  }

  /// When it is over; nil when that depends on events, or is never.
  public var lastInstant: Instant? {
    guard case .time(let span) = trigger, let duration else { return nil }
    return World.start + span + duration
  }
}
