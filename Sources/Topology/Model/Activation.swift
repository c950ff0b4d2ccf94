import Messages

extension Topology {
  /// One order that the scenario places, and what should come of it.
  public struct Activation: Hashable, Sendable {
    /// Among people only; the ledger's id is the hash of the order.
    public var name: String
    public var offer: OfferChoice
    /// When the order is placed, counted from the scenario's start; never before its contract is deployed and its
    /// enclave registered.
    public var at: Span
    /// To book; 0 when the contract is chosen while it runs, see ``epochs(under:)``.
    public var epochs: UInt64
    public var cell: String
    /// An endpoint of the operator, or another customer, which lists the activation in ``Customer/accepts``.
    public var peer: String
    public var enclave: String
    /// Earliest start, counted from the order; more than zero books in advance (CAMARA QoS Booking).
    public var startIn: Span
    /// Latest start, counted from the order.
    public var startWithin: Span
    /// What the customer's application sends, and what the operator-side endpoint's sends back. What another customer
    /// sends is its own affair: ``Acceptance/traffic``.
    public var up: Traffic
    public var down: Traffic
    /// Sent to nobody whom the contract allows; the edge drops and counts it.
    public var stray: Traffic
    /// Of this customer's end, in order of time.
    public var moves: [Move]
    /// In order of time.
    public var amendments: [Amendment]
    /// The customer gives it up after so many epochs.
    public var terminateAfter: UInt64?
    public var expectation: Expectation?

    public init(
      name: String, offer: OfferChoice, at: Span, epochs: UInt64, cell: String, peer: String, enclave: String,
      startIn: Span = .zero, startWithin: Span, up: Traffic, down: Traffic, stray: Traffic = .silent,
      moves: [Move] = [], amendments: [Amendment] = [], terminateAfter: UInt64? = nil, expectation: Expectation? = nil
    ) {
      self.name = name
      self.offer = offer
      self.at = at
      self.epochs = epochs
      self.cell = cell
      self.peer = peer
      self.enclave = enclave
      self.startIn = startIn
      self.startWithin = startWithin
      self.up = up
      self.down = down
      self.stray = stray
      self.moves = moves
      self.amendments = amendments
      self.terminateAfter = terminateAfter
      self.expectation = expectation
    }

    /// How many are booked if that contract is chosen: an epoch begun is booked whole.
    public func epochs(under contract: Contract) -> UInt64 {
      guard case .cheapest(let wish) = offer, contract.metering.epoch > .zero else { return epochs }
      let (whole, rest) = wish.duration.nanoseconds.quotientAndRemainder(
        dividingBy: contract.metering.epoch.nanoseconds)
      return UInt64(max(0, whole)) + (rest > 0 ? 1 : 0)
    }

    /// The contract that the file names; nil when the customer chooses while it runs.
    public var contract: ContractReference? {
      if case .contract(let reference) = offer { reference } else { nil }
    }

    public func traffic(_ direction: Direction) -> Traffic { direction == .up ? up : down }
  }

  /// Which contract is bought.
  public enum OfferChoice: Hashable, Sendable {
    case contract(ContractReference)
    /// The cheapest of all operators' offers that fits place, peer, length and time of the order, and this.
    case cheapest(OfferWish)
  }

  public struct OfferWish: Hashable, Sendable {
    /// ``ServiceTerms/profile``; any when nil.
    public var service: String?
    /// Guaranteed at least, bit/s.
    public var up: UInt64
    public var down: UInt64
    /// How long the service is needed; offers differ in the length of their epochs.
    public var duration: Span
    /// The whole booking costs at most this, reservation fee included; any when nil.
    public var maximumPrice: Amount?

    public init(
      service: String? = nil, up: UInt64 = 0, down: UInt64 = 0, duration: Span, maximumPrice: Amount? = nil
    ) {
      self.service = service
      self.up = up
      self.down = down
      self.duration = duration
      self.maximumPrice = maximumPrice
    }
  }

  /// An end of a flow goes to another cell.
  public struct Move: Hashable, Sendable {
    /// The controller is told when this epoch begins.
    public var epoch: UInt64
    public var cell: String

    public init(epoch: UInt64, cell: String) {
      self.epoch = epoch
      self.cell = cell
    }
  }

  /// A running activation is to go on differently: Extend and Renegotiate of sla.md's table.
  public struct Amendment: Hashable, Sendable {
    public enum Change: Hashable, Sendable {
      case extend
      /// Under another contract of the same operator.
      case renegotiate(ContractReference)
    }

    public var change: Change
    /// Proposed when this epoch begins.
    public var epoch: UInt64
    /// Of the new segment.
    public var epochs: UInt64

    public init(_ change: Change, at epoch: UInt64, epochs: UInt64) {
      self.change = change
      self.epoch = epoch
      self.epochs = epochs
    }
  }
}

extension Topology {
  public typealias Traffic = Messages.Traffic

  /// The activation of this name, and who places it.
  public func activation(named name: String) -> (customer: Customer, activation: Activation)? {
    for customer in customers {
      if let activation = customer.activations.first(where: { $0.name == name }) { return (customer, activation) }
    }
    return nil
  }

  /// The far end's consent, when the peer is another customer that gives it.
  public func acceptance(of activation: Activation) -> (customer: Customer, acceptance: Acceptance)? {
    guard let customer = customer(named: activation.peer),
      let acceptance = customer.accepts.first(where: { $0.activation == activation.name })
    else { return nil }
    return (customer, acceptance)
  }
}

extension Traffic {
  /// Whole datagrams on the wire, UDP and IP headers not counted.
  public var bitsPerSecond: UInt64 { packetsPerSecond * payloadBytes * 8 }
}
