import Assembly
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

  /// Every activation that somebody here planned has come to its end, and the ledger's word on it was checked.
  public var isSettled: Bool { activations.allSatisfy { $0.outcome.isOver } }
}

/// One planned activation and how far it has come.
public struct ActivationSummary: Sendable {
  /// The topology's name for it.
  public var label: String
  public var customer: String
  /// Nil while the customer, which may choose among offers, has not ordered.
  public var contract: Topology.ContractReference?
  /// Nil before it was ordered.
  public var id: ActivationID?
  public var outcome: Outcome

  public enum Outcome: Sendable {
    /// Not over yet; the text is the customer's stage, for people.
    case underWay(String)
    /// Refused before anything was locked: never an activation of the ledger.
    case refused(String)
    /// Of a customer whose node, named here, somebody else runs: only there is it known which activation of the ledger
    /// came of it, if any.
    case elsewhere(node: String)
    /// A final state, with counters from the record that settled it.
    case ended(ActivationResult)

    public var isOver: Bool {
      switch self {
      case .underWay: false
      case .refused, .ended, .elsewhere: true
      }
    }
  }

  public init(
    label: String, customer: String, contract: Topology.ContractReference?, id: ActivationID?, outcome: Outcome
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
  /// - Parameters:
  ///   - progress: what customers say of their plans, each in the order of the file.
  ///   - drops: what edges say; nil for an earlier life's activations, which nobody here has watched from the start.
  ///   - elsewhere: by customer: the node of each that somebody else runs.
  init(
    _ deployment: Deployment, _ auditor: LedgerAuditor?, _ progress: [(customer: String, plans: [PlanProgress])],
    _ drops: PolicyDrops?, elsewhere: [String: String] = [:]
  ) async {
    var activations: [ActivationSummary] = []
    for customer in deployment.topology.customers {
      let plans = progress.first { $0.customer == customer.name }?.plans ?? []
      for (index, planned) in customer.activations.enumerated() {
        let plan = index < plans.count ? plans[index] : .unknown
        let record = await plan.record(auditor)
        let result = record.map { deployment.result($0, droppedByPolicy: drops?.of($0.id)) }
        activations.append(
          ActivationSummary(
            label: planned.name, customer: customer.name,
            contract: planned.contract ?? result?.segments.first?.contract, id: plan.activation,
            outcome: elsewhere[customer.name].map { .elsewhere(node: $0) } ?? .init(plan, result)))
      }
    }
    let issued = deployment.genesis.organisations.reduce(UInt128(0)) { $0 + UInt128($1.credit) }
    self.init(
      activations: activations, height: await auditor?.height ?? 0,
      isConserved: await auditor?.isConserved(issued: issued) ?? true, discrepancy: await auditor?.discrepancy)
  }
}

extension ActivationSummary.Outcome {
  /// - Parameter result: the ledger's word on a plan, once there is one; until then the customer's counts.
  init(_ plan: PlanProgress, _ result: ActivationResult?) {
    if let refusal = plan.refusal {
      self = .refused(refusal)
    } else if let result {
      self = .ended(result)
    } else {
      self = .underWay(plan.stage)
    }
  }
}

extension PlanProgress {
  /// Of a customer that has not said anything yet.
  static var unknown: PlanProgress { PlanProgress(activation: nil, stage: "not heard of", refusal: nil) }

  func record(_ auditor: LedgerAuditor?) async -> ActivationRecord? {
    guard refusal == nil, let activation else { return nil }
    return await auditor?.record(of: activation)
  }

  func isOver(_ auditor: LedgerAuditor) async -> Bool {
    if refusal != nil { return true }
    return await record(auditor) != nil
  }
}
