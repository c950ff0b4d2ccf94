import Messages

extension Topology {
  /// What an operator stitches slices from (paper §3.2): nodes where network functions run, and links. A `tree:` of
  /// the file is already expanded here, see ``Tree``.
  public struct Substrate: Hashable, Sendable {
    public var nodes: [Node]
    public var links: [Link]

    public static let maximumNodes = 1 << 16
    public static let maximumLinks = 1 << 18
    /// bit/s of a link's direction, or compute units of a node.
    public static let maximumCapacity: UInt64 = 1 << 50
    public static let maximumCost: UInt64 = 1 << 32
    public static let maximumDelay = Span.seconds(60)

    public init(nodes: [Node], links: [Link]) {
      self.nodes = nodes
      self.links = links
    }
  }

  /// A place where links meet and functions run.
  public struct Node: Hashable, Sendable {
    public enum Domain: String, Sendable, CaseIterable {
      case radio, transport, compute
    }

    /// Who may begin or end a slice here, under the node's name.
    public enum Attachment: String, Sendable, CaseIterable {
      case none, cell, endpoint
    }

    public var name: String
    public var domain: Domain
    public var attachment: Attachment
    public var computeUnits: UInt64
    public var functions: [Function]

    public static let maximumFunctions = 64

    public init(
      name: String, domain: Domain = .transport, attachment: Attachment = .none, computeUnits: UInt64 = 0,
      functions: [Function] = []
    ) {
      self.name = name
      self.domain = domain
      self.attachment = attachment
      self.computeUnits = computeUnits
      self.functions = functions
    }
  }

  /// A kind of network function that a node can run for a slice.
  public struct Function: Hashable, Sendable {
    public var kind: String
    /// Taken from the node for every slice that places the function here.
    public var computeUnits: UInt64
    /// Added to a packet's one-way delay.
    public var processingDelay: Span
    public var cost: UInt64

    public init(kind: String, computeUnits: UInt64 = 1, processingDelay: Span = .zero, cost: UInt64 = 0) {
      self.kind = kind
      self.computeUnits = computeUnits
      self.processingDelay = processingDelay
      self.cost = cost
    }
  }

  public struct Link: Hashable, Sendable {
    public var from: String
    public var to: String
    public var domain: Node.Domain
    /// bit/s from `from` to `to`.
    public var forwardCapacity: UInt64
    /// bit/s back; 0 for a one-way link.
    public var backwardCapacity: UInt64
    /// One way.
    public var delay: Span
    /// Parts per billion.
    public var loss: UInt32
    /// What path search minimises.
    public var cost: UInt64

    public init(
      from: String, to: String, domain: Node.Domain, forwardCapacity: UInt64, backwardCapacity: UInt64, delay: Span,
      loss: UInt32, cost: UInt64
    ) {
      self.from = from
      self.to = to
      self.domain = domain
      self.forwardCapacity = forwardCapacity
      self.backwardCapacity = backwardCapacity
      self.delay = delay
      self.loss = loss
      self.cost = cost
    }
  }
}
