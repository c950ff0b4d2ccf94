import Messages

/// Something that goes wrong once, on schedule.
public enum Fault: Hashable, Sendable {
  /// The actor loses everything but its durable records, so long after the world began, and comes back `down` later.
  case crash(ActorAddress, at: Span, down: Span)
  /// The actor dies where its `count`-th durable record stands (from 1, over all its lives): the commit of that turn is
  /// made, what stands before the record has left, the rest never happens. This is where a promise made before it was
  /// kept would show.
  case crashAfterPersist(ActorAddress, count: UInt64, down: Span)
  /// Nothing gets from or to the actor for a while; it keeps running.
  case isolate(ActorAddress, at: Span, during: Span)

  public var actor: ActorAddress {
    switch self {
    case .crash(let actor, _, _), .crashAfterPersist(let actor, _, _), .isolate(let actor, _, _): actor
    }
  }
}
