import Messages

@testable import Slicing

/// The slow, obvious search: every walk through the layered graph that does not come back to a state it has been in,
/// charged element by element. What the real search must agree with.
struct ExhaustiveSearch {
  struct Best: Equatable {
    var cost: Int64
    var delay: Int64
    var loss: Int64
  }

  let substrate: Substrate
  let calendar: ReservationCalendar
  let request: SliceRequest
  private var best: Best?
  private var used: [Resource: UInt64] = [:]
  private var visited: Set<[Int]> = []

  init(substrate: Substrate, calendar: ReservationCalendar, request: SliceRequest) {
    self.substrate = substrate
    self.calendar = calendar
    self.request = request
  }

  mutating func run() -> Best? {
    guard let cell = substrate.node(named: request.cell) else { return nil }
    walk(node: cell, layer: 0, Best(cost: 0, delay: 0, loss: 0))
    return best
  }

  private mutating func walk(node: NodeID, layer: Int, _ sum: Best) {
    let limits = request.requirements
    guard sum.delay <= limits.maximumDelay.nanoseconds,
      sum.loss <= LossExponent(partsPerBillion: limits.maximumLoss).femtonepers,
      visited.insert([node.index, layer]).inserted
    else { return }
    defer { visited.remove([node.index, layer]) }
    if layer == request.functionChain.count, .endpoint(substrate[node].name) == request.destination {
      if let best, (best.cost, best.delay, best.loss) <= (sum.cost, sum.delay, sum.loss) { return }
      best = sum
      return
    }
    for (index, link) in substrate.links.enumerated() {
      for direction in LinkDirection.allCases where link.start(direction) == node {
        let takings: [(Resource, UInt64)] = [
          (.link(LinkID(index), direction), limits.throughputUp),
          (.link(LinkID(index), direction.reversed), limits.throughputDown),
        ]
        taking(takings) { search in
          search.walk(
            node: link.end(direction), layer: layer,
            Best(
              cost: sum.cost + Int64(link.cost), delay: sum.delay + link.delay.nanoseconds,
              loss: sum.loss + LossExponent(partsPerBillion: link.loss).femtonepers))
        }
      }
    }
    guard layer < request.functionChain.count, let function = substrate[node].function(request.functionChain[layer])
    else { return }
    if request.sharing == .exclusive, calendar.peak(of: .compute(node), during: limits.window) > 0 { return }
    taking([(.compute(node), function.computeUnits)]) { search in
      search.walk(
        node: node, layer: layer + 1,
        Best(
          cost: sum.cost + Int64(function.cost), delay: sum.delay + function.processingDelay.nanoseconds,
          loss: sum.loss))
    }
  }

  private mutating func taking(_ takings: [(Resource, UInt64)], _ body: (inout ExhaustiveSearch) -> Void) {
    for (resource, amount) in takings { used[resource, default: 0] += amount }
    let fits = takings.allSatisfy { resource, _ in
      used[resource, default: 0] <= calendar.free(of: resource, during: request.requirements.window)
    }
    if fits { body(&self) }
    for (resource, amount) in takings { used[resource, default: 0] -= amount }
  }
}
