import Effects
import Messages
import Signing

/// What a customer sets out to buy: one activation of a topology file.
public struct PlannedActivation: Sendable {
  /// The topology's name for it.
  public var label: String
  public var terms: ContractTerms
  /// When it is asked for, after the scenario's start.
  public var at: Span
  /// How long after asking the service may start at the latest.
  public var startWithin: Span
  public var epochs: UInt64
  public var cell: String
  public var peer: String
  /// Name of the enclave whose receipts count.
  public var enclave: String
  /// What the customer's application sends.
  public var up: Traffic
  /// What the peer's application sends back.
  public var down: Traffic

  public init(
    label: String, terms: ContractTerms, at: Span, startWithin: Span, epochs: UInt64, cell: String, peer: String,
    enclave: String, up: Traffic, down: Traffic
  ) {
    self.label = label
    self.terms = terms
    self.at = at
    self.startWithin = startWithin
    self.epochs = epochs
    self.cell = cell
    self.peer = peer
    self.enclave = enclave
    self.up = up
    self.down = down
  }
}

extension CustomerCore {
  public struct Configuration: Sendable {
    public var name: String
    public var genesis: Genesis
    public var treasuryKey: SigningKey
    /// Members to follow and to submit to, preferred first.
    public var validators: [ActorAddress]
    public var plan: [PlannedActivation]
    /// The controller of each operator.
    public var controllers: [OrganisationID: ActorAddress]
    /// Where the edge monitor of each enrolled edge key is reached.
    public var edges: [PublicKey: ActorAddress]
    /// The customer's own port for application data, and each enclave's.
    public var hostPort: DataAddress
    public var enclavePorts: [String: DataAddress]
    /// 32 bytes drawn anew for each life.
    public var entropy: [UInt8]

    public init(
      name: String, genesis: Genesis, treasuryKey: SigningKey, validators: [ActorAddress], plan: [PlannedActivation],
      controllers: [OrganisationID: ActorAddress], edges: [PublicKey: ActorAddress], hostPort: DataAddress,
      enclavePorts: [String: DataAddress], entropy: [UInt8]
    ) {
      self.name = name
      self.genesis = genesis
      self.treasuryKey = treasuryKey
      self.validators = validators
      self.plan = plan
      self.controllers = controllers
      self.edges = edges
      self.hostPort = hostPort
      self.enclavePorts = enclavePorts
      self.entropy = entropy
    }
  }

  /// Where a purchase stands. Each case holds only what is known then.
  enum Stage: Sendable {
    /// Not asked for yet, or waiting for its contract to be deployed or its enclave to be registered.
    case planned
    /// The order is durable and on its way; sent again until it stands on the ledger or its latest start has passed.
    case ordered(ActivationID)
    /// REQUESTED is FINAL.
    case requested(ActivationID)
    /// RESERVED is FINAL; the enclave has not accepted its session yet.
    case opening(ActivationID, SliceConfirmation)
    /// The enclave works; application data flows between start and end.
    case serving(ActivationID, SliceConfirmation)
    /// The last record is signed; the agreement is at the operator's controller.
    case settling(ActivationID, SettlementAgreement, SignedRecord?)
    /// A final state on the ledger.
    case ended(ActivationChange)
    /// Not on the ledger: nothing was locked. What the ledger says later still counts.
    case refused(String)

    var activation: ActivationID? {
      switch self {
      case .planned, .refused: nil
      case .ordered(let id), .requested(let id), .opening(let id, _), .serving(let id, _), .settling(let id, _, _): id
      case .ended(let change): change.activation
      }
    }

    var isOver: Bool {
      switch self {
      case .ended, .refused: true
      default: false
      }
    }
  }

  /// One planned activation and how far it has come.
  struct Purchase: Sendable {
    let plan: PlannedActivation
    var stage = Stage.planned
    var order: ActivationOrder?
    /// The signed order, kept for sending again.
    var envelope: Envelope?
    /// Epochs it will have had: as booked, or fewer after a Terminate.
    var epochs: UInt64
    /// Epochs the enclave knows of.
    var epochsAtEnclave: UInt64
    /// Application packets sent so far.
    var packetsSent: UInt64 = 0
    /// The open question: one at a time. It has a deadline, so an answer always comes.
    var question: RequestID?
    /// Nothing is sent again before this.
    var notBefore = Instant.zero
    /// How often what the stage asks for was asked in vain.
    var failures = 0
    var settlingSince: Instant?
    /// The settlement of this customer alone, until it stands in a block.
    var settlement: SignedTransaction?
    /// CLOSING is on the ledger.
    var isClosing = false
    /// This customer has said there what it has to say.
    var hasPosted = false

    init(plan: PlannedActivation) {
      self.plan = plan
      epochs = plan.epochs
      epochsAtEnclave = plan.epochs
    }

    var activation: ActivationID? { envelope.map { ActivationID($0.digest) } }

    /// When the last packet may still be under way.
    func end(_ confirmation: SliceConfirmation) -> Instant {
      confirmation.startAt + plan.terms.serviceSpan(epochs: epochs)
    }

    /// How long each step of a settlement waits for others. Three of them leave time before `settleBy`.
    var patience: Span { min(CustomerCore.settlementPatience, plan.terms.deadlines.settleWithin / 4) }
  }

  /// How far an enclave's registration has come.
  enum Registration: Sendable {
    case none
    case asking
    /// In this transaction, sent again until it stands in a block or has expired.
    case submitted(PublicKey, SignedTransaction)
    /// On the ledger until the instant `expires`.
    case registered(PublicKey, expires: Instant)
  }
}

extension CustomerCore.Stage {
  /// For people.
  var name: String {
    switch self {
    case .planned: "planned"
    case .ordered: "ordered"
    case .requested: "requested"
    case .opening: "opening"
    case .serving: "serving"
    case .settling: "settling"
    case .ended(let change): change.state.name
    case .refused(let reason): "refused: \(reason)"
    }
  }
}
