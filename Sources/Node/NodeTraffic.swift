import Bus

/// What the nodes of a spread consortium say they have carried. A node that is killed takes its last second with it.
struct NodeTraffic: Sendable {
  /// Of lives that are over.
  private var before = CarriedTraffic()
  private var lives: [String: CarriedTraffic] = [:]

  /// A new life of a node, which counts from nothing.
  mutating func begin(_ node: String) {
    if let last = lives.removeValue(forKey: node) { before.add(last) }
  }

  mutating func tell(_ node: String, _ traffic: CarriedTraffic) { lives[node] = traffic }

  var sum: CarriedTraffic { lives.values.reduce(into: before) { $0.add($1) } }
}
