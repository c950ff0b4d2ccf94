import Ledger
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

extension ConsortiumSummary {
  /// - Parameter progress: what customers say of their plans, each in the order of the file.
  init(
    _ topology: Topology, _ genesis: Genesis, _ auditor: LedgerAuditor?,
    _ progress: [(customer: String, plans: [PlanProgress])]
  ) async {
    var activations: [ActivationSummary] = []
    for customer in topology.customers {
      let plans = progress.first { $0.customer == customer.name }?.plans ?? []
      for (index, planned) in customer.activations.enumerated() {
        let plan = index < plans.count ? plans[index] : .unknown
        activations.append(
          ActivationSummary(
            label: planned.name, customer: customer.name, contract: planned.contract, id: plan.activation,
            outcome: await ActivationSummary.Outcome(plan, auditor)))
      }
    }
    let issued = genesis.organisations.reduce(UInt128(0)) { $0 + UInt128($1.credit) }
    self.init(
      activations: activations, height: await auditor?.height ?? 0,
      isConserved: await auditor?.isConserved(issued: issued) ?? true, discrepancy: await auditor?.discrepancy)
  }
}

extension ActivationSummary.Outcome {
  /// The ledger's word on a plan, once there is one; until then the customer's.
  init(_ plan: PlanProgress, _ auditor: LedgerAuditor?) async {
    if let refusal = plan.refusal {
      self = .refused(refusal)
      return
    }
    guard let id = plan.activation, let record = await auditor?.record(of: id) else {
      self = .underWay(plan.stage)
      return
    }
    let change = record.change
    let settled = record.settlement?.record
    self = .ended(
      ActivationResult(
        state: change.state, statusInfo: change.statusInfo, settlement: change.settlement,
        epochs: settled?.epochCounters ?? EpochCounters(), rules: settled?.ruleCounters ?? [], money: change.money))
  }
}

extension PlanProgress {
  /// Of a customer that has not said anything yet.
  static var unknown: PlanProgress { PlanProgress(activation: nil, stage: "not heard of", refusal: nil) }
}
