import Messages

/// How much of each link and node one problem can use, asked of the calendar once per element and search.
///
/// A chain can lead a slice over one link, or to one node, more than once: to the firewall and back. *Ample* elements
/// carry even the most that any path could ask; *scarce* ones carry one use but perhaps not all, and a search must
/// remember how often a partial path used them.
struct Availability {
  enum Level: UInt8 {
    case unknown, unusable, scarce, ample
  }

  private let substrate: Substrate
  /// nil: as if nothing were reserved.
  private let calendar: ReservationCalendar?
  private let problem: PathProblem
  private var arcs: [Level]
  private var computes: [Level]
  /// The most one path can ask of one direction of one link: one crossing per layer.
  private let mostPerDirection: UInt64

  init(_ problem: PathProblem, substrate: Substrate, calendar: ReservationCalendar?) {
    self.substrate = substrate
    self.calendar = calendar
    self.problem = problem
    arcs = [Level](repeating: .unknown, count: 2 * substrate.links.count)
    computes = [Level](repeating: .unknown, count: problem.chain.isEmpty ? 0 : substrate.nodes.count)
    mostPerDirection = UInt64(problem.chain.count + 1) * max(problem.up, problem.down)
  }

  /// bit/s free in one direction of a link, at the worst moment of the window.
  func free(_ link: Int, _ direction: LinkDirection) -> UInt64 {
    let index = direction == .forward ? 2 * link : 2 * link + 1
    let capacity = substrate.links[link].capacity(direction)
    let peak = calendar?.peak(at: index, problem.window) ?? 0
    return capacity > peak ? capacity - peak : 0
  }

  /// Compute units free on a node, at the worst moment of the window. An exclusive slice needs the node to itself.
  func free(compute node: Int) -> UInt64 {
    let capacity = substrate.nodes[node].computeUnits
    let peak = calendar?.peak(at: 2 * substrate.links.count + node, problem.window) ?? 0
    if problem.exclusive && peak > 0 { return 0 }
    return capacity > peak ? capacity - peak : 0
  }

  mutating func level(_ arc: Adjacency.Arc) -> Level {
    let index = 2 * Int(arc.link) + (arc.direction == .forward ? 0 : 1)
    if arcs[index] == .unknown {
      let along = free(Int(arc.link), arc.direction)
      let against = free(Int(arc.link), arc.direction.reversed)
      if along < problem.up || against < problem.down {
        arcs[index] = .unusable
      } else {
        arcs[index] = problem.chain.isEmpty || min(along, against) >= mostPerDirection ? .ample : .scarce
      }
    }
    return arcs[index]
  }

  /// - Parameter most: what the whole chain would take there.
  mutating func level(compute node: Int, most: UInt64) -> Level {
    if computes[node] == .unknown {
      let free = free(compute: node)
      // An exclusive slice has to find the node unused even if its functions take nothing.
      let taken = problem.exclusive && (calendar?.peak(at: 2 * substrate.links.count + node, problem.window) ?? 0) > 0
      computes[node] = taken ? .unusable : free >= most ? .ample : .scarce
    }
    return computes[node]
  }
}
