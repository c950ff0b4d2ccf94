import Effects
import Messages
import Metering
import Signing
import Slicing

extension ControllerCore {
  /// One activation of this operator's contracts, from its order to its end.
  struct Job: Sendable {
    /// Names its timer.
    let number: UInt64
    let order: ActivationOrder
    /// Of the first booking; metering and deadlines are those of every segment.
    let terms: ContractTerms
    /// Whose agreements count.
    let payer: PublicKey
    /// What the payer could know when it ordered: what it is bound by.
    let maintenance: [TimeWindow]

    /// At most one slice is on its way to the ledger.
    var stitching: Stitching?
    /// RESERVED is FINAL.
    var service: Service?
    /// What the ledger is asked.
    var errands: [Errand] = []
    /// Slices whose transaction is kept, ascending: those in force, and those before whose edges serve on.
    var slices: [KeptSlice] = []

    /// Epochs it will have had: as booked, or fewer after a Terminate.
    var epochs: UInt64
    /// When service ends, in block time; known once RESERVED is FINAL.
    var endsAt: Instant?
    /// Ended before its duration was over, by a Terminate or a lost demand.
    var isCutShort = false
    /// Accepted, and where it begins follows in the same block.
    var amended: SegmentOrder?
    /// How often a confirmation was refused or came too late and was made anew.
    var attempts = 0
    /// It is not decided, and no question is asked, before this.
    var notBefore = Instant.zero
    /// The question to the anchor edge that is open: one at a time.
    var question: RequestID?
    var questionBackoff = Backoff()

    /// CLOSING is on the ledger.
    var isClosing = false
    /// This operator has said there what it has to say.
    var hasPosted = false
    /// Between settlements that the ledger refuses.
    var settlementBackoff = Backoff()
    /// The ledger refused an agreement of both: this operator settles alone.
    var agreementRefused = false
    var demands = Demands()

    init(
      number: UInt64, order: ActivationOrder, terms: ContractTerms, payer: PublicKey, maintenance: [TimeWindow]
    ) {
      self.number = number
      self.order = order
      self.terms = terms
      self.payer = payer
      self.maintenance = maintenance
      epochs = order.epochs
    }

    func errand(_ purpose: Errand.Purpose) -> Errand? { errands.first { $0.purpose == purpose } }

    /// When epoch `epoch` begins, once it is known.
    func start(of epoch: EpochNumber) -> Instant? {
      (service?.confirmation.startAt).map { $0 + terms.metering.epoch * Int64(clamping: epoch) }
    }

    /// When the last packet may still be under way.
    var end: Instant? { endsAt.map { $0 + terms.metering.grace } }
  }

  /// A slice and the transaction that takes, or took, it to the ledger.
  struct KeptSlice: Sendable {
    var slice: SliceRecord
    let carrier: SignedTransaction
  }

  // MARK: Stitching

  /// A slice between its hold and the ledger's answer: every domain allocates its part, a new edge opens the service,
  /// then the transaction is sent. Whatever fails undoes all of it.
  struct Stitching: Sendable {
    enum Phase: Sendable {
      /// Until every part has been acknowledged.
      case allocating
      /// Until the edge that a handover leads to takes packets: make before break.
      case opening
      case submitted
    }
    var slice: SliceRecord
    let goal: Goal
    var parts: [SubnetLine]
    var phase: Phase
    /// The edge that a handover leads to was given its order.
    var hasOpened = false
    /// Not sent by then, it is undone.
    let deadline: Instant
  }

  /// What the slice is for, as the ledger will know it.
  enum Goal: Hashable, Sendable {
    case start(SliceConfirmation)
    case handover(SliceHandover)
    case segment(SegmentOrder, from: EpochNumber, byCustomer: Envelope)
  }

  /// What one domain manager is asked until it answers.
  struct SubnetLine: Sendable {
    let order: SubnetOrder
    let address: ActorAddress
    var isDone = false
    var question: RequestID?
    var backoff = Backoff()
    var notBefore = Instant.zero
  }

  /// A slice that is gone here and not yet at every domain manager.
  struct Releasing: Sendable {
    var slice: SliceRecord
    var parts: [SubnetLine]
  }

  // MARK: Serving

  struct Service: Sendable {
    let confirmation: SliceConfirmation
    /// Segments and serving edges, as the ledger has them.
    var parties: AccountParties
    /// Handovers and amendments that are FINAL, in order.
    var updates: [BookingUpdate] = []
    let flow: UInt32
    /// One per edge, in the order in which they came into it.
    var lines: [EdgeLine] = []
    /// Slices that a later one replaces, and when the last packet has left them.
    var superseded: [(reservation: ReservationID, at: Instant)] = []
    /// Epochs the edges were told of.
    var epochsTold: UInt64
  }

  /// What one edge still has to be told about one activation, in order; each is repeated until it is acknowledged.
  struct EdgeLine: Sendable {
    let address: ActorAddress
    var ends: Set<FlowEnd>
    var duties: [Duty] = []
    /// Where it takes packets.
    var port: DataAddress?
    /// Routes it was told, or will be.
    var routes: [ServiceRoute] = []
    var question: RequestID?
    var backoff = Backoff()
    var notBefore = Instant.zero
  }

  enum Duty: Hashable, Sendable {
    case open(ServiceOrder)
    case route(ServiceRoute)
    case update(BookingUpdate)
    case end(epochs: UInt64)
    case settle(EpochSettling)
    /// The near enclave's signature, which the anchor may have waited for in vain: it stands on the ledger.
    case record(RecordSubmission)
  }

  /// An ended activation that some edges have not let go of yet.
  struct Closing: Sendable {
    let activation: ActivationID
    /// Asked one after the other.
    var edges: [ActorAddress]
    var backoff = Backoff()
  }

  // MARK: The ledger

  /// A transaction that the ledger has to answer. The same bytes are sent again until it does or they have expired.
  struct Errand: Sendable {
    enum Purpose: Hashable, Sendable {
      case carry(ReservationID)
      case reject
      case settle(agreed: Bool)
      case startService
      case demand(EpochNumber)
      case post(EpochNumber)
      case dispute
    }
    let purpose: Purpose
    let transaction: SignedTransaction
    /// How often it was sent.
    var sends = 0
    var notBefore = Instant.zero
  }

  /// What stands on the ledger to be answered by either side (sla.md: who is silent loses by a deadline).
  struct Demands: Sendable {
    var serviceDemanded = false
    /// By epoch.
    var open: [EpochNumber: OpenDemand] = [:]
    /// Once per epoch.
    var raised: Set<EpochNumber> = []
    /// Two statements of the customer's that cannot both be true: shown when CLOSING is open.
    var contradiction: (Envelope, Envelope)?
    /// The record that somebody else put into CLOSING, until it is compared with the edge's.
    var closing: SignedRecord?
    /// When it is looked again whether records still come.
    var nextLook: Instant?
    /// When the edge is asked again whether it has a record that answers.
    var nextProof: Instant?
    /// The ledger refused such a record: receipts are opened instead.
    var proofRefused = false
    /// The latest epoch whose signed record the anchor was given from the ledger.
    var shown: EpochNumber?
    /// Between attempts that the ledger refuses.
    var backoff = Backoff()
    /// Open demands of one activation at once.
    static let maximumOpen = 64
  }

  struct OpenDemand: Sendable {
    var byCustomer: Envelope?
    var byOperator = false
    var postedByCustomer: RecordPost?
    var postedByOperator: RecordPost?

    /// The side that is demanded of opens first, then the demander.
    var isOurTurn: Bool {
      postedByOperator == nil && (byCustomer != nil || (byOperator && postedByCustomer != nil))
    }
  }

  // MARK: Names

  /// Names of timers.
  enum Purpose {
    static let job: UInt16 = 2
    static let announce: UInt16 = 3
    /// By reservation.
    static let closing: UInt16 = 4
    /// By reservation.
    static let releasing: UInt16 = 5
  }

  /// Streams of durable records besides ``SliceRecord/stream``.
  enum Stream {
    /// The signed transaction that takes a slice to the ledger (ConfirmSlice, HandOver, Extend, Renegotiate), by
    /// reservation: after a crash the very same bytes are sent again. One outlives its slice until the edges it names
    /// have let the service go; then it is empty, and pruned with all before it.
    static let carriers: UInt16 = 0x0201
  }
}

extension Action {
  /// The activation and the edges that a slice's transaction names; nil for any other action.
  var carried: (activation: ActivationID, edges: [PublicKey])? {
    switch self {
    case .confirmSlice(let confirmation):
      (confirmation.activation, [confirmation.edge] + (confirmation.peerEdge.map { [$0] } ?? []))
    case .handOver(let handover): (handover.activation, [handover.edge])
    case .extend(_, let byOperator), .renegotiate(_, let byOperator):
      (try? byOperator.decode(SegmentOrder.self)).map { ($0.activation, []) }
    default: nil
    }
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
