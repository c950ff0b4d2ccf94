import Effects
import Messages

/// One actor as the world is told about it.
public struct ActorSeat {
  public let address: ActorAddress
  /// Local ports whose datagrams it gets.
  public let ports: [DataAddress]
  /// Makes the core of one life (from 1) from the durable records of the lives before.
  public let make: (_ life: UInt64, _ recovering: [StoredRecord]) throws -> any RoleCore

  public init(
    _ address: ActorAddress, ports: [DataAddress] = [],
    make: @escaping (_ life: UInt64, _ recovering: [StoredRecord]) throws -> any RoleCore
  ) {
    self.address = address
    self.ports = ports
    self.make = make
  }
}

/// A halt is for good: the actor asked for it, or could not be made from its own records.
public struct Halt: Hashable, Sendable {
  public let actor: ActorAddress
  public let at: Instant
  public let reason: String
}

/// An actor in the world: what survives a crash (the disk, the count of lives) and what does not (core, timers).
struct VirtualActor {
  enum Condition {
    case alive
    case down
    case halted
  }

  let seat: ActorSeat
  var condition = Condition.down
  var disk = VirtualDisk()
  /// The current life, or the last one.
  var life: UInt64 = 0
  /// Durable records written, over all lives.
  var persists: UInt64 = 0
  var core: (any RoleCore)?
  /// When each set timer was set: what surfaces with another number was moved or cancelled.
  var timers: [TimerID: UInt64] = [:]
  var lastTimer: UInt64 = 0
  /// Streams of this life, for taking them off their channels.
  var streams: [Int] = []
  var isolations: [ClosedRange<Instant>] = []

  var address: ActorAddress { seat.address }

  /// Drops all that is not durable.
  mutating func lose(_ condition: Condition) {
    self.condition = condition
    core = nil
    timers = [:]
    streams = []
  }

  /// When an isolation that holds at this instant ends.
  func isolationEnd(at instant: Instant) -> Instant? {
    isolations.filter { $0.contains(instant) }.map(\.upperBound).max()
  }
}
