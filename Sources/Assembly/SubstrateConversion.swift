import Messages
import Slicing
import Topology

extension Slicing.Substrate {
  /// The substrate of a topology file, checked again as Slicing checks it.
  public init(_ substrate: Topology.Substrate) throws {
    var numbers: [String: NodeID] = [:]
    for (index, node) in substrate.nodes.enumerated() { numbers[node.name] = NodeID(index) }
    try self.init(
      nodes: substrate.nodes.map { SubstrateNode($0) },
      links: substrate.links.map { link in
        guard let from = numbers[link.from], let to = numbers[link.to] else {
          throw SubstrateError.illegalName(numbers[link.from] == nil ? link.from : link.to)
        }
        return SubstrateLink(
          from: from, to: to, domain: ResourceDomain(link.domain), forwardCapacity: link.forwardCapacity,
          backwardCapacity: link.backwardCapacity, delay: link.delay, loss: link.loss, cost: link.cost)
      })
  }
}

extension SubstrateNode {
  init(_ node: Topology.Node) {
    let attachment: Attachment =
      switch node.attachment {
      case .none: .none
      case .cell: .cell
      case .endpoint: .endpoint
      }
    self.init(
      name: node.name, domain: ResourceDomain(node.domain), attachment: attachment, computeUnits: node.computeUnits,
      functions: node.functions.map {
        HostedFunction(
          kind: $0.kind, computeUnits: $0.computeUnits, processingDelay: $0.processingDelay, cost: $0.cost)
      })
  }
}

extension ResourceDomain {
  init(_ domain: Topology.Node.Domain) {
    self =
      switch domain {
      case .radio: .radio
      case .transport: .transport
      case .compute: .compute
      }
  }
}
