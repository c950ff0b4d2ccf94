import Messages

/// Identifies one request a local actor was asked. It is answered at most once, with ``Bus/reply(_:_:)``, or never:
/// then the asker's deadline passes.
public struct Ticket: Hashable, Sendable {
  /// Unique in the life of one bus.
  public let number: UInt64
  public init(_ number: UInt64) { self.number = number }
}

/// What a mailbox hands its actor.
public enum Delivery: Sendable {
  case request(Ticket, from: ActorAddress, body: [UInt8])
  /// The answer to ``Bus/send(_:from:to:body:deadline:)`` under the number given there.
  case response(UInt64, Result<[UInt8], RemoteError>)
  /// In order of the publisher's numbers. `gap` counts the messages known to be lost just before this one: dropped on
  /// the way and no longer kept by the publisher.
  case publication(from: ActorAddress, Topic, gap: UInt64, body: [UInt8])
}

/// Where a new subscription begins.
public enum StartingPoint: Sendable {
  /// With the oldest message the publisher still keeps: who starts later, or comes back, misses as little as it can.
  case oldestKept
  /// With the first message after the publisher has answered.
  case latest
}
