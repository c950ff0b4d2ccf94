import Ledger
import Messages
import Signing
import Testing

/// V7: a quorum rewrites history. Two chains of one network that both end in a finalization convict whoever signed
/// both: four operators and two regulators, n = 6, q = 4, so at least two.
struct ChainJudgeTests {
  /// A chain that grows view by view, signed by whom the story says.
  private struct Branch {
    var world: World
    var segments: [LedgerSegment] = []
    private var parent: (header: BlockHeader, hash: Digest, certificate: Certificate)?

    init() throws { world = try World(operators: 4, regulators: 2) }

    private func key(_ member: MemberIndex) -> SigningKey {
      World.key("\(world.genesis.members[Int(member)].name) validator")
    }

    func certificate(_ ballot: Ballot, by members: [MemberIndex]) -> Certificate {
      Certificate(
        ballot: ballot,
        votes: members.map { ($0, Vote(ballot, by: $0, with: key($0), network: world.genesis.networkID).signature) })
    }

    /// A block of this view, notarized or finalized by these members.
    mutating func append(
      view: View, skipping nullified: [Certificate] = [], by members: [MemberIndex], isFinal: Bool = true,
      after span: Span = .milliseconds(500)
    ) throws {
      let height = world.state.height + 1
      let leader = MemberIndex(view % 4)
      let context = BlockContext(
        era: 0, view: view, height: height, time: world.state.time + span, leader: Int(leader),
        parentHash: parent?.hash ?? world.genesis.networkID)
      let executed = try world.state.executing([], in: context)
      let body = BlockBody(transactions: [], outcomes: executed.outcomes)
      let header = BlockHeader(
        era: 0, view: view, parentView: parent?.header.view ?? 0, height: height, parentHash: context.parentHash,
        time: context.time, leader: leader, transactionsRoot: body.transactionsRoot, outcomesRoot: body.outcomesRoot,
        stateRoot: executed.state.root, parentCertificate: parent?.certificate, skipped: nullified)
      let block = Block(header: header, body: body)
      let hash = block.hash
      world.adopt(executed, tip: hash)
      let finalization = certificate(.finalize(header.proposition(hash: hash)), by: members)
      if isFinal { segments.append(LedgerSegment(blocks: pending + [block], finalization: finalization)) }
      pending = isFinal ? [] : pending + [block]
      let certified = isFinal ? finalization : certificate(.notarize(header.proposition(hash: hash)), by: members)
      parent = (header, hash, certified)
    }

    private var pending: [Block] = []
  }

  private func verdict(_ first: Branch, _ second: Branch) throws -> ChainJudge.Verdict {
    var judge = try ChainJudge(genesis: first.world.genesis)
    for segment in first.segments { try judge.take(segment, of: 0) }
    for segment in second.segments { try judge.take(segment, of: 1) }
    return judge.verdict()
  }

  private func trunk() throws -> Branch {
    var trunk = try Branch()
    try trunk.append(view: 1, by: [0, 1, 2, 3])
    try trunk.append(view: 2, by: [0, 1, 4, 5])
    return trunk
  }

  private func fork(_ verdict: ChainJudge.Verdict) throws -> ChainJudge.Fork {
    guard case .forked(let fork) = verdict else { throw Missing() }
    return fork
  }

  private struct Missing: Error {}

  @Test func aPrefixIsNoFork() throws {
    let trunk = try trunk()
    var longer = trunk
    try longer.append(view: 3, by: [0, 1, 2, 3])
    guard case .agree(through: 2) = try verdict(trunk, longer) else { return #expect(Bool(false)) }
  }

  @Test func twoFinalizationsOfOneView() throws {
    var (one, other) = (try trunk(), try trunk())
    try one.append(view: 3, by: [0, 1, 2, 3])
    try other.append(view: 3, by: [2, 3, 4, 5], after: .milliseconds(501))
    let fork = try fork(try verdict(one, other))
    #expect(fork.commonHeight == 2 && fork.atLeast == 2)
    #expect(fork.culprits.map(\.name) == ["operator-2", "operator-3"])
    #expect(fork.proofs.allSatisfy { $0.kind == .conflictingFinalize && $0.isContradiction })
  }

  @Test func aFinalizedViewThatTheOtherChainSkips() throws {
    var (one, other) = (try trunk(), try trunk())
    try one.append(view: 3, by: [0, 1, 2, 3])
    try one.append(view: 4, by: [0, 1, 2, 3])
    let nullified = other.certificate(.nullify(era: 0, view: 3), by: [0, 3, 4, 5])
    try other.append(view: 4, skipping: [nullified], by: [1, 2, 4, 5], after: .milliseconds(501))
    let fork = try fork(try verdict(one, other))
    // 0 and 3 nullified what they had finalized; 1 and 2 finalized two blocks of view 4.
    #expect(fork.culprits.map(\.name) == ["operator-0", "operator-1", "operator-2", "operator-3"])
    let kinds: [EvidenceKind] = [.nullifyFinalize, .conflictingFinalize, .conflictingFinalize, .nullifyFinalize]
    #expect(fork.proofs.map(\.kind) == kinds)
  }

  @Test func aBlockNotarizedWhereAnotherWasFinalized() throws {
    var (one, other) = (try trunk(), try trunk())
    try one.append(view: 3, by: [0, 1, 2, 3])
    try other.append(view: 3, by: [0, 1, 4, 5], isFinal: false, after: .milliseconds(501))
    try other.append(view: 4, by: [0, 1, 4, 5], after: .milliseconds(501))
    let fork = try fork(try verdict(one, other))
    #expect(fork.culprits.map(\.name) == ["operator-0", "operator-1"])
    #expect(fork.proofs.allSatisfy { $0.kind == .notarizeFinalize && $0.isContradiction })
  }

  @Test func aChainThatDoesNotVerifyConvictsNobody() throws {
    var forged = try trunk()
    try forged.append(view: 3, by: [0, 1, 2])
    var judge = try ChainJudge(genesis: forged.world.genesis)
    for segment in forged.segments.dropLast() { try judge.take(segment, of: 0) }
    let last = try #require(forged.segments.last)
    #expect(throws: LedgerDiscrepancy.self) { try judge.take(last, of: 0) }
    #expect(judge.height(of: 0) == 2)
  }
}
