import Messages
import Topology

/// Whether every planned activation is over, asked after every change, of which thousands of customers make many. So it
/// goes on with the first customer that was not done, and looks no further than the first that is not. Before it says
/// yes it asks everybody once more: what a customer had given up may have stood on the ledger after all.
struct SettlementWatch {
  /// With something planned, in file order.
  private let customers: [Topology.Customer]
  /// How many of them were done when they were last asked.
  private var done = 0

  /// - Parameter customers: those whose plans are waited for.
  init(_ customers: [Topology.Customer]) { self.customers = customers.filter { !$0.activations.isEmpty } }

  /// - Parameter plans: what a customer says of its plan, in the order of the file; fewer, while it has not said all.
  mutating func isSettled(
    _ auditor: LedgerAuditor, plans: @Sendable (_ customer: String) async -> [PlanProgress]
  ) async -> Bool {
    guard await goOn(auditor, plans) else { return false }
    done = 0
    return await goOn(auditor, plans)
  }

  private mutating func goOn(
    _ auditor: LedgerAuditor, _ plans: @Sendable (String) async -> [PlanProgress]
  ) async -> Bool {
    while done < customers.count {
      let told = await plans(customers[done].name)
      guard told.count >= customers[done].activations.count else { return false }
      for plan in told where !(await plan.isOver(auditor)) { return false }
      done += 1
    }
    return true
  }
}
