import Messages

/// Resource-constrained shortest path with a chain of network functions, exact: label setting over the layered graph
/// (node × functions passed) in order of cost plus a lower bound on the rest (A* with the bounds of ``PathBounds``;
/// for label setting see Desrochers and Soumis 1988, for bounding by resource Dumitrescu and Boland 2003).
///
/// A *label* is a partial path. It is dropped when a limit cannot be kept any more, when something it needs is not
/// free, or when another label in the same state is no worse in cost, delay, loss and use of scarce elements: then
/// whatever completes this one completes the other as well. Ties go to the smaller cost, delay, loss, and the label
/// made first, so the same question has the same answer everywhere.
struct PathSearch {
  /// Partial paths of one search.
  static let maximumLabels = 1 << 16
  /// What one way can pass: every network function, and ``PathProblem/turn``.
  static let maximumLayers = ServiceTerms.maximumFunctions + 1

  private struct Label {
    let cost: Int64
    let delay: Int64
    let loss: Int64
    let state: Int32
    /// The label this one extends; −1 for the first.
    let previous: Int32
    /// 2·link + (0 forward, 1 backward), or −1 for passing a function.
    let via: Int32
    let steps: Int32
    /// Index into `uses`; 0 is the empty use.
    let uses: Int32
    /// The next undominated label of the same state.
    var next: Int32
    var isDominated = false
  }

  private let substrate: Substrate
  private let bounds: PathBounds
  private let problem: PathProblem
  private let maximumLabels: Int
  private var availability: Availability
  private var labels: [Label] = []
  private var firstLabel: [Int32]
  private var queue = PriorityQueue()
  /// Sorted codes of the scarce elements that labels used, an element as often as it was used.
  private var uses: [[UInt32]] = [[]]

  /// Partial paths made.
  var labelCount: Int { labels.count }

  /// - Parameter calendar: nil to search as if nothing were reserved.
  init(
    _ problem: PathProblem, substrate: Substrate, bounds: PathBounds, calendar: ReservationCalendar?,
    maximumLabels: Int = PathSearch.maximumLabels
  ) {
    self.substrate = substrate
    self.bounds = bounds
    self.problem = problem
    self.maximumLabels = min(maximumLabels, Self.maximumLabels)
    availability = Availability(problem, substrate: substrate, calendar: calendar)
    firstLabel = [Int32](repeating: -1, count: bounds.nodeCount * bounds.layers)
  }

  mutating func run() -> PathOutcome {
    let goal = Int32((bounds.layers - 1) * bounds.nodeCount + problem.destination)
    add(state: problem.cell, cost: 0, delay: 0, loss: 0, previous: -1, via: -1, uses: 0)
    while let entry = queue.pop() {
      let label = labels[Int(entry.item)]
      if label.isDominated { continue }
      if label.state == goal { return .found(path(to: label)) }
      guard labels.count < maximumLabels else { return .searchLimit }
      guard label.steps < SlicePlan.maximumSteps else { continue }
      extend(label, index: entry.item)
    }
    return .none
  }

  // MARK: Extending

  private mutating func extend(_ label: Label, index: Int32) {
    let (layer, node) = Int(label.state).quotientAndRemainder(dividingBy: bounds.nodeCount)
    for arc in substrate.outgoing.arcs(of: node) {
      // Straight back over the same link, with no function in between, only adds.
      if label.via >= 0, label.via / 2 == arc.link { continue }
      if isAvoided(Int(arc.node)) { continue }
      cross(arc, from: label, index: index, layer: layer)
    }
    if layer < bounds.layers - 1 { place(from: label, index: index, layer: layer, node: node) }
  }

  private func isAvoided(_ node: Int) -> Bool {
    !problem.avoided.isEmpty && problem.avoided.contains(node) && node != problem.destination && node != problem.cell
  }

  private mutating func cross(_ arc: Adjacency.Arc, from label: Label, index: Int32, layer: Int) {
    let link = substrate.links[Int(arc.link)]
    let target = layer * bounds.nodeCount + Int(arc.node)
    let cost = label.cost + Int64(link.cost)
    let delay = label.delay + link.delay.nanoseconds
    let loss = label.loss + bounds.linkLoss[Int(arc.link)]
    guard canFinish(state: target, delay: delay, loss: loss) else { return }
    let code = 2 * arc.link + (arc.direction == .forward ? 0 : 1)
    var uses = label.uses
    switch availability.level(arc) {
    case .unusable, .unknown: return
    case .ample: break
    case .scarce:
      guard fits(arc, after: label.uses) else { return }
      uses = using(UInt32(code), after: label.uses)
    }
    add(state: target, cost: cost, delay: delay, loss: loss, previous: index, via: code, uses: uses)
  }

  private mutating func place(from label: Label, index: Int32, layer: Int, node: Int) {
    let placement = bounds.placements[layer * bounds.nodeCount + node]
    let target = (layer + 1) * bounds.nodeCount + node
    guard let units = placement.units else { return }
    let delay = label.delay + placement.delay
    guard canFinish(state: target, delay: delay, loss: label.loss) else { return }
    var uses = label.uses
    switch problem.chain[layer] == PathProblem.turn
      ? .ample : availability.level(compute: node, most: mostCompute(node))
    {
    case .unusable, .unknown: return
    case .ample: break
    case .scarce:
      guard computeUsed(node, by: label.uses) + units <= availability.free(compute: node) else { return }
      uses = using(placementCode(layer: layer, node: node), after: label.uses)
    }
    add(
      state: target, cost: label.cost + placement.cost, delay: delay, loss: label.loss, previous: index, via: -1,
      uses: uses)
  }

  private func canFinish(state: Int, delay: Int64, loss: Int64) -> Bool {
    guard bounds.cost[state] < PathBounds.unreachable else { return false }
    if let limit = problem.maximumDelay, delay + bounds.delay[state] > limit { return false }
    if let limit = problem.maximumLoss, loss + bounds.loss[state] > limit { return false }
    return true
  }

  // MARK: Labels

  private mutating func add(
    state: Int, cost: Int64, delay: Int64, loss: Int64, previous: Int32, via: Int32, uses: Int32
  ) {
    let new = Label(
      cost: cost, delay: delay, loss: loss, state: Int32(state), previous: previous, via: via,
      steps: previous < 0 ? 0 : labels[Int(previous)].steps + 1, uses: uses, next: -1)
    var before: Int32 = -1
    var current = firstLabel[state]
    while current >= 0 {
      if dominates(labels[Int(current)], new) { return }
      let next = labels[Int(current)].next
      if dominates(new, labels[Int(current)]) {
        labels[Int(current)].isDominated = true
        if before < 0 { firstLabel[state] = next } else { labels[Int(before)].next = next }
      } else {
        before = current
      }
      current = next
    }
    let index = Int32(labels.count)
    labels.append(new)
    if before < 0 { firstLabel[state] = index } else { labels[Int(before)].next = index }
    queue.push(entry(for: new, index: index))
  }

  private func entry(for label: Label, index: Int32) -> PriorityQueue.Entry {
    let state = Int(label.state)
    let cost = label.cost + bounds.cost[state]
    let delay = comparesDelay ? label.delay + bounds.delay[state] : 0
    let loss = comparesLoss ? label.loss + bounds.loss[state] : 0
    return switch problem.objective {
    case .cost: PriorityQueue.Entry(first: cost, second: delay, third: loss, item: index)
    case .delay: PriorityQueue.Entry(first: delay, second: cost, third: loss, item: index)
    case .loss: PriorityQueue.Entry(first: loss, second: cost, third: delay, item: index)
    }
  }

  /// A metric that is neither limited nor minimised cannot tell two labels apart.
  private var comparesDelay: Bool { problem.maximumDelay != nil || problem.objective == .delay }
  private var comparesLoss: Bool { problem.maximumLoss != nil || problem.objective == .loss }

  private func dominates(_ left: Label, _ right: Label) -> Bool {
    left.cost <= right.cost && (!comparesDelay || left.delay <= right.delay)
      && (!comparesLoss || left.loss <= right.loss)
      && (left.uses == right.uses || isSubset(uses[Int(left.uses)], of: uses[Int(right.uses)]))
  }

  private func path(to goal: Label) -> Path {
    var steps: [SlicePlan.Step] = []
    var label = goal
    while label.previous >= 0 {
      let previous = labels[Int(label.previous)]
      if label.via >= 0 {
        steps.append(.cross(LinkID(Int(label.via / 2)), label.via % 2 == 0 ? .forward : .backward))
      } else {
        let (layer, node) = Int(previous.state).quotientAndRemainder(dividingBy: bounds.nodeCount)
        let kind = problem.chain[layer]
        if kind != PathProblem.turn { steps.append(.place(kind: kind, node: NodeID(node))) }
      }
      label = previous
    }
    return Path(steps: steps.reversed(), cost: goal.cost, delay: goal.delay, loss: goal.loss)
  }

  // MARK: Scarce elements

  private func placementCode(layer: Int, node: Int) -> UInt32 {
    UInt32(2 * substrate.links.count + node * Self.maximumLayers + layer)
  }

  /// What the whole chain would take of a node.
  private func mostCompute(_ node: Int) -> UInt64 {
    var most: UInt64 = 0
    for layer in 0..<(bounds.layers - 1) { most += bounds.placements[layer * bounds.nodeCount + node].units ?? 0 }
    return most
  }

  private func computeUsed(_ node: Int, by index: Int32) -> UInt64 {
    let first = placementCode(layer: 0, node: node)
    return uses[Int(index)].reduce(into: 0) { sum, code in
      guard code >= first, code < first + UInt32(Self.maximumLayers) else { return }
      sum += bounds.placements[Int(code - first) * bounds.nodeCount + node].units ?? 0
    }
  }

  /// Whether one more crossing fits beside those that the partial path made already.
  private func fits(_ arc: Adjacency.Arc, after index: Int32) -> Bool {
    let along = UInt32(2 * arc.link + (arc.direction == .forward ? 0 : 1))
    let against = along ^ 1
    var (same, opposite): (UInt64, UInt64) = (0, 0)
    for code in uses[Int(index)] {
      if code == along { same += 1 } else if code == against { opposite += 1 }
    }
    return availability.free(Int(arc.link), arc.direction) >= (same + 1) * problem.up + opposite * problem.down
      && availability.free(Int(arc.link), arc.direction.reversed) >= (same + 1) * problem.down + opposite * problem.up
  }

  private mutating func using(_ code: UInt32, after index: Int32) -> Int32 {
    var codes = uses[Int(index)]
    codes.insert(code, at: codes.firstIndex { $0 > code } ?? codes.count)
    uses.append(codes)
    return Int32(uses.count - 1)
  }

  /// Whether every element of one sorted list, as often as it stands there, is in the other.
  private func isSubset(_ small: [UInt32], of large: [UInt32]) -> Bool {
    guard small.count <= large.count else { return false }
    var position = 0
    for code in small {
      while position < large.count, large[position] < code { position += 1 }
      guard position < large.count, large[position] == code else { return false }
      position += 1
    }
    return true
  }
}
