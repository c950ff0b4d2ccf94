import Effects
import Messages
import Signing

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
  /// Effects carried out, over all lives.
  var effects: UInt64 = 0
  /// When each set timer was set: what surfaces with another number was moved or cancelled.
  var timers: [TimerID: SetTimer] = [:]
  var lastTimer: UInt64 = 0
  /// Streams of this life, for taking them off their channels.
  var streams: [Int] = []
  /// Where in what it does it is struck.
  var strikes: [Strike] = []
  /// What its disk does with the next commit.
  var trouble: DiskTrouble?
  /// The world's own when nil.
  var clock: VirtualClock?
  /// Whether a fault took it down, and it will be back.
  var isStruck = false
  /// What waits while it is paused; nil when it is not.
  var waiting: [(event: Event, content: Digest?)]?

  var address: ActorAddress { seat.address }

  /// Drops all that is not durable.
  mutating func lose(_ condition: Condition) {
    self.condition = condition
    core = nil
    timers = [:]
    streams = []
    if waiting != nil { waiting = [] }
  }
}

struct SetTimer {
  let number: UInt64
  /// On the actor's clock.
  let at: Instant
}

/// Where an actor is struck that was told to be at a record or an effect of its own.
struct Strike {
  enum Place: Hashable {
    case persist(UInt64)
    case effect(UInt64)
  }

  let place: Place
  let fault: Fault

  var down: Span? {
    switch fault.kind {
    case .crash(_, let down), .tornWrite(_, let down), .failedSync(_, let down): down
    default: nil
    }
  }
}

/// What a disk does with the next commit, all of which end the life.
enum DiskTrouble {
  /// Power goes in the middle of writing it.
  case tears(down: Span?)
  /// The sync fails; whether the commit is there is chance.
  case fails(down: Span?)
  /// There is no room until somebody makes some.
  case isFull
}
