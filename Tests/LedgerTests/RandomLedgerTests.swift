import FixtureSupport
import Ledger
import Messages
import Signing
import Testing

/// S10–S12 of consensus.md under sequences nobody thought of.
@Suite struct RandomLedgerTests {
  @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
  func moneyIsConservedAndRootsAreDetermined(seed: UInt64) throws {
    let first = try Self.run(seed: seed)
    let second = try Self.run(seed: seed)
    #expect(first.roots == second.roots, "seed \(seed)")
    // A run in which nothing ever works would prove nothing.
    #expect(first.accepted > 100, "seed \(seed)")
    #expect(first.world.archive.count > 10, "seed \(seed)")
    #expect(first.world.state.archive.count == UInt64(first.world.archive.count))
  }

  /// Each activation ends once, and its states only ever go forward.
  @Test(arguments: [11, 12, 13] as [UInt64])
  func lifecyclesAreLegal(seed: UInt64) throws {
    let run = try Self.run(seed: seed)
    var states: [ActivationID: ActivationState] = [:]
    for change in run.changes {
      let before = states[change.activation]
      switch (before, change.state) {
      case (nil, .requested), (.requested, .reserved), (.requested, .nullified), (.reserved, .reserved),
        (.reserved, .closing), (.reserved, .settled), (.closing, .closing), (.closing, .settled):
        break
      default:
        Issue.record("seed \(seed): \(change.activation) went from \(String(describing: before)) to \(change.state)")
      }
      states[change.activation] = change.state
    }
    for archived in run.world.archive {
      let money = archived.record.money
      #expect(money.paid + money.refunded == money.escrow)
      #expect(money.penalty <= money.bond)
    }
  }

  private struct Run {
    var world: World
    var roots: [Digest] = []
    var accepted = 0
    var changes: [ActivationChange] = []
  }

  private static func run(seed: UInt64) throws -> Run {
    var parameters = NetworkParameters.standard
    parameters.expiriesPerBlock = 3
    // Little money, so that balances run short now and then.
    var run = Run(world: try World(parameters: parameters, credit: 2_000))
    var random = SeededGenerator(seed: seed)
    let contract = try run.world.deploy()
    var ids: [ActivationID] = []
    for _ in 0..<150 {
      var transactions: [SignedTransaction] = []
      for _ in 0..<Int.random(in: 0...6, using: &random) {
        let (action, author) = try randomAction(&run.world, contract, ids, &random)
        let signed = run.world.sign(action, by: author)
        if case .activate = action { ids.append(ActivationID(signed.id)) }
        transactions.append(signed)
      }
      // Mostly the pace of a live ledger, sometimes an outage.
      let span = Span.milliseconds(
        Int64.random(in: 1...20, using: &random) == 1 ? 30_000 : Int64.random(in: 1...3_000, using: &random))
      let leader = Int.random(in: 0..<4, using: &random)
      let results = try run.world.block(run.world.state.select(from: transactions), after: span, leader: leader)
      run.accepted += results.count { $0 == .accepted }
      run.roots.append(run.world.state.root)
      for event in run.world.last?.outcomes.events ?? [] {
        if case .activationChanged(let change) = event { run.changes.append(change) }
      }
    }
    return run
  }

  private static func randomAction(
    _ world: inout World, _ contract: ContractID, _ ids: [ActivationID], _ random: inout SeededGenerator
  ) throws -> (Action, String) {
    let authors = [
      "hospital treasury", "hospital device", "platoon treasury", "operator-0 controller", "operator-1 controller",
      "operator-0 edge", "hospital", "operator-0",
    ]
    let stranger = authors.randomElement(using: &random) ?? "hospital"
    // Lately made ones are more often alive.
    guard let id = ids.suffix(8).randomElement(using: &random), Int.random(in: 0..<4, using: &random) > 0 else {
      return (.activate(world.order(contract, epochs: .random(in: 1...12, using: &random))), "hospital treasury")
    }
    let isStranger = Int.random(in: 0..<12, using: &random) == 0
    let customer = isStranger ? stranger : "hospital treasury"
    let provider = isStranger ? stranger : "operator-0 controller"
    let booked = world.state.activation(id)?.order.epochs ?? 10
    let met = UInt64.random(in: 1...12, using: &random)
    let record = try world.record(id, met: met, violated: .random(in: 0...3, using: &random), booked: max(booked, 15))
    switch Int.random(in: 0..<16, using: &random) {
    case 0...5:
      let lead = Span.milliseconds(Int64.random(in: 500...4_000, using: &random))
      return (.confirmSlice(world.confirmation(id, startIn: lead)), provider)
    case 6: return (.rejectSlice(SliceRejection(activation: id, reason: .delay, recommended: nil)), provider)
    case 7: return (.terminate(id), customer)
    case 8: return (.terminate(id), provider)
    case 9, 10: return (.settleByRecord(id, world.signed(record)), stranger)
    case 11: return (.settleByRecord(id, nil), Bool.random(using: &random) ? customer : provider)
    case 12: return (world.agreement(id, Bool.random(using: &random) ? record : nil), stranger)
    case 13:
      let amount = Amount.random(in: 0...300, using: &random)
      return (.transfer(to: World.organisation("hospital"), amount: amount), "platoon treasury")
    case 14:
      let status: ContractStatus = Bool.random(using: &random) ? .active : .inactive
      return (.setContractStatus(contract, Int.random(in: 0..<3, using: &random) == 0 ? status : .active), provider)
    default:
      let key = World.key("extra \(UInt8.random(in: 0...20, using: &random))").publicKey
      return (.enrol(Enrolment(key: key, role: KeyRole.allCases.randomElement(using: &random) ?? .edge)), stranger)
    }
  }
}
