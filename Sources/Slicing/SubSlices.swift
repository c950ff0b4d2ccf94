import Messages

/// The part of a slice that one technological domain gives (paper §3.2: a slice is stitched from resources "from
/// particular technological domains"; the network slice subnet of 3GPP TS 28.541).
public struct SubSlice: Hashable, Sendable {
  public let domain: ResourceDomain
  public let elements: [SubnetElement]
}

extension SlicePlan {
  /// Cuts the slice by the domain of its links and nodes, in the order of the domains; a domain that gives nothing has
  /// no part.
  public func subSlices(on substrate: Substrate) throws(PlanError) -> [SubSlice] {
    let demands = try demands(on: substrate)
    return ResourceDomain.allCases.compactMap { domain in
      let elements = SubnetElements.elements(
        of: demands.filter { substrate.domain(of: $0.resource) == domain }, substrate)
      return elements.isEmpty ? nil : SubSlice(domain: domain, elements: elements)
    }
  }
}

extension Substrate {
  public func domain(of resource: Resource) -> ResourceDomain {
    switch resource {
    case .link(let link, _): self[link].domain
    case .compute(let node): self[node].domain
    }
  }
}

/// The elements of one domain by the names under which controller and domain manager speak of them: a node by its own
/// name, a link as `from→to #number`, because two nodes may have several links. `up` is what goes from `from` to `to`,
/// or compute units.
public struct SubnetElements: Sendable {
  private let resources: [String: [Resource]]

  public init(of domain: ResourceDomain, on substrate: Substrate) {
    var resources: [String: [Resource]] = [:]
    for index in substrate.links.indices where substrate.links[index].domain == domain {
      let link = LinkID(index)
      resources[Self.name(of: link, substrate)] = [.link(link, .forward), .link(link, .backward)]
    }
    for index in substrate.nodes.indices where substrate.nodes[index].domain == domain {
      resources[substrate.nodes[index].name] = [.compute(NodeID(index))]
    }
    self.resources = resources
  }

  /// What an order takes of the domain's resources; nil when it names an element that is not this domain's, or one
  /// twice.
  public func demands(of elements: [SubnetElement], on substrate: Substrate) -> [ResourceDemand]? {
    var demands: [ResourceDemand] = []
    for element in elements {
      guard let resources = resources[element.name], resources.count == 2 || element.down == 0 else { return nil }
      for (resource, amount) in zip(resources, [element.up, element.down]) where amount > 0 {
        demands.append(ResourceDemand(resource: resource, amount: amount))
      }
    }
    demands.sort { substrate.index(of: $0.resource) < substrate.index(of: $1.resource) }
    let isRepeated = zip(demands, demands.dropFirst()).contains { $0.resource == $1.resource }
    return isRepeated ? nil : demands
  }

  /// - Parameter demands: in the order the resources are numbered, as ``SlicePlan/demands(on:)`` gives them.
  static func elements(of demands: [ResourceDemand], _ substrate: Substrate) -> [SubnetElement] {
    var elements: [SubnetElement] = []
    for demand in demands {
      switch demand.resource {
      case .compute(let node): elements.append(SubnetElement(name: substrate[node].name, up: demand.amount, down: 0))
      case .link(let link, let direction):
        let name = name(of: link, substrate)
        if elements.last?.name != name { elements.append(SubnetElement(name: name, up: 0, down: 0)) }
        if direction == .forward {
          elements[elements.count - 1].up = demand.amount
        } else {
          elements[elements.count - 1].down = demand.amount
        }
      }
    }
    return elements
  }

  private static func name(of link: LinkID, _ substrate: Substrate) -> String {
    "\(substrate.name(of: .link(link, .forward))) #\(link)"
  }
}
