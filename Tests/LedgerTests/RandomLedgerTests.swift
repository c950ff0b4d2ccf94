import FixtureSupport
import Ledger
import Messages
import Signing
import Testing

/// S10–S12 of consensus.md under sequences nobody thought of.
@Suite struct RandomLedgerTests {
  /// After every block all money is counted again (``World/block(_:after:leader:)``).
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func moneyIsConservedAndRootsAreDetermined(seed: UInt64) throws {
    let first = try Self.run(seed: seed)
    let second = try Self.run(seed: seed)
    #expect(first.roots == second.roots, "seed \(seed)")
    // A run in which nothing ever works would prove nothing.
    #expect(first.accepted > 100, "seed \(seed)")
    #expect(first.world.archive.count > 10, "seed \(seed)")
    #expect(first.amended > 0, "seed \(seed)")
    #expect(first.world.state.archive.count == UInt64(first.world.archive.count))
  }

  /// Each activation ends once, its states only ever go forward, and what is divided is what was locked.
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
      #expect(archived.record.statusInfo != nil)
    }
  }

  /// What is refused leaves the state as an empty block would, but for its nonce.
  @Test(arguments: [21, 22, 23] as [UInt64])
  func refusalsLeaveNothingBehind(seed: UInt64) throws {
    var refused = 0
    let run = try Self.run(seed: seed, blocks: 60) { world, transaction, context in
      let executed = try world.state.executing([transaction], in: context)
      guard executed.outcomes.results != [.accepted] else { return }
      refused += 1
      let empty = try world.state.executing([], in: context)
      #expect(Self.lasting(executed.state) == Self.lasting(empty.state), "seed \(seed): \(transaction.transaction)")
      #expect(executed.outcomes.events == empty.outcomes.events, "seed \(seed)")
    }
    #expect(refused > 20, "seed \(seed)")
    #expect(run.accepted > 0, "seed \(seed)")
  }

  /// All records but those of used nonces.
  private static func lasting(_ state: LedgerState) -> [[UInt8]] {
    var records: [[UInt8]] = []
    state.tree.forEach(from: [], before: [0xFF]) { key, record in
      if key[0] != 0x50, key[0] != 0x51 { records.append(key + record.encoded) }
      return true
    }
    return records
  }

  private struct Run {
    var world: World
    var roots: [Digest] = []
    var accepted = 0
    var amended = 0
    var changes: [ActivationChange] = []
  }

  /// - Parameter probe: is shown each selected transaction on the state before its block.
  private static func run(
    seed: UInt64, blocks: Int = 150,
    probe: (World, SignedTransaction, BlockContext) throws -> Void = { _, _, _ in }
  ) throws -> Run {
    var parameters = NetworkParameters.standard
    parameters.expiriesPerBlock = 3
    // Little money, so that balances run short now and then.
    var run = Run(world: try World(parameters: parameters, credit: 4_000))
    let contracts = [try run.world.deploy(), try run.world.deployDearer()]
    try run.world.registerPeer()
    var actions = RandomActions(contracts: contracts, seed: seed)
    for _ in 0..<blocks {
      var transactions: [SignedTransaction] = []
      for _ in 0..<actions.number(0...6) { transactions.append(try actions.next(&run.world)) }
      // Mostly the pace of a live ledger, sometimes an outage.
      let outage = actions.happens(oneIn: 20)
      let span = Span.milliseconds(outage ? 30_000 : Int64(actions.number(1...1_500)))
      let leader = Int(actions.number(0...3))
      let selected = run.world.state.select(from: transactions)
      for transaction in selected { try probe(run.world, transaction, run.world.next(after: span, leader: leader)) }
      let results = try run.world.block(selected, after: span, leader: leader)
      run.accepted += results.count { $0 == .accepted }
      run.amended += zip(selected, results).count { $0.transaction.action.isAmendment && $1 == .accepted }
      run.roots.append(run.world.state.root)
      run.changes += run.world.last?.outcomes.events.compactMap(\.change) ?? []
    }
    return run
  }
}

extension Action {
  fileprivate var isAmendment: Bool {
    switch self {
    case .extend, .renegotiate, .handOver: true
    default: false
    }
  }
}
