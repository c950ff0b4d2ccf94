import Messages

extension Topology {
  public struct Customer: Hashable, Sendable {
    public var name: String
    /// Balance in the genesis; escrows come out of it.
    public var credit: Amount
    public var enclaves: [Enclave]
    public var activations: [Activation]

    public init(name: String, credit: Amount, enclaves: [Enclave], activations: [Activation]) {
      self.name = name
      self.credit = credit
      self.enclaves = enclaves
      self.activations = activations
    }
  }

  /// A customer's trusted end of the metered path; a process of its own.
  public struct Enclave: Hashable, Sendable {
    public var name: String
    public var measurement: Measurement

    public init(name: String, measurement: Measurement = .auto) {
      self.name = name
      self.measurement = measurement
    }
  }

  /// One order that the scenario places, and what should come of it.
  public struct Activation: Hashable, Sendable {
    /// Among people only; the ledger's id is the hash of the order.
    public var name: String
    public var contract: ContractReference
    /// When the order is placed, counted from the scenario's start; never before its contract is deployed and its
    /// enclave registered.
    public var at: Span
    public var epochs: UInt64
    public var cell: String
    public var peer: String
    public var enclave: String
    /// Latest start, counted from the order.
    public var startWithin: Span
    /// What the customer's application sends, and what the peer's sends back.
    public var up: Traffic
    public var down: Traffic
    public var expectation: Expectation?

    public init(
      name: String, contract: ContractReference, at: Span, epochs: UInt64, cell: String, peer: String, enclave: String,
      startWithin: Span, up: Traffic, down: Traffic, expectation: Expectation? = nil
    ) {
      self.name = name
      self.contract = contract
      self.at = at
      self.epochs = epochs
      self.cell = cell
      self.peer = peer
      self.enclave = enclave
      self.startWithin = startWithin
      self.up = up
      self.down = down
      self.expectation = expectation
    }

    public func traffic(_ direction: Direction) -> Traffic { direction == .up ? up : down }
  }
}

extension Topology {
  public typealias Traffic = Messages.Traffic
}

extension Traffic {
  /// Whole datagrams on the wire, UDP and IP headers not counted.
  public var bitsPerSecond: UInt64 { packetsPerSecond * payloadBytes * 8 }
}
