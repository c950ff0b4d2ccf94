import Effects
import Messages
import Signing

/// What a customer sets out to buy: one activation of a topology file.
public struct PlannedActivation: Sendable {
  /// The topology's name for it.
  public var label: String
  public var offer: OfferChoice
  /// When it is asked for, after the scenario's start.
  public var at: Span
  /// How long after asking the service may start at the earliest: more than zero is an advance booking (CAMARA QoS
  /// Booking).
  public var startAfter: Span
  /// How long after asking the service may start at the latest.
  public var startWithin: Span
  /// To book; of an offer that is searched for, as many as its ``OfferWish/duration`` takes.
  public var epochs: UInt64
  public var cell: String
  /// An endpoint of the operator; the other organisation's name where a ``far`` end is planned.
  public var peer: String
  /// Name of the enclave whose receipts count.
  public var enclave: String
  /// The other customer; nil for a flow to the operator's endpoint.
  public var far: PlannedFarEnd?
  /// What the customer's application sends.
  public var up: Traffic
  /// What the peer's application sends back; of another customer its own plan says.
  public var down: Traffic
  /// What the customer's application sends to somebody whom the contract does not allow.
  public var stray: Traffic
  /// Of the near end, in order.
  public var moves: [PlannedMove]
  /// Extend and Renegotiate, in order.
  public var amendments: [PlannedAmendment]
  /// Terminate after so many epochs; nil: it runs its time.
  public var terminateAfter: EpochNumber?

  public init(
    label: String, offer: OfferChoice, at: Span, startAfter: Span = .zero, startWithin: Span, epochs: UInt64,
    cell: String, peer: String, enclave: String, far: PlannedFarEnd? = nil, up: Traffic, down: Traffic,
    stray: Traffic = .silent, moves: [PlannedMove] = [], amendments: [PlannedAmendment] = [],
    terminateAfter: EpochNumber? = nil
  ) {
    self.label = label
    self.offer = offer
    self.at = at
    self.startAfter = startAfter
    self.startWithin = startWithin
    self.epochs = epochs
    self.cell = cell
    self.peer = peer
    self.enclave = enclave
    self.far = far
    self.up = up
    self.down = down
    self.stray = stray
    self.moves = moves
    self.amendments = amendments
    self.terminateAfter = terminateAfter
  }
}

/// Which contract is bought.
public enum OfferChoice: Sendable {
  case contract(ContractTerms)
  /// The cheapest of all operators' that fits, searched on the ledger when it is wanted.
  case cheapest(OfferWish)
}

/// What an offer must have. Place and time come from the plan: it serves the cell, every cell of the planned moves and
/// the peer, and the booking lies in one of its service times. How many epochs that is depends on the offer found.
public struct OfferWish: Hashable, Sendable {
  /// Service profile; nil: any.
  public var profile: String?
  /// Guaranteed, bit/s.
  public var throughputUp: UInt64
  public var throughputDown: UInt64
  /// How long the service is needed.
  public var duration: Span
  /// Most that the whole booking may lock (E); nil: any.
  public var priceAtMost: Amount?

  public init(
    profile: String?, throughputUp: UInt64 = 0, throughputDown: UInt64 = 0, duration: Span, priceAtMost: Amount? = nil
  ) {
    self.profile = profile
    self.throughputUp = throughputUp
    self.throughputDown = throughputDown
    self.duration = duration
    self.priceAtMost = priceAtMost
  }
}

/// Another customer's end of a planned flow. Its cell is its own business: its answer to the invitation says.
///
/// The ledger takes a flow whose ends both belong to the payer as well, without consent. Here nobody plans one: a
/// purchase stands for one end, and files in which somebody is its own peer are refused.
public struct PlannedFarEnd: Hashable, Sendable {
  public var customer: ActorAddress
  /// The near enclave asks it for its receipts.
  public var enclave: ActorAddress

  public init(customer: ActorAddress, enclave: ActorAddress) {
    self.customer = customer
    self.enclave = enclave
  }
}

/// One end drives into another cell.
public struct PlannedMove: Hashable, Sendable {
  /// When the controller is asked: at this epoch's start. The ledger says from which epoch the handover holds.
  public var epoch: EpochNumber
  public var cell: String

  public init(epoch: EpochNumber, cell: String) {
    self.epoch = epoch
    self.cell = cell
  }
}

/// A running activation is to go on longer, or under another contract.
public struct PlannedAmendment: Sendable {
  public enum Change: Sendable {
    case extend
    /// Of the same operator; `metering` and `deadlines` as now.
    case renegotiate(ContractTerms)
  }

  public var change: Change
  /// When it is proposed: at this epoch's start.
  public var epoch: EpochNumber
  /// Booked in the new segment.
  public var epochs: UInt64

  public init(_ change: Change, at epoch: EpochNumber, epochs: UInt64) {
    self.change = change
    self.epoch = epoch
    self.epochs = epochs
  }
}

/// An invitation to another customer's flow that this one accepts. Anything else is refused.
public struct AcceptedFlow: Sendable {
  /// The topology's name for it.
  public var label: String
  /// Who pays.
  public var payer: OrganisationID
  /// Terms it agrees to be metered by.
  public var contracts: [ContractTerms]
  /// Of its own end, one of the contract's area.
  public var cell: String
  /// Name of its own enclave.
  public var enclave: String
  /// The payer's enclave.
  public var nearEnclave: ActorAddress
  /// What its own application sends.
  public var traffic: Traffic
  /// Of the far end, in order.
  public var moves: [PlannedMove]
  /// Invitations accepted at most.
  public var flows: Int

  public init(
    label: String, payer: OrganisationID, contracts: [ContractTerms], cell: String, enclave: String,
    nearEnclave: ActorAddress, traffic: Traffic, moves: [PlannedMove] = [], flows: Int = 1
  ) {
    self.label = label
    self.payer = payer
    self.contracts = contracts
    self.cell = cell
    self.enclave = enclave
    self.nearEnclave = nearEnclave
    self.traffic = traffic
    self.moves = moves
    self.flows = flows
  }
}

extension CustomerCore {
  /// How a customer learns what stands on the ledger.
  public enum LedgerAccess: Sendable {
    /// It reads for itself, and for these others of its process.
    case reads(others: [LedgerReader])
    /// Another customer of its process reads for it.
    case isTold
  }

  public struct Configuration: Sendable {
    public var name: String
    public var genesis: Genesis
    public var treasuryKey: SigningKey
    /// Members to follow and to submit to, preferred first.
    public var validators: [ActorAddress]
    public var plan: [PlannedActivation]
    /// Whose flows it takes part in.
    public var acceptances: [AcceptedFlow]
    /// The controller of each operator.
    public var controllers: [OrganisationID: ActorAddress]
    /// Where the edge monitor of each enrolled edge key is reached.
    public var edges: [PublicKey: ActorAddress]
    /// The customer's own port for application data, and each of its enclaves'.
    public var hostPort: DataAddress
    public var enclavePorts: [String: DataAddress]
    /// 32 bytes drawn anew for each life.
    public var entropy: [UInt8]
    public var ledger: LedgerAccess
    /// Of the genesis.
    let directory: Directory

    /// - Parameter directory: nil to be made of the genesis, which of a thousand customers each would do again.
    public init(
      name: String, genesis: Genesis, directory: Directory? = nil, treasuryKey: SigningKey, validators: [ActorAddress],
      plan: [PlannedActivation],
      acceptances: [AcceptedFlow] = [], controllers: [OrganisationID: ActorAddress],
      edges: [PublicKey: ActorAddress], hostPort: DataAddress, enclavePorts: [String: DataAddress], entropy: [UInt8],
      ledger: LedgerAccess = .reads(others: [])
    ) {
      self.name = name
      self.genesis = genesis
      self.treasuryKey = treasuryKey
      self.validators = validators
      self.plan = plan
      self.acceptances = acceptances
      self.controllers = controllers
      self.edges = edges
      self.hostPort = hostPort
      self.enclavePorts = enclavePorts
      self.entropy = entropy
      self.ledger = ledger
      self.directory = directory ?? Directory(genesis)
    }

    /// What of the ledger concerns this customer.
    public var reader: LedgerReader {
      let key = treasuryKey.publicKey
      return LedgerReader(
        address: ActorAddress(.customer, name), key: key, organisation: directory.organisation(of: key),
        contracts: plan.compactMap(\.offer.terms?.id), isGuest: !acceptances.isEmpty,
        isInterruptible: !plan.isEmpty || !acceptances.isEmpty)
    }

    var feed: LedgerFeed? {
      switch ledger {
      case .reads(let others): LedgerFeed(genesis: genesis, sources: validators, readers: [reader] + others)
      case .isTold: nil
      }
    }
  }
}
