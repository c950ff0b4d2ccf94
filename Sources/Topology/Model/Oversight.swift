import Messages

extension Topology {
  /// Something that a regulator is told to order. It takes effect when as many regulators as the network asks for are
  /// told the same, with the same reason.
  public struct Measure: Hashable, Sendable {
    public enum Kind: String, Sendable, CaseIterable {
      /// The contract takes no new activations.
      case suspendContract
      /// Lifts that.
      case restoreContract
      /// No money of a customer's first activation moves for so long; after the end of service.
      case freezeSettlement
      /// The operator must answer for a customer's first activation.
      case openAudit

      public var isOfContract: Bool { self == .suspendContract || self == .restoreContract }
    }

    public var kind: Kind
    /// Offset from the network's start.
    public var at: Span
    public var reason: String
    /// For what is done to a contract.
    public var contract: ContractReference?
    /// For what is done to an activation: who pays for it.
    public var customer: String?
    /// Of a freeze.
    public var length: Span?

    public init(
      kind: Kind, at: Span, reason: String, contract: ContractReference? = nil, customer: String? = nil,
      length: Span? = nil
    ) {
      self.kind = kind
      self.at = at
      self.reason = reason
      self.contract = contract
      self.customer = customer
      self.length = length
    }
  }
}
