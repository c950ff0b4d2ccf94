import Effects
import Messages
import Signing
import Slicing

extension ControllerCore {
  public struct Configuration: Sendable {
    public var name: String
    public var genesis: Genesis
    public var organisation: OrganisationID
    public var key: SigningKey
    /// Members to follow and to submit to, preferred first.
    public var validators: [ActorAddress]
    public var contracts: [ContractTerms]
    public var substrate: Substrate
    public var edges: [EdgePlace]
    /// Domain managers, at most one per domain. What a slice takes of a domain that is not named here needs nobody's
    /// acknowledgement.
    public var domains: [DomainPlace]
    /// Interruptions to announce on the ledger as soon as it is read.
    public var maintenance: [PlannedMaintenance]
    /// 32 bytes drawn anew for each life.
    public var entropy: [UInt8]

    public init(
      name: String, genesis: Genesis, organisation: OrganisationID, key: SigningKey, validators: [ActorAddress],
      contracts: [ContractTerms], substrate: Substrate, edges: [EdgePlace], domains: [DomainPlace] = [],
      maintenance: [PlannedMaintenance] = [], entropy: [UInt8]
    ) {
      self.name = name
      self.genesis = genesis
      self.organisation = organisation
      self.key = key
      self.validators = validators
      self.contracts = contracts
      self.substrate = substrate
      self.edges = edges
      self.domains = domains
      self.maintenance = maintenance
      self.entropy = entropy
    }
  }

  /// One edge monitor and what it serves.
  public struct EdgePlace: Sendable {
    public var address: ActorAddress
    public var key: PublicKey
    public var cells: [String]
    public var peers: [String]

    public init(address: ActorAddress, key: PublicKey, cells: [String], peers: [String]) {
      self.address = address
      self.key = key
      self.cells = cells
      self.peers = peers
    }
  }

  /// The manager of one domain (NSSMF of 3GPP TS 28.531).
  public struct DomainPlace: Sendable {
    public var domain: ResourceDomain
    public var address: ActorAddress

    public init(domain: ResourceDomain, address: ActorAddress) {
      self.domain = domain
      self.address = address
    }
  }

  /// One interruption: what the ledger is told of it, and what of the substrate is not to be built on meanwhile.
  public struct PlannedMaintenance: Sendable {
    public var announcement: Maintenance
    /// Nodes besides the announcement's cells that no slice may lead over in its window.
    public var nodes: [String]

    public init(_ announcement: Maintenance, nodes: [String] = []) {
      self.announcement = announcement
      self.nodes = nodes
    }
  }

  /// One activation of this operator's contracts, from its order to its end.
  struct Job: Sendable {
    /// Names its timer.
    let number: UInt64
    let order: ActivationOrder
    let terms: ContractTerms
    /// Whose agreements count.
    let payer: PublicKey
    var stage = Stage.requested
    /// Epochs it will have had: as booked, or fewer after a Terminate.
    var epochs: UInt64
    /// Epochs the edge knows of.
    var epochsAtEdge: UInt64
    /// How often a confirmation was refused or came too late and was made anew.
    var attempts = 0
    /// How often the stage's transaction was sent.
    var sends = 0
    /// Nothing is sent again before this.
    var notBefore = Instant.zero
    /// The question to the edge that is open: one at a time.
    var question: RequestID?
    var edgeBackoff = Backoff()
    /// CLOSING is on the ledger.
    var isClosing = false
    /// This operator has said there what it has to say.
    var hasPosted = false
    /// Between settlements that the ledger refuses.
    var settlementBackoff = Backoff()
    /// The ledger refused an agreement of both: this operator settles alone.
    var agreementRefused = false

    init(number: UInt64, order: ActivationOrder, terms: ContractTerms, payer: PublicKey) {
      self.number = number
      self.order = order
      self.terms = terms
      self.payer = payer
      epochs = order.epochs
      epochsAtEdge = order.epochs
    }

    /// When the last packet may still be under way.
    func end(_ confirmation: SliceConfirmation) -> Instant { confirmation.startAt + terms.serviceSpan(epochs: epochs) }
  }

  /// Each case holds what is known then.
  enum Stage: Sendable {
    /// REQUESTED is FINAL; not decided yet.
    case requested
    /// The slice is held and its ConfirmSlice on its way.
    case confirming(SliceRecord, SliceConfirmation, SignedTransaction)
    case rejecting(SignedTransaction)
    /// RESERVED is FINAL: the edge is told, then it serves.
    case serving(SliceRecord?, SliceConfirmation, edgeTold: Bool)
    /// One settlement is on its way to the ledger.
    case settling(SliceRecord?, SliceConfirmation, SignedTransaction)

    /// What the ledger has to answer.
    var transaction: SignedTransaction? {
      switch self {
      case .requested, .serving: nil
      case .confirming(_, _, let transaction), .rejecting(let transaction), .settling(_, _, let transaction):
        transaction
      }
    }
  }

  /// An ended activation that its edge has not let go of yet.
  struct Closing: Sendable {
    let activation: ActivationID
    let edge: ActorAddress
    var backoff = Backoff()
  }

  /// Names of timers.
  enum Purpose {
    static let job: UInt16 = 2
    static let deploy: UInt16 = 3
    /// By reservation.
    static let closing: UInt16 = 4
  }

  /// Streams of durable records besides ``SliceRecord/stream``.
  enum Stream {
    /// Signed ConfirmSlice envelopes by reservation: after a crash the very same bytes are sent again. One outlives its
    /// slice until the edge has let the service go; then it is empty, and pruned with all before it.
    static let confirmations: UInt16 = 0x0201
  }
}

extension ContractTerms {
  /// The tightest promise of one-way delay that some packet must keep, or T_max: what a slice is searched for.
  var sliceDelay: Span {
    let references = rules.filter { $0.metric == .oneWayDelay && $0.comparison == .atMost }.map(\.reference)
    let tightest = Span(nanoseconds: Int64(clamping: references.min() ?? .max))
    return min(tightest, metering.maximumTransit)
  }

  /// The tightest promised loss, parts per billion.
  var sliceLoss: UInt32 {
    let references = rules.filter { $0.metric == .lossRatio && $0.comparison == .atMost }
      .map { $0.reference.addingReportingOverflow($0.tolerance) }.map { $0.overflow ? .max : $0.partialValue }
    return UInt32(clamping: references.min() ?? 1_000_000_000)
  }

  /// From the start of epoch 0 to when the last packet may still be under way.
  func serviceSpan(epochs: UInt64) -> Span { metering.epoch * Int64(clamping: epochs) + metering.grace }
}
