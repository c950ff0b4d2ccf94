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
    /// 32 bytes drawn anew for each life.
    public var entropy: [UInt8]

    public init(
      name: String, genesis: Genesis, organisation: OrganisationID, key: SigningKey, validators: [ActorAddress],
      contracts: [ContractTerms], substrate: Substrate, edges: [EdgePlace], entropy: [UInt8]
    ) {
      self.name = name
      self.genesis = genesis
      self.organisation = organisation
      self.key = key
      self.validators = validators
      self.contracts = contracts
      self.substrate = substrate
      self.edges = edges
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

  /// One activation of this operator's contracts, from its order to its end. Each case holds what is known then.
  struct Job: Sendable {
    let order: ActivationOrder
    let terms: ContractTerms
    /// How often a confirmation came too late for its own start and was made anew.
    var attempts = 0
    var stage: Stage
  }

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
  }

  /// Names of timers.
  enum Purpose {
    static let job: UInt16 = 2
    static let deploy: UInt16 = 3
  }

  /// Streams of durable records besides ``SliceRecord/stream``.
  enum Stream {
    /// Signed ConfirmSlice envelopes by reservation: after a crash the very same bytes are sent again.
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
    let references = rules.filter { $0.metric == .lossRatio && $0.comparison == .atMost }.map { $0.reference + $0.tolerance }
    return UInt32(clamping: references.min() ?? 1_000_000_000)
  }

  /// From the start of epoch 0 to when the last packet may still be under way.
  func serviceSpan(epochs: UInt64) -> Span { metering.epoch * Int64(clamping: epochs) + metering.grace }
}
