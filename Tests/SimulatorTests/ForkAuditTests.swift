import Messages
import Signing
import Testing

@testable import Simulator

/// A3, without a world: chains made with the members' own keys. No honest member would sign both.
@Suite struct ForkAuditTests {
  /// Makes chains that say what it is told they say.
  private struct Forger {
    let members: Members
    var consortium: Consortium { Consortium(genesis: members.genesis, faulty: []) }

    func certificate(_ ballot: Ballot, by voters: [MemberIndex]) -> Certificate {
      let network = members.genesis.networkID
      let votes = voters.sorted().map { Vote(ballot, by: $0, with: members.keys[Int($0)], network: network) }
      return Certificate(ballot: ballot, votes: votes.map { ($0.member, $0.signature) })
    }

    /// One block in each of these views, notarized by these voters, the views between nullified by them; the last is
    /// finalized.
    func chain(_ views: [View], by voters: [MemberIndex], after base: LedgerSegment?, salt: UInt64) -> LedgerSegment {
      var blocks: [Block] = []
      var parent = base?.blocks.last?.header
      var parentHash = base?.blocks.last?.hash ?? members.genesis.networkID
      var shown = base?.finalization
      var final = Ballot.nullify(era: 0, view: 1)
      for view in views {
        let from = (parent?.view ?? 0) + 1
        let header = BlockHeader(
          era: 0, view: view, parentView: parent?.view ?? 0, height: (parent?.height ?? 0) + 1, parentHash: parentHash,
          time: members.genesis.time + .milliseconds(Int64(view * 10 + salt)), leader: MemberIndex(view % 4),
          transactionsRoot: BlockBody.empty.transactionsRoot, outcomesRoot: BlockBody.empty.outcomesRoot,
          stateRoot: Digest(label: "root", salt.encoded), parentCertificate: shown,
          skipped: (from..<view).map { certificate(.nullify(era: 0, view: $0), by: voters) })
        let block = Block(header: header, body: .empty)
        (parent, parentHash) = (header, block.hash)
        shown = certificate(.notarize(header.proposition(hash: parentHash)), by: voters)
        final = .finalize(header.proposition(hash: parentHash))
        blocks.append(block)
      }
      return LedgerSegment(blocks: blocks, finalization: certificate(final, by: voters))
    }
  }

  /// Six members, q = 4: two quorums share at least two members, and those are named, whichever views the forks use.
  @Test(arguments: [[2], [3], [4], [2, 3], [3, 5], [2, 4, 5]] as [[View]], [[2], [5], [3, 4]] as [[View]])
  func forksNameWhoeverSignedBoth(left: [View], right: [View]) throws {
    let forger = Forger(members: try Members())
    let base = forger.chain([1], by: [0, 1, 2, 3], after: nil, salt: 0)
    let one = [base, forger.chain(left, by: [0, 1, 2, 3], after: base, salt: 1)]
    let other = [base, forger.chain(right, by: [2, 3, 4, 5], after: base, salt: 2)]
    let audit = ForkAudit(one, other, forger.consortium)
    #expect(audit.isFork)
    #expect(audit.culprits == [2, 3])
    #expect(audit.culprits.count >= 2 * forger.consortium.quorum() - forger.consortium.count)
  }

  @Test func oneChainAccusesNobody() throws {
    let forger = Forger(members: try Members())
    let base = forger.chain([1], by: [0, 1, 2, 3], after: nil, salt: 0)
    let one = [base, forger.chain([2, 4], by: [0, 1, 2, 3], after: base, salt: 1)]
    // Another quorum's votes for the same blocks prove nothing.
    let other = [base, LedgerSegment(blocks: one[1].blocks, finalization: one[1].finalization)]
    let audit = ForkAudit(one, other, forger.consortium)
    #expect(!audit.isFork)
    #expect(audit.culprits == [])
  }

  @Test func quorumsAreCountedAnew() throws {
    for (operators, quorum, faulty) in [(1, 1, 0), (4, 3, 1), (6, 4, 1), (7, 5, 2), (10, 7, 3)] {
      let consortium = Consortium(genesis: try Members(operators: operators, regulators: 0).genesis, faulty: [])
      #expect(consortium.quorum() == quorum)
      #expect(consortium.maximumFaulty() == faulty)
    }
  }
}
