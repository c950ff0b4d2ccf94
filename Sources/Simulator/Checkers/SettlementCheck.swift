import Assembly
import Ledger
import Messages
import Topology

/// What may be said of every activation that ended, whatever went wrong on the way:
///
/// - M1: it ended once.
/// - M2: escrow and bond of every segment are what its contract says, and were divided without rest.
/// - M3: nobody who answers loses a demand. Whoever a topology lets cheat, or a fault takes away, may.
struct SettlementCheck {
  private let deployment: Deployment
  /// Organisations that may lose a demand.
  private let excused: Set<OrganisationID>
  private let now: Instant
  private(set) var violations: [Violation] = []

  /// - Parameters:
  ///   - faults: of the simulated world.
  ///   - ended: as the ledger archived them.
  init(_ deployment: Deployment, faults: [Fault], ended: [ActivationRecord], at now: Instant) {
    self.deployment = deployment
    self.now = now
    let patterns = faults.flatMap(\.patterns)
    let struck = deployment.topology.actors.filter { actor in patterns.contains { $0.fits(actor) } }
    let absent = deployment.topology.behaviours.map(\.actor) + struck
    excused = Set(absent.compactMap { deployment.organisation(of: $0) })
    var seen: Set<ActivationID> = []
    for record in ended {
      if !seen.insert(record.id).inserted { report(.endsOnce, "\(record.id.short) ended twice") }
      checkMoney(record)
      checkDemands(record)
    }
  }

  private mutating func checkMoney(_ record: ActivationRecord) {
    guard let settlement = record.settlement else { return }
    let accounts = settlement.record?.segments ?? []
    do throws(PayoutError) {
      var segments: [PayoutSegment] = []
      for (index, segment) in record.segments.enumerated() {
        guard let terms = deployment.terms(segment.contract) else {
          return report(.money, "\(record.id.short) was settled by a contract that nobody offers")
        }
        segments.append(
          PayoutSegment(
            terms: terms, bookedEpochs: segment.epochs, account: index < accounts.count ? accounts[index] : nil))
        let (escrow, bond) = (try terms.escrow(epochs: segment.epochs), try terms.bond(epochs: segment.epochs))
        if escrow != segment.escrow || bond != segment.bond {
          report(.money, "segment \(index) of \(record.id.short) locked \(segment.escrow) and \(segment.bond)")
        }
      }
      let whole = try Payout(settling: segments, cause: .completed)
      if settlement.paid + settlement.refunded != whole.escrow
        || settlement.penalty + settlement.bondReturned != whole.bond
      {
        report(.money, "\(record.id.short) gave away \(settlement) of \(whole.escrow) and \(whole.bond)")
      }
    } catch {
      report(.money, "\(record.id.short) cannot be settled: \(error)")
    }
  }

  private mutating func checkDemands(_ record: ActivationRecord) {
    let loser: OrganisationID? =
      switch record.statusInfo {
      case .receiptWithheld: record.customer
      case .serviceWithheld, .networkTerminated: record.operatorID
      default: nil
      }
    // The payer answers for both enclaves, so a far end that is excused excuses it.
    let farEnds = record.order.enclaves.count == 2 ? deployment.organisation(named: record.order.peer) : nil
    guard let loser, !excused.contains(loser), farEnds.map(excused.contains) != true else { return }
    report(
      .answersCount, "\(record.id.short) ended with \(record.statusInfo?.name ?? "nothing"), and everybody was there")
  }

  private mutating func report(_ rule: Check, _ text: String) {
    guard violations.count < Violations.maximum else { return }
    violations.append(Violation(rule, text, at: now))
  }
}

extension Deployment {
  fileprivate func terms(_ id: ContractID) -> ContractTerms? { contracts.first { $0.terms.id == id }?.terms }

  fileprivate func organisation(named name: String) -> OrganisationID? {
    genesis.organisations.first { $0.name == name }?.id
  }

  /// Whose actor it is.
  fileprivate func organisation(of actor: ActorAddress) -> OrganisationID? {
    switch actor.role {
    case .validator, .regulator, .controller, .customer: organisation(named: actor.name)
    case .edge:
      topology.operators.first { $0.edges.contains { $0.name == actor.name } }.flatMap { organisation(named: $0.name) }
    case .domain:
      topology.operators.first { owner in owner.domains.contains { owner.managerName(of: $0) == actor.name } }
        .flatMap { organisation(named: $0.name) }
    case .enclave, .platform:
      topology.customers.first { $0.enclaves.contains { $0.name == actor.name } }
        .flatMap { organisation(named: $0.name) }
    case .contract, .client: nil
    }
  }
}
