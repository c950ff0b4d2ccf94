import Messages
import Topology

/// What is wrong with links at the moment: which are cut, and what the others do to what crosses them.
struct LinkFaults {
  /// One fault under way.
  private struct Active {
    let number: Int
    let isSubject: [Bool]
    let isOther: [Bool]
    let isOneWay: Bool
    let plane: Topology.Links.Plane
    /// Nil where nothing gets through.
    let disturbance: Topology.Disturbance?
    /// Per directed link: until when what was sent before occupies it.
    var busyUntil: [Link: Instant] = [:]

    func covers(_ link: Link, _ plane: Topology.Links.Plane) -> Bool {
      guard self.plane == .all || self.plane == plane else { return false }
      if isSubject[link.from], isOther[link.to] { return true }
      return !isOneWay && isOther[link.from] && isSubject[link.to]
    }
  }

  struct Link: Hashable {
    let from: Int
    let to: Int
  }

  /// What happens to one message, on top of what the network does anyway.
  struct Crossing {
    var isLost = false
    var isDoubled = false
    var delay = Span.zero
  }

  /// Behind a narrow link no more waits than this; what comes then is lost.
  static let longestQueue = Span.seconds(10)

  private var active: [Active] = []

  var isCalm: Bool { active.isEmpty }

  mutating func begin(_ number: Int, _ planned: FaultSchedule.Planned) {
    let (links, disturbance): (Topology.Links, Topology.Disturbance?)
    switch planned.fault.kind {
    case .partition(let cut, _): (links, disturbance) = (cut, nil)
    case .disturbance(let disturbed, let how, _): (links, disturbance) = (disturbed, how)
    default: return
    }
    var isSubject = [Bool](repeating: false, count: planned.isOther.count)
    for subject in planned.subjects { isSubject[subject] = true }
    active.append(
      Active(
        number: number, isSubject: isSubject, isOther: planned.isOther, isOneWay: links.isOneWay, plane: links.plane,
        disturbance: disturbance))
  }

  mutating func end(_ number: Int) { active.removeAll { $0.number == number } }

  func isCut(_ link: Link, _ plane: Topology.Links.Plane) -> Bool {
    link.from != link.to && active.contains { $0.disturbance == nil && $0.covers(link, plane) }
  }

  /// Sends one message over a link that is not cut.
  mutating func cross(
    _ link: Link, _ plane: Topology.Links.Plane, bytes: Int, at now: Instant, _ random: inout VirtualRandom
  ) -> Crossing {
    var crossing = Crossing()
    guard link.from != link.to else { return crossing }
    for index in active.indices {
      guard let disturbance = active[index].disturbance, active[index].covers(link, plane) else { continue }
      crossing.delay = crossing.delay + random.delay(.init(disturbance.delay, jitter: disturbance.jitter))
      if random.happens(perBillion: disturbance.loss) { crossing.isLost = true }
      if random.happens(perBillion: disturbance.duplication) { crossing.isDoubled = true }
      if random.happens(perBillion: disturbance.reordering) {
        crossing.delay = crossing.delay + Topology.Disturbance.reorderingDelay
      }
      if let bandwidth = disturbance.bandwidth {
        let begins = max(now, active[index].busyUntil[link] ?? now)
        let done = begins + Span(nanoseconds: Int64(clamping: UInt64(bytes) * 8_000_000_000 / max(1, bandwidth)))
        if done - now > Self.longestQueue {
          crossing.isLost = true
        } else {
          active[index].busyUntil[link] = done
          crossing.delay = crossing.delay + (done - now)
        }
      }
    }
    return crossing
  }
}
