import Assembly
import Messages
import Topology

/// How much goes wrong in a drawn schedule.
public enum ChaosLevel: String, Sendable, CaseIterable {
  /// Three faults: somebody dies, somebody is slow.
  case low
  /// Eight, of every kind but lying disks.
  case medium
  /// Sixteen, and up to f members whose disks lose what they said was safe.
  case high

  var faults: UInt64 {
    switch self {
    case .low: 3
    case .medium: 8
    case .high: 16
    }
  }
}

/// Draws a schedule of faults from a seed. The schedule is all of the chaos: written into the topology's `faults:` it
/// gives the same run again, with the same seed, which is how a failure is handed on.
///
/// Everything drawn ends, and what it strikes comes back, so that afterwards every promise can be asked for. At most f
/// members get a disk that forgets, because such a member counts as faulty (consensus.md); no meter gets a clock of its
/// own, because the simulated edges and enclaves state an error bound of zero, and would be lying.
public struct Chaos {
  private var random: VirtualRandom
  private let level: ChaosLevel
  private let members: [ActorAddress]
  private let others: [ActorAddress]
  private let horizon: Span
  /// Members whose disks may yet be made to forget.
  private var forgetful: [ActorAddress]

  /// - Parameters:
  ///   - members: who keeps the ledger.
  ///   - others: everybody else.
  ///   - horizon: faults strike within it.
  public static func schedule(
    _ level: ChaosLevel, seed: UInt64, members: [ActorAddress], others: [ActorAddress] = [], horizon: Span
  ) -> [Fault] {
    var chaos = Chaos(level, seed: seed, members: members, others: others, horizon: horizon)
    return (0..<level.faults).map { _ in chaos.draw() }
  }

  /// For everything that takes part in a topology.
  public static func schedule(_ level: ChaosLevel, seed: UInt64, topology: Topology, horizon: Span) -> [Fault] {
    let names = topology.operators.map(\.name) + topology.regulators.map(\.name)
    let members = names.map { ActorAddress(.validator, $0) }
    let others = topology.actors.filter { $0.role != .validator }
    return schedule(level, seed: seed, members: members, others: others, horizon: horizon)
  }

  private init(
    _ level: ChaosLevel, seed: UInt64, members: [ActorAddress], others: [ActorAddress], horizon: Span
  ) {
    // Apart from the world's own draws: a schedule that is cut down does not become another world.
    random = VirtualRandom(seed: seed ^ 0x6368_616F_735F_6166)
    self.level = level
    self.members = members
    self.others = others
    self.horizon = max(horizon, .seconds(1))
    forgetful = []
    var rest = members
    for _ in 0..<max(0, members.count - 1) / 3 where !rest.isEmpty {
      forgetful.append(rest.remove(at: Int(random.below(UInt64(rest.count)))))
    }
  }

  // MARK: One fault

  private mutating func draw() -> Fault {
    switch (level, random.below(16)) {
    case (_, 0...3): crash()
    case (_, 4...5): isolation()
    case (_, 6...7), (.low, _): disturbance()
    case (_, 8): pause()
    case (_, 9): split()
    case (_, 10): deaf()
    case (_, 11): brokenDisk()
    case (_, 12): clock()
    case (.medium, _): crash()
    case (_, 13): everybody()
    default: forgetting()
    }
  }

  /// Somebody dies: at a time, at a height, or at a record or an effect of its own.
  private mutating func crash() -> Fault {
    let actor = somebody()
    let trigger: Topology.FaultTrigger =
      switch random.below(8) {
      case 0...2: time()
      case 3: .height(1 + random.below(40))
      case 4: .view(1 + random.below(40))
      case 5...6: .persist(1 + random.below(60))
      default: .effect(1 + random.below(400))
      }
    return Fault(at: trigger, .crash([.init(actor)], down: span(.milliseconds(50), .seconds(3))))
  }

  /// Every member at once, at one record each: nobody is left who remembers anything but the disks (L2).
  private mutating func everybody() -> Fault {
    let trigger: Topology.FaultTrigger = random.below(2) == 0 ? time() : .persist(1 + random.below(60))
    return Fault(at: trigger, .crash(members.map { .init($0) }, down: span(.milliseconds(100), .seconds(2))))
  }

  private mutating func isolation() -> Fault {
    .init(
      at: time(),
      .partition(.init(between: [.init(somebody())], plane: plane()), lasting: span(.milliseconds(200), .seconds(4))))
  }

  /// The members in two groups, and everybody else with one of them.
  private mutating func split() -> Fault {
    let group = members.filter { _ in random.below(2) == 0 }
    let side = group.isEmpty ? [members[0]] : group
    let rest = members.filter { !side.contains($0) }
    return .init(
      at: time(),
      .partition(
        .init(between: side.map { .init($0) }, and: rest.map { .init($0) }),
        lasting: span(.milliseconds(200), .seconds(4))))
  }

  /// Somebody who is not heard, or hears nothing, while the other way works.
  private mutating func deaf() -> Fault {
    .init(
      at: time(),
      .partition(
        .init(between: [.init(somebody())], isOneWay: true), lasting: span(.milliseconds(200), .seconds(4))))
  }

  private mutating func disturbance() -> Fault {
    var disturbance = Topology.Disturbance()
    switch random.below(6) {
    case 0: disturbance.delay = span(.milliseconds(5), .milliseconds(400))
    case 1: disturbance.jitter = span(.milliseconds(5), .milliseconds(300))
    case 2: disturbance.loss = UInt32(10_000_000 + random.below(300_000_000))
    case 3: disturbance.duplication = UInt32(50_000_000 + random.below(500_000_000))
    case 4: disturbance.reordering = UInt32(50_000_000 + random.below(400_000_000))
    default: disturbance.bandwidth = 50_000 + random.below(5_000_000)
    }
    // Now and then everybody's links at once: a bad day of the whole network.
    let isEverybody = random.below(3) == 0
    let links =
      isEverybody
      ? Topology.Links(between: members.map { .init($0) }, and: (members + others).map { .init($0) })
      : Topology.Links(between: [.init(somebody())])
    return .init(at: time(), .disturbance(links, disturbance, lasting: span(.milliseconds(500), .seconds(5))))
  }

  private mutating func pause() -> Fault {
    .init(at: time(), .pause([.init(somebody())], lasting: span(.milliseconds(50), .seconds(3))))
  }

  private mutating func brokenDisk() -> Fault {
    let actor = Topology.ActorPattern(somebody())
    let down = span(.milliseconds(100), .seconds(2))
    let trigger: Topology.FaultTrigger = random.below(2) == 0 ? time() : .persist(1 + random.below(60))
    switch random.below(3) {
    case 0: return .init(at: trigger, .tornWrite([actor], down: down))
    case 1: return .init(at: trigger, .failedSync([actor], down: down))
    default: return .init(at: time(), .fullDisk([actor], lasting: down))
    }
  }

  /// A member's clock, less wrong than a block's time may be.
  private mutating func clock() -> Fault {
    let step = span(.milliseconds(1), .milliseconds(200))
    let error = Topology.ClockError(
      step: random.below(2) == 0 ? step : Span.zero - step, drift: Int32(random.below(400_000)) - 200_000)
    let member = members[Int(random.below(UInt64(members.count)))]
    return .init(at: time(), .clock([.init(member)], error, lasting: span(.seconds(1), .seconds(6))))
  }

  private mutating func forgetting() -> Fault {
    guard !forgetful.isEmpty else { return crash() }
    let actor = Topology.ActorPattern(forgetful[Int(random.below(UInt64(forgetful.count)))])
    return .init(
      at: time(),
      .lostSyncs([actor], lasting: span(.milliseconds(100), .seconds(2)), down: span(.milliseconds(100), .seconds(2))))
  }

  // MARK: Draws

  /// A member every other time: there are few of them, and everything rests on them.
  private mutating func somebody() -> ActorAddress {
    let group = others.isEmpty || random.below(2) == 0 ? members : others
    return group[Int(random.below(UInt64(group.count)))]
  }

  private mutating func time() -> Topology.FaultTrigger {
    .time(.milliseconds(Int64(random.below(UInt64(horizon.nanoseconds / 1_000_000)))))
  }

  /// Whole milliseconds, so that a file that says so is short.
  private mutating func span(_ least: Span, _ most: Span) -> Span {
    let width = UInt64((most - least).nanoseconds / 1_000_000)
    return least + .milliseconds(Int64(random.below(width + 1)))
  }

  private mutating func plane() -> Topology.Links.Plane { random.below(2) == 0 ? .bus : .all }
}
