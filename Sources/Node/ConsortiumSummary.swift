import Messages
import Topology

/// What came of a scenario, as one process that executed the whole ledger again tells it.
public struct ConsortiumSummary: Sendable {
  /// In the order of the topology file.
  public var activations: [ActivationSummary]
  /// Height of the last final block that was checked.
  public var height: Height
  /// Everything of the genesis' credit, and nothing else, is in balances, escrows and bonds: counted again from every
  /// record of the state, not taken from the ledger's own totals.
  public var isConserved: Bool
  /// What was found wrong with the ledger, if anything; then nothing after it was looked at.
  public var discrepancy: String?

  public init(activations: [ActivationSummary], height: Height, isConserved: Bool, discrepancy: String?) {
    self.activations = activations
    self.height = height
    self.isConserved = isConserved
    self.discrepancy = discrepancy
  }

  /// Every activation has come to its end, and the ledger's word on it was checked.
  public var isSettled: Bool { activations.allSatisfy { $0.outcome.isOver } }
}

/// One planned activation and how far it has come.
public struct ActivationSummary: Sendable {
  /// The topology's name for it.
  public var label: String
  public var customer: String
  public var contract: Topology.ContractReference
  /// Nil before it was ordered.
  public var id: ActivationID?
  public var outcome: Outcome

  public enum Outcome: Sendable {
    /// Not over yet; the text is the customer's stage, for people.
    case underWay(String)
    /// Refused before anything was locked: never an activation of the ledger.
    case refused(String)
    /// A final state, with counters from the record that settled it.
    case ended(ActivationResult)

    public var isOver: Bool {
      switch self {
      case .underWay: false
      case .refused, .ended: true
      }
    }
  }

  public init(
    label: String, customer: String, contract: Topology.ContractReference, id: ActivationID?, outcome: Outcome
  ) {
    self.label = label
    self.customer = customer
    self.contract = contract
    self.id = id
    self.outcome = outcome
  }

  public var result: ActivationResult? { if case .ended(let result) = outcome { result } else { nil } }
}
