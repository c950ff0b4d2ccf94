import Messages
import Signing
import Wire

/// What an operator can build slices from: network functions and links of its radio, transport and compute domains
/// (paper §3.2: a slice is stitched from resources "from particular technological domains"). Immutable; what is
/// reserved of it stands in a ``ReservationCalendar``.
///
/// Nodes and links are numbered by position, so that search and calendar are arrays. The ``fingerprint`` in every
/// plan says which numbering the plan means.
public struct Substrate: Sendable {
  public let nodes: [SubstrateNode]
  public let links: [SubstrateLink]
  /// SHA-256 over every node and link, in order.
  public let fingerprint: Digest

  /// Ways out of and into each node, ascending: flat lists with one start per node.
  let outgoing: Adjacency
  let incoming: Adjacency
  private let nodesByName: [String: NodeID]
  private let kinds: Set<String>

  public static let maximumNodes = 1 << 16
  public static let maximumLinks = 1 << 18

  public init(nodes: [SubstrateNode], links: [SubstrateLink]) throws(SubstrateError) {
    guard nodes.count <= Self.maximumNodes else { throw .tooMany("nodes", limit: Self.maximumNodes) }
    guard links.count <= Self.maximumLinks else { throw .tooMany("links", limit: Self.maximumLinks) }
    var nodesByName: [String: NodeID] = [:]
    for (index, node) in nodes.enumerated() {
      try node.check()
      guard nodesByName.updateValue(NodeID(index), forKey: node.name) == nil else { throw .duplicateName(node.name) }
    }
    for (index, link) in links.enumerated() {
      try link.check(LinkID(index), nodes: nodes)
    }
    self.nodes = nodes
    self.links = links
    self.nodesByName = nodesByName
    kinds = Set(nodes.flatMap { $0.functions.map(\.kind) })
    var writer = CBORWriter(reservingBytes: 64 * (nodes.count + links.count) + 16)
    writer.array(2)
    writer.write(list: nodes)
    writer.write(list: links)
    fingerprint = Digest(label: "AJIT substrate", writer.bytes)
    outgoing = Adjacency(nodes: nodes.count, links: links, reversed: false)
    incoming = Adjacency(nodes: nodes.count, links: links, reversed: true)
  }

  public func node(named name: String) -> NodeID? { nodesByName[name] }
  /// Whether any node hosts this kind of network function.
  public func hosts(_ kind: String) -> Bool { kinds.contains(kind) }
  public subscript(_ node: NodeID) -> SubstrateNode { nodes[node.index] }
  public subscript(_ link: LinkID) -> SubstrateLink { links[link.index] }

  /// Everything a reservation can take a part of: each link's two directions, then each node's compute units.
  public var resourceCount: Int { 2 * links.count + nodes.count }

  public func capacity(of resource: Resource) -> UInt64 {
    switch resource {
    case .link(let link, .forward): links[link.index].forwardCapacity
    case .link(let link, .backward): links[link.index].backwardCapacity
    case .compute(let node): nodes[node.index].computeUnits
    }
  }

  /// The resource's place in flat arrays.
  func index(of resource: Resource) -> Int {
    switch resource {
    case .link(let link, .forward): 2 * link.index
    case .link(let link, .backward): 2 * link.index + 1
    case .compute(let node): 2 * links.count + node.index
    }
  }

  /// Whether the resource's node or link exists here.
  public func contains(_ resource: Resource) -> Bool {
    switch resource {
    case .link(let link, _): link.index < links.count
    case .compute(let node): node.index < nodes.count
    }
  }

  /// How people and logs call it: `edge-1-2→aggregation-1`, `core-1 compute`.
  public func name(of resource: Resource) -> String {
    switch resource {
    case .link(let link, .forward): "\(self[self[link].from].name)→\(self[self[link].to].name)"
    case .link(let link, .backward): "\(self[self[link].to].name)→\(self[self[link].from].name)"
    case .compute(let node): "\(self[node].name) compute"
    }
  }
}

/// Why a substrate was refused. Whoever wrote the topology must change it.
public enum SubstrateError: Error, Hashable, Sendable, CustomStringConvertible {
  case tooMany(String, limit: Int)
  case duplicateName(String)
  case illegalName(String)
  case unknownNode(LinkID)
  case outOfRange(element: String, field: String)

  public var description: String {
    switch self {
    case .tooMany(let what, let limit): "more than \(limit) \(what): split the substrate"
    case .duplicateName(let name): "two nodes are called '\(name)': names must be unique"
    case .illegalName(let name): "node name '\(name)' is not 1–\(ServiceTerms.maximumNameBytes) bytes"
    case .unknownNode(let link): "link \(link) ends at a node that does not exist, or where it begins"
    case .outOfRange(let element, let field): "\(field) of \(element) is out of range"
    }
  }
}

/// A way to take a link: along it or against it. A directed link has no capacity backward.
public enum LinkDirection: UInt8, Sendable, Hashable, CaseIterable, WireCodable {
  case forward = 1
  case backward = 2

  public var reversed: LinkDirection { self == .forward ? .backward : .forward }
}

/// Something of which a reservation takes an amount: bit/s of one direction of a link, or compute units of a node.
public enum Resource: Hashable, Sendable {
  case link(LinkID, LinkDirection)
  case compute(NodeID)
}

/// The compressed adjacency lists of all nodes in one direction of travel.
struct Adjacency: Sendable {
  struct Arc: Sendable {
    let link: Int32
    /// The node at the other end.
    let node: Int32
    let direction: LinkDirection
  }

  private let starts: [Int32]
  private let arcs: [Arc]

  /// - Parameter reversed: list the ways *into* each node; an arc's direction is still the direction of travel.
  init(nodes: Int, links: [SubstrateLink], reversed: Bool) {
    var counts = [Int32](repeating: 0, count: nodes + 1)
    for link in links {
      counts[link.from.index + 1] += 1
      counts[link.to.index + 1] += 1
    }
    for node in 0..<nodes { counts[node + 1] += counts[node] }
    starts = counts
    let placeholder = Arc(link: 0, node: 0, direction: .forward)
    var arcs = [Arc](repeating: placeholder, count: 2 * links.count)
    for (index, link) in links.enumerated() {
      let (from, to) = (link.from.index, link.to.index)
      arcs[Int(counts[from])] = Arc(link: Int32(index), node: Int32(to), direction: reversed ? .backward : .forward)
      counts[from] += 1
      arcs[Int(counts[to])] = Arc(link: Int32(index), node: Int32(from), direction: reversed ? .forward : .backward)
      counts[to] += 1
    }
    self.arcs = arcs
  }

  func arcs(of node: Int) -> ArraySlice<Arc> { arcs[Int(starts[node])..<Int(starts[node + 1])] }
}
