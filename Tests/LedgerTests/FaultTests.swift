import Messages
import Signing
import Testing

@testable import Ledger

/// A state that contradicts itself (a bad disk, a defect) stops the node instead of paying by it.
@Suite struct FaultTests {
  private func expectFault(_ state: LedgerState, _ world: World, _ transactions: [SignedTransaction] = []) {
    do throws(ExecutionError) {
      _ = try state.executing(transactions, in: world.next())
      Issue.record("went on")
    } catch {
      guard case .fault = error else {
        Issue.record("\(error)")
        return
      }
    }
  }

  @Test func totalsThatAreNotConserved() throws {
    let world = try World()
    var state = world.state
    var totals = state.totals
    totals.balances += 1
    state.tree.set(LedgerKey.totals, .totals(totals))
    expectFault(state, world)
  }

  @Test func moneyLockedThatTheTotalsDoNotKnow() throws {
    var world = try World()
    let id = try world.request(try world.deploy())
    var state = world.state
    var totals = state.totals
    (totals.escrows, totals.balances) = (0, totals.issued)
    state.tree.set(LedgerKey.totals, .totals(totals))
    #expect(throws: LedgerFault.self) { try state.audit() }
    expectFault(state, world, [world.sign(.terminate(id), by: "hospital treasury")])
  }

  @Test func anEscrowThatIsNotTheContracts() throws {
    var world = try World()
    let id = try world.reserve(try world.deploy())
    var state = world.state
    let record = try #require(state.activation(id))
    let swollen = ActivationRecord(
      id: id, customer: record.customer, operatorID: record.operatorID, order: record.order,
      maintenance: record.maintenance,
      segments: record.segments.map {
        ActivationSegment(
          contract: $0.contract, first: $0.first, epochs: $0.epochs, escrow: $0.escrow + 1, bond: $0.bond)
      },
      phase: record.phase)
    state.tree.set(LedgerKey.activation(id), .activation(swollen))
    #expect(throws: LedgerFault.self) { try state.audit() }
    expectFault(state, world, [world.sign(.terminate(id), by: "hospital treasury")])
  }

  @Test func aBalanceChangedOnDisk() throws {
    let world = try World()
    var state = world.state
    var account = try #require(state.account(named: "hospital"))
    account.balance += 1
    state.store(account)
    #expect(throws: LedgerFault.self) { try state.audit() }
  }

  @Test func indexesThatDoNotMatch() throws {
    var world = try World()
    let id = try world.request(try world.deploy())
    var missing = world.state
    let deadline = try #require(missing.activation(id)?.deadline)
    missing.tree.remove(LedgerKey.deadline(deadline, of: LedgerKey.activation(id)))
    #expect(throws: LedgerFault.self) { try missing.audit() }
    var dangling = world.state
    dangling.tree.set(LedgerKey.deadline(.zero, of: [0x40]), .index)
    #expect(throws: LedgerFault.self) { try dangling.audit() }
    expectFault(dangling, world)
  }
}

extension LedgerState {
  fileprivate mutating func store(_ account: AccountRecord) {
    tree.set(LedgerKey.account(account.id), .account(account))
  }
}
