import Messages

/// One consortium and one scenario, as a topology file describes them: who takes part, what networks they run, what
/// they offer and what is asked of them. A plain value in the field's terms with integers only: nanoseconds, bit/s,
/// parts per billion, bytes, minor units of money.
///
/// Made by ``TopologyParser``, which checks everything that can be known before anything starts. Whoever makes one by
/// hand (a load generator, a test) runs ``validate()``.
public struct Topology: Hashable, Sendable {
  /// The version of the file format that this program reads.
  public static let formatVersion: UInt64 = 1

  public var name: String
  public var description: String
  /// Feeds every random choice that is free: emulated loss, simulated networks. Keys of real networks never come
  /// from it.
  public var seed: UInt64
  public var network: NetworkParameters
  public var operators: [Operator]
  public var regulators: [Regulator]
  public var customers: [Customer]
  /// Which processes there are and what runs in each; empty when the file leaves it to whoever starts it. See
  /// ``placement``.
  public var nodes: [ActorNode]
  public var behaviours: [Behaviour]
  public var faults: [Fault]

  public init(
    name: String, description: String = "", seed: UInt64 = 1, network: NetworkParameters = .standard,
    operators: [Operator], regulators: [Regulator] = [], customers: [Customer] = [], nodes: [ActorNode] = [],
    behaviours: [Behaviour] = [], faults: [Fault] = []
  ) {
    self.name = name
    self.description = description
    self.seed = seed
    self.network = network
    self.operators = operators
    self.regulators = regulators
    self.customers = customers
    self.nodes = nodes
    self.behaviours = behaviours
    self.faults = faults
  }

  /// Members of the genesis: every operator leads and votes, every regulator votes, unless it observes at first.
  public var memberCount: Int { operators.count { !$0.observes } + regulators.count { !$0.observes } }
  /// Everybody who has a validator, member or not, in file order.
  public var validatorNames: [String] { operators.map(\.name) + regulators.map(\.name) }

  /// Votes that make a certificate: ⌊(n + f) / 2⌋ + 1 with f = ⌊(n − 1) / 3⌋ (consensus.md).
  public static func quorum(members: Int) -> Int {
    let faulty = max(0, members - 1) / 3
    return (members + faulty) / 2 + 1
  }

  public func networkOperator(named name: String) -> Operator? { operators.first { $0.name == name } }

  /// - Parameter reference: nil for an order that names no contract; then there is none.
  public func contract(_ reference: ContractReference?) -> Contract? {
    guard let reference else { return nil }
    return networkOperator(named: reference.operatorName)?.contracts.first { $0.name == reference.contractName }
  }
}

extension Topology {
  /// A network operator: a validator that leads, a JIT controller, edge monitors, a substrate and offers.
  public struct Operator: Hashable, Sendable {
    public var name: String
    /// Balance in the genesis; bonds come out of it.
    public var credit: Amount
    /// Empty for an operator that only keeps the ledger.
    public var substrate: Substrate
    public var edges: [Edge]
    public var contracts: [Contract]
    public var maintenance: [Maintenance]
    /// No member at first: its validator observes until the members take it in (`ajit members`).
    public var observes: Bool

    public init(
      name: String, credit: Amount, substrate: Substrate, edges: [Edge], contracts: [Contract],
      maintenance: [Maintenance] = [], observes: Bool = false
    ) {
      self.name = name
      self.credit = credit
      self.substrate = substrate
      self.edges = edges
      self.contracts = contracts
      self.maintenance = maintenance
      self.observes = observes
    }

    /// The domains that its substrate has resources in, in order; each has a manager (NSSMF, 3GPP TS 28.531).
    public var domains: [Node.Domain] {
      Node.Domain.allCases.filter { domain in
        substrate.nodes.contains { $0.domain == domain } || substrate.links.contains { $0.domain == domain }
      }
    }

    /// Actor name of a domain's manager.
    public func managerName(of domain: Node.Domain) -> String { "\(name)-\(domain.rawValue)" }

    /// Bytes of an operator's name, so that its managers' names are legal.
    static let maximumNameBytes = ActorAddress.maximumNameBytes - "-transport".utf8.count

    /// The one edge that serves the cell; its monitor accounts for every flow that attaches there.
    public func edge(serving cell: String) -> Edge? { edges.first { $0.cells.contains(cell) } }
  }

  /// An interruption announced on the ledger; binds activations made after the announcement. Offsets from the
  /// network's start.
  public struct Maintenance: Hashable, Sendable {
    /// When it is announced.
    public var at: Span
    public var window: OffsetWindow
    public var cells: [String]

    public init(at: Span, window: OffsetWindow, cells: [String]) {
      self.at = at
      self.window = window
      self.cells = cells
    }
  }

  /// Watches, votes and never leads.
  public struct Regulator: Hashable, Sendable {
    public var name: String
    /// No member at first, like ``Operator/observes``.
    public var observes: Bool
    /// What it is told to order.
    public var measures: [Measure]

    public init(name: String, observes: Bool = false, measures: [Measure] = []) {
      self.name = name
      self.observes = observes
      self.measures = measures
    }
  }

  /// An edge monitor: the operator's end of the metered path.
  public struct Edge: Hashable, Sendable {
    public var name: String
    /// Cells it serves: names of substrate nodes where users attach. A cell has one edge.
    public var cells: [String]
    /// Operator-side endpoints it terminates: the `peer` of a one-customer flow.
    public var endpoints: [String]
    /// What the real path does beyond the plan; nil when the plan is kept.
    public var impairment: Impairment?

    public init(name: String, cells: [String], endpoints: [String], impairment: Impairment? = nil) {
      self.name = name
      self.cells = cells
      self.endpoints = endpoints
      self.impairment = impairment
    }
  }

  /// How much worse the real path behind an edge is than the slice plan says. The emulator in the edge's forwarding
  /// applies plan and impairment; it is how a topology shows an under-provisioned network.
  public struct Impairment: Hashable, Sendable {
    /// Added to the plan's loss in either direction, parts per billion.
    public var loss: UInt32
    /// Added to the plan's one-way delay.
    public var delay: Span
    /// Added on top, uniform in 0…jitter, from the topology's seed.
    public var jitter: Span
    /// All the path carries per direction, bit/s, whatever was planned; nil leaves the plan's rate.
    public var rate: UInt64?
    /// Where it applies; both when nil.
    public var direction: Direction?

    public init(
      loss: UInt32 = 0, delay: Span = .zero, jitter: Span = .zero, rate: UInt64? = nil, direction: Direction? = nil
    ) {
      self.loss = loss
      self.delay = delay
      self.jitter = jitter
      self.rate = rate
      self.direction = direction
    }

    public func applies(to direction: Direction) -> Bool { self.direction == nil || self.direction == direction }
  }
}
