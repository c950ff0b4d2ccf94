import Messages

/// What a plan takes of one resource.
public struct ResourceDemand: Hashable, Sendable {
  public let resource: Resource
  /// bit/s or compute units.
  public let amount: UInt64
  public init(resource: Resource, amount: UInt64) {
    self.resource = resource
    self.amount = amount
  }
}

/// Why a plan cannot be built on a substrate. A plan from a search never gives one; a plan from a database written
/// for another substrate does.
public enum PlanError: Error, Hashable, Sendable {
  /// The plan numbers another substrate's nodes and links.
  case otherSubstrate
  /// A step names a node or link that does not exist.
  case unknownElement(step: Int)
  /// A step does not begin where the one before ended.
  case notConnected(step: Int)
  /// The node cannot run the network function.
  case functionNotHosted(step: Int)
  /// The last step does not end at the destination.
  case endsElsewhere
  /// The window is empty.
  case emptyWindow
  /// More throughput than any element can have.
  case throughputOutOfRange
}

extension SlicePlan {
  /// Walks the plan and adds up what it takes of each resource, in the order the resources are numbered.
  ///
  /// Up packets take a link in the direction of the step and down packets in the other, so a link that a chain makes
  /// the slice cross twice is charged twice. An exclusive slice takes all compute of the nodes that it uses.
  public func demands(on substrate: Substrate) throws(PlanError) -> [ResourceDemand] {
    guard self.substrate == substrate.fingerprint else { throw .otherSubstrate }
    guard window.from < window.to else { throw .emptyWindow }
    guard max(throughputUp, throughputDown) <= Substrate.maximumCapacity else { throw .throughputOutOfRange }
    var takings: [(resource: Resource, amount: UInt64)] = []
    var position = cell
    for (number, step) in steps.enumerated() {
      switch step {
      case .cross(let link, let direction):
        guard link.index < substrate.links.count else { throw .unknownElement(step: number) }
        guard substrate[link].start(direction) == position else { throw .notConnected(step: number) }
        position = substrate[link].end(direction)
        takings.append((.link(link, direction), throughputUp))
        takings.append((.link(link, direction.reversed), throughputDown))
      case .place(let kind, let node):
        guard node.index < substrate.nodes.count else { throw .unknownElement(step: number) }
        guard node == position else { throw .notConnected(step: number) }
        guard let function = substrate[node].function(kind) else { throw .functionNotHosted(step: number) }
        takings.append((.compute(node), function.computeUnits))
      }
    }
    guard position == destination else { throw .endsElsewhere }
    return merge(takings, on: substrate)
  }

  private func merge(_ takings: [(resource: Resource, amount: UInt64)], on substrate: Substrate) -> [ResourceDemand] {
    var merged: [ResourceDemand] = []
    for taking in takings.sorted(by: { substrate.index(of: $0.resource) < substrate.index(of: $1.resource) }) {
      var amount = taking.amount
      if let last = merged.last, last.resource == taking.resource {
        amount += last.amount
        merged.removeLast()
      }
      merged.append(ResourceDemand(resource: taking.resource, amount: amount))
    }
    guard sharing == .exclusive else { return merged.filter { $0.amount > 0 } }
    return merged.map { demand in
      guard case .compute = demand.resource else { return demand }
      return ResourceDemand(
        resource: demand.resource, amount: max(demand.amount, substrate.capacity(of: demand.resource)))
    }.filter { $0.amount > 0 }
  }
}
