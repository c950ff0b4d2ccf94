import Messages

/// What is left at least to the destination from every state of the layered graph, were nothing reserved: the lower
/// bounds that make search go straight for its goal and drop what cannot keep a limit.
///
/// The layered graph has one copy of the substrate per number of network functions already passed; placing the next
/// function leads from a node's copy in one layer to its copy in the next. Bounds depend on destination and chain, not
/// on reservations, so they are computed once (three backward Dijkstra runs) and kept by ``SlicePlanner``.
struct PathBounds: Sendable {
  struct Key: Hashable, Sendable {
    let destination: Int
    let chain: [String]
    /// Directed links serve only flows that need nothing backward.
    let carriesUp: Bool
    let carriesDown: Bool
  }

  /// What placing the layer's function on a node takes; `units` is nil where it is not hosted.
  struct Placement: Sendable {
    let units: UInt64?
    let delay: Int64
    let cost: Int64
  }

  /// More than any path has, and far enough from overflow to be added to one.
  static let unreachable = Int64.max / 4

  let nodeCount: Int
  let layers: Int
  let cost: [Int64]
  let delay: [Int64]
  let loss: [Int64]
  /// By layer × node: what passing the layer's next function there takes.
  let placements: [Placement]
  /// By link: the exponent of its loss.
  let linkLoss: [Int64]

  init(_ key: Key, on substrate: Substrate) {
    nodeCount = substrate.nodes.count
    layers = key.chain.count + 1
    placements = key.chain.flatMap { kind in
      substrate.nodes.map { node in
        if kind == PathProblem.turn {
          return Placement(units: node.attachment == .cell ? nil : 0, delay: 0, cost: 0)
        }
        guard let function = node.function(kind) else { return Placement(units: nil, delay: 0, cost: 0) }
        return Placement(
          units: function.computeUnits, delay: function.processingDelay.nanoseconds, cost: Int64(function.cost))
      }
    }
    linkLoss = substrate.links.map { LossExponent(partsPerBillion: $0.loss).femtonepers }
    let (placements, linkLoss) = (placements, linkLoss)
    let run = { (ofLink: (Int) -> Int64, ofPlacement: (Placement) -> Int64) in
      Self.distances(key, substrate, placements, ofLink, ofPlacement)
    }
    cost = run({ Int64(substrate.links[$0].cost) }, { $0.cost })
    delay = run({ substrate.links[$0].delay.nanoseconds }, { $0.delay })
    loss = run({ linkLoss[$0] }, { _ in 0 })
  }

  /// Dijkstra's algorithm backwards from the destination in the last layer.
  private static func distances(
    _ key: Key, _ substrate: Substrate, _ placements: [Placement], _ ofLink: (Int) -> Int64,
    _ ofPlacement: (Placement) -> Int64
  ) -> [Int64] {
    let nodeCount = substrate.nodes.count
    var distances = [Int64](repeating: unreachable, count: nodeCount * (key.chain.count + 1))
    var queue = PriorityQueue()
    let goal = key.chain.count * nodeCount + key.destination
    distances[goal] = 0
    queue.push(PriorityQueue.Entry(first: 0, second: 0, third: 0, item: Int32(goal)))
    while let entry = queue.pop() {
      let state = Int(entry.item)
      guard entry.first == distances[state] else { continue }
      let (layer, node) = state.quotientAndRemainder(dividingBy: nodeCount)
      func reach(_ previous: Int, _ step: Int64) {
        let distance = entry.first + step
        guard distance < distances[previous] else { return }
        distances[previous] = distance
        queue.push(PriorityQueue.Entry(first: distance, second: 0, third: 0, item: Int32(previous)))
      }
      for arc in substrate.incoming.arcs(of: node) {
        let link = substrate.links[Int(arc.link)]
        guard !key.carriesUp || link.capacity(arc.direction) > 0,
          !key.carriesDown || link.capacity(arc.direction.reversed) > 0
        else { continue }
        reach(layer * nodeCount + Int(arc.node), ofLink(Int(arc.link)))
      }
      if layer > 0, placements[(layer - 1) * nodeCount + node].units != nil {
        reach((layer - 1) * nodeCount + node, ofPlacement(placements[(layer - 1) * nodeCount + node]))
      }
    }
    return distances
  }
}
