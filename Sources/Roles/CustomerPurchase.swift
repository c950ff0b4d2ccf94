import Effects
import Messages
import Signing

extension CustomerCore {
  /// What this customer does in an activation: pay for it, or take part in another customer's.
  enum Part: Sendable {
    case payer(PlannedActivation)
    case guest(AcceptedFlow)
  }

  /// Where an activation stands. Each case holds only what is known then.
  enum Stage: Sendable {
    /// Not asked for yet, or waiting for its contract to be deployed or its enclave to be registered.
    case planned
    /// The offers on the ledger are being read.
    case choosing(OfferReading)
    /// The other customer is asked to take part.
    case inviting(Invitation)
    /// The order is durable and on its way; sent again until it stands on the ledger or its latest start has passed.
    case ordered(ActivationID)
    /// A guest's consent is durable and given; whether it is used is the payer's business.
    case consented(FlowInvitation)
    /// REQUESTED is FINAL.
    case requested(ActivationID)
    /// RESERVED is FINAL; the enclave has not accepted its session yet.
    case opening(Service)
    /// The enclave works; application data flows between start and end.
    case serving(Service)
    /// The last record is signed; the agreement is at the operator's controller.
    case settling(Service, SettlementAgreement, SignedRecord?)
    /// A final state on the ledger.
    case ended(ActivationChange)
    /// Not on the ledger: nothing was locked. What the ledger says later still counts.
    case refused(String)
  }

  /// The order as far as the payer can fill it in, and the nonce of the transaction that will carry it.
  /// Durable: a payer that forgot which it asked for would ask for two.
  struct Invitation: Sendable {
    let draft: ActivationOrder
    /// Of the order's transaction, with its expiry: the consent names both.
    let nonce: UInt64
    let expiry: Height
    let terms: ContractTerms
    let far: PlannedFarEnd
  }

  /// What was ordered.
  struct Booking: Sendable {
    let terms: ContractTerms
    let order: ActivationOrder
    /// The signed order, kept for sending again; nil at a guest.
    let envelope: Envelope?
  }

  /// A confirmed activation, as the ledger has it.
  struct Service: Sendable {
    let activation: ActivationID
    let end: FlowEnd
    let terms: ContractTerms
    let order: ActivationOrder
    let confirmation: SliceConfirmation

    /// The edge that serves this end at first.
    var edge: PublicKey? { end == .near ? confirmation.edge : confirmation.peerEdge }

    /// When an epoch begins.
    func start(of epoch: EpochNumber) -> Instant {
      confirmation.startAt + terms.metering.epoch * Int64(clamping: epoch)
    }

    /// The first epoch that begins at or after an instant.
    func firstEpoch(from instant: Instant) -> EpochNumber {
      let (span, epoch) = ((instant - confirmation.startAt).nanoseconds, terms.metering.epoch.nanoseconds)
      return span <= 0 ? 0 : EpochNumber((span + epoch - 1) / epoch)
    }

    /// When the last packet of that many epochs may still be under way.
    func end(epochs: UInt64) -> Instant { confirmation.startAt + terms.serviceSpan(epochs: epochs) }
  }

  /// One activation and how far it has come.
  struct Purchase: Sendable {
    let part: Part
    var stage = Stage.planned
    var booking: Booking?
    /// Announced before it was ordered: binds it.
    var maintenance: [TimeWindow] = []
    /// Epochs it will have had once it is ordered: as booked, fewer after a Terminate, more after an Extend.
    var epochs: UInt64 = 0
    /// Epochs the enclave knows of.
    var epochsAtEnclave: UInt64 = 0
    /// Application packets sent so far.
    var packetsSent: UInt64 = 0
    /// Packets to somebody whom the contract does not allow, so far.
    var strayPacketsSent: UInt64 = 0
    /// The open question of the stage: one at a time. It has a deadline, so an answer always comes.
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
    /// What is to be done besides.
    var errands: [ErrandState] = []
    /// What the ledger changed about the booking, in its order.
    var amended = Amended()
    /// Demands on the ledger.
    var demands = Demands()

    init(part: Part) { self.part = part }

    var activation: ActivationID? {
      switch stage {
      case .planned, .choosing, .inviting, .consented: nil
      case .refused: booking?.envelope.map { ActivationID($0.digest) }
      case .ordered(let id), .requested(let id): id
      case .opening(let service), .serving(let service), .settling(let service, _, _): service.activation
      case .ended(let change): change.activation
      }
    }

    var service: Service? {
      switch stage {
      case .opening(let service), .serving(let service), .settling(let service, _, _): service
      case .planned, .choosing, .inviting, .ordered, .consented, .requested, .ended, .refused: nil
      }
    }

    /// How long each step of a settlement waits for others. Three of them leave time before `settleBy`.
    func patience(_ terms: ContractTerms) -> Span {
      min(CustomerCore.settlementPatience, terms.deadlines.settleWithin / 4)
    }
  }

  /// What handovers and segments made of a booking.
  struct Amended: Sendable {
    /// To tell the enclave, in the ledger's order; at most ``ActivationLimits/handovers`` and
    /// ``ActivationLimits/segments`` of them.
    var updates: [BookingUpdate] = []
    /// Handovers of this customer's own end.
    var moves = 0
    /// Segments after the first.
    var segments: UInt64 = 0
    /// Terms and plan now in force; nil: the first.
    var terms: ContractTerms?
    var plan: Digest?
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

extension CustomerCore.Part {
  var label: String {
    switch self {
    case .payer(let plan): plan.label
    case .guest(let flow): flow.label
    }
  }

  var end: FlowEnd {
    switch self {
    case .payer: .near
    case .guest: .far
    }
  }

  var enclave: String {
    switch self {
    case .payer(let plan): plan.enclave
    case .guest(let flow): flow.enclave
    }
  }

  /// The enclave at the other end, if there is one.
  var peerEnclave: ActorAddress? {
    switch self {
    case .payer(let plan): plan.far?.enclave
    case .guest(let flow): flow.nearEnclave
    }
  }

  /// What this customer's own application sends.
  var sending: Traffic {
    switch self {
    case .payer(let plan): plan.up
    case .guest(let flow): flow.traffic
    }
  }

  /// What it sends to somebody whom the contract does not allow.
  var straying: Traffic {
    switch self {
    case .payer(let plan): plan.stray
    case .guest: .silent
    }
  }

  /// What the operator's endpoint is to send back.
  var returning: Traffic {
    switch self {
    case .payer(let plan): plan.far == nil ? plan.down : .silent
    case .guest: .silent
    }
  }

  var moves: [PlannedMove] {
    switch self {
    case .payer(let plan): plan.moves
    case .guest(let flow): flow.moves
    }
  }

  /// What is planned to change; a guest changes nothing.
  var amendments: [PlannedAmendment] {
    switch self {
    case .payer(let plan): plan.amendments
    case .guest: []
    }
  }

  var isPayer: Bool { end == .near }

  /// Terms under that id that this customer knows from its own plan.
  func terms(of contract: ContractID) -> ContractTerms? {
    switch self {
    case .payer(let plan):
      for amendment in plan.amendments {
        if case .renegotiate(let terms) = amendment.change, terms.id == contract { return terms }
      }
      if case .contract(let terms) = plan.offer, terms.id == contract { return terms }
      return nil
    case .guest(let flow): return flow.contracts.first { $0.id == contract }
    }
  }
}
