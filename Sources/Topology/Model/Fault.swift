import Messages

extension Topology {
  /// Something that goes wrong on schedule, and is nobody's intention: what cheats is a ``Behaviour``. The same
  /// schedule runs in virtual time and, as far as ``places`` says, on real processes.
  public struct Fault: Hashable, Sendable {
    public var trigger: FaultTrigger
    public var kind: Kind

    public init(at trigger: FaultTrigger, _ kind: Kind) {
      self.trigger = trigger
      self.kind = kind
    }

    public enum Kind: Hashable, Sendable {
      /// The actors lose everything that is not durable, and come back `down` later; never, when nil. `kill -9`.
      case crash([ActorPattern], down: Span?)
      /// The actors stand still: what comes in waits, timers are late. SIGSTOP and SIGCONT.
      case pause([ActorPattern], lasting: Span)
      /// As `crash`, but in the middle of writing the next commit: a part of its bytes is there afterwards.
      case tornWrite([ActorPattern], down: Span?)
      /// The next commit fails, and so the actors stop; whether it is there afterwards is chance.
      case failedSync([ActorPattern], down: Span?)
      /// The disk says that it has synced and has not; `lasting` later the power fails, and of what it said so about
      /// only a part is there when the actors come back.
      case lostSyncs([ActorPattern], lasting: Span, down: Span?)
      /// As `crash`; meanwhile one bit of what is stored turns. An actor that finds it must not run.
      case flippedBit([ActorPattern], down: Span)
      /// No commit succeeds: actors that try stop, and come back when there is room again.
      case fullDisk([ActorPattern], lasting: Span)
      /// The actors' clocks go wrong; set right after `lasting`, or never, when nil.
      case clock([ActorPattern], ClockError, lasting: Span?)
      /// Nothing gets through; for good, when `lasting` is nil.
      case partition(Links, lasting: Span?)
      /// What gets through comes late, twice or not at all.
      case disturbance(Links, Disturbance, lasting: Span?)
    }

    /// Where a kind of fault can be shown.
    public enum Places: String, Sendable {
      /// In a simulation only.
      case simulated
      /// In a simulation, and between the processes of `ajit up --spread`.
      case simulatedAndSpread
    }

    /// What a schedule may hold.
    public static let maximumFaults = 1024
    /// Durations and offsets of a schedule.
    public static let maximumSpan = Span.seconds(366 * 86_400)
  }

  /// When a fault strikes.
  public enum FaultTrigger: Hashable, Sendable {
    /// So long after the network's start.
    case time(Span)
    /// When anybody knows a final block of that height, or a greater one.
    case height(Height)
    /// When anybody knows a final block of that view, or a later one.
    case view(View)
    /// When both signatures stand on the record of that epoch of any activation.
    case epoch(EpochNumber)
    /// Where the actor's so manieth durable record stands (from 1, over all its lives): what is to leave after it
    /// never does. This is where a promise made before it was kept would show.
    case persist(UInt64)
    /// Before the so manieth effect of the actor, from 1, over all its lives.
    case effect(UInt64)
  }

  /// Directed pairs of actors.
  public struct Links: Hashable, Sendable {
    public var between: [ActorPattern]
    /// Everybody else when empty.
    public var and: [ActorPattern]
    /// Only what goes from `between` to `and`.
    public var isOneWay: Bool
    public var plane: Plane

    public enum Plane: String, Sendable, CaseIterable {
      /// Requests, answers and publications.
      case bus
      /// Datagrams of the data plane.
      case data
      case all
    }

    public init(
      between: [ActorPattern], and others: [ActorPattern] = [], isOneWay: Bool = false, plane: Plane = .bus
    ) {
      self.between = between
      self.and = others
      self.isOneWay = isOneWay
      self.plane = plane
    }
  }

  /// On top of what a link does anyway.
  public struct Disturbance: Hashable, Sendable {
    public var delay: Span
    /// On top of `delay`, uniform in 0…jitter.
    public var jitter: Span
    /// Of a request, of its answer, of a publication to one subscriber, of a datagram; parts per billion.
    public var loss: UInt32
    /// Arrives twice; parts per billion. On the bus the second ends in the bus.
    public var duplication: UInt32
    /// Held back by ``reorderingDelay``, so that others overtake it; parts per billion. On the bus publications are put
    /// in order again.
    public var reordering: UInt32
    /// What the link carries in one direction, bit/s; nil is no limit.
    public var bandwidth: UInt64?

    public static let reorderingDelay = Span.milliseconds(50)

    public init(
      delay: Span = .zero, jitter: Span = .zero, loss: UInt32 = 0, duplication: UInt32 = 0, reordering: UInt32 = 0,
      bandwidth: UInt64? = nil
    ) {
      self.delay = delay
      self.jitter = jitter
      self.loss = loss
      self.duplication = duplication
      self.reordering = reordering
      self.bandwidth = bandwidth
    }

    public static let none = Disturbance()
  }

  /// How a clock differs from the world's.
  public struct ClockError: Hashable, Sendable {
    /// At once; ahead when positive.
    public var step: Span
    /// Parts per billion; fast when positive.
    public var drift: Int32

    public init(step: Span = .zero, drift: Int32 = 0) {
      self.step = step
      self.drift = drift
    }

    /// Worse than any crystal: 1 %.
    public static let maximumDrift: Int32 = 10_000_000
    public static let maximumStep = Span.seconds(3600)
  }
}

extension Topology.Fault {
  public var kindName: KindName {
    switch kind {
    case .crash: .crash
    case .pause: .pause
    case .tornWrite: .tornWrite
    case .failedSync: .failedSync
    case .lostSyncs: .lostSyncs
    case .flippedBit: .flippedBit
    case .fullDisk: .fullDisk
    case .clock: .clock
    case .partition: .partition
    case .disturbance: .disturbance
    }
  }

  /// How a file calls it.
  public enum KindName: String, Sendable, CaseIterable {
    case crash, pause, tornWrite, failedSync, lostSyncs, flippedBit, fullDisk, clock, partition, disturbance

    /// Whether it strikes actors rather than links.
    public var strikesActors: Bool {
      switch self {
      case .partition, .disturbance: false
      default: true
      }
    }
  }

  /// Whom it strikes; for a fault of links, whoever is at their first end.
  public var subjects: [Topology.ActorPattern] {
    switch kind {
    case .crash(let actors, _), .pause(let actors, _), .tornWrite(let actors, _), .failedSync(let actors, _),
      .lostSyncs(let actors, _, _), .flippedBit(let actors, _), .fullDisk(let actors, _), .clock(let actors, _, _):
      actors
    case .partition(let links, _), .disturbance(let links, _, _): links.between
    }
  }

  /// Everybody at either end, or struck.
  public var patterns: [Topology.ActorPattern] {
    switch kind {
    case .partition(let links, _), .disturbance(let links, _, _): links.between + links.and
    default: subjects
    }
  }

  /// Where it can be shown. Processes can be killed, stopped and cut off from each other, and a file of one that is
  /// dead can be cut short; disks, clocks and the inside of a turn are the simulator's.
  public var places: Places {
    switch trigger {
    case .persist, .effect: return .simulated
    case .time, .height, .view, .epoch: break
    }
    switch kind {
    case .crash, .pause, .tornWrite: return .simulatedAndSpread
    case .failedSync, .lostSyncs, .flippedBit, .fullDisk, .clock: return .simulated
    case .partition(let links, _): return links.plane == .bus ? .simulatedAndSpread : .simulated
    case .disturbance(let links, let disturbance, _):
      var rest = disturbance
      (rest.delay, rest.jitter) = (.zero, .zero)
      return links.plane == .bus && rest == .none ? .simulatedAndSpread : .simulated
    }
  }
}
