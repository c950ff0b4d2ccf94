import Ledger
import Messages
import Signing
import Testing

/// BrokenAcknowledgement: a leader that promised to carry a transaction and did not, though it could.
@Suite struct BrokenPromiseTests {
  /// Block 4 is led by operator 3, holds one transaction of the platoon's, and not the hospital's.
  struct Story {
    var chain: ChainFixture
    let promised: SignedTransaction
    /// Before block 4.
    let parent: LedgerState
    let certificate: Certificate

    init(parameters: NetworkParameters = .standard, others: Int = 1, includes: Bool = false) throws {
      var chain = try ChainFixture(parameters: parameters)
      for _ in 0..<3 { try chain.append([]) }
      let promised = chain.world.sign(Self.transfer, by: "hospital treasury")
      let parent = chain.world.state
      let rest = (0..<others).map { _ in chain.world.sign(Self.transfer, by: "platoon treasury") }
      try chain.append(rest + (includes ? [promised] : []))
      let certificate = try #require(chain.certificate)
      (self.chain, self.promised, self.parent, self.certificate) = (chain, promised, parent, certificate)
    }

    static let transfer = Action.transfer(to: World.organisation("operator-0"), amount: 1)

    func evidence(
      view: View = 4, by member: String = "operator-3", of transaction: SignedTransaction? = nil
    ) throws -> BrokenAcknowledgement {
      let transaction = transaction ?? promised
      let promise = SubmissionAcknowledgement(transaction: transaction.id, era: 0, view: view)
      let block = chain.blocks[3]
      return BrokenAcknowledgement(
        acknowledgement: Envelope(
          signing: promise, with: World.key("\(member) validator"), network: chain.world.genesis.networkID),
        transaction: transaction.envelope, parent: chain.blocks[2].header, header: block.header,
        certificate: certificate, transactions: block.body.transactions.map { MerkleTree.leafHash($0.bytes) },
        room: block.body.outcomes.room, roomProof: try #require(block.body.outcomes.roomProof),
        signer: parent.proof(of: LedgerKey.role(transaction.signer)),
        nonce: parent.proof(of: LedgerKey.nonce(transaction.signer, transaction.transaction.nonce)))
    }

    func judge(_ evidence: BrokenAcknowledgement) -> EvidenceJudgement? {
      chain.world.state.judge(.brokenAcknowledgement(evidence))
    }
  }

  @Test func aLeaderThatDropsWhatItPromisedIsConvicted() throws {
    var story = try Story()
    let evidence = ConsensusEvidence.brokenAcknowledgement(try story.evidence())
    let guilty = World.key("operator-3 validator").publicKey
    let conviction = Conviction(signer: guilty, era: 0, view: 4, kind: .brokenAcknowledgement)
    #expect(story.chain.world.state.judge(evidence) == .convicts(conviction))
    var verifier = Verifier(context: story.chain.world.genesis.verificationContext)
    _ = try verifier.verify(story.chain.world.sign(.reportEvidence(evidence), by: "hospital treasury"))
    // An earlier promise binds as well.
    #expect(story.judge(try story.evidence(view: 2)) == .convicts(conviction))
    #expect(try story.chain.world.send(.reportEvidence(evidence), by: "hospital treasury") == .accepted)
    #expect(story.chain.world.last?.outcomes.events == [.memberConvicted(conviction)])
    #expect(try story.chain.world.send(.reportEvidence(evidence), by: "hospital treasury") == .alreadyExists)
  }

  @Test func promisesOfOthersAndOfLaterViewsBindNobodyHere() throws {
    let story = try Story()
    #expect(story.judge(try story.evidence(view: 5)) == .worthless(.acknowledgement))
    #expect(story.judge(try story.evidence(by: "operator-2")) == .worthless(.acknowledgement))
    var other = try story.evidence()
    other.acknowledgement = try story.evidence(of: story.chain.world.genesisTransaction).acknowledgement
    #expect(story.judge(other) == .worthless(.acknowledgement))
  }

  @Test func whoCarriedItOrCouldNotKeptItsWord() throws {
    let carried = try Story(includes: true)
    #expect(carried.judge(try carried.evidence()) == .worthless(.included))
    // A leader far ahead of finality has to make empty blocks, and its header does not show that it was not.
    let empty = try Story(others: 0)
    #expect(empty.judge(try empty.evidence()) == .worthless(.mayHaveHadToBeEmpty))
    // Its nonce was used before.
    let story = try Story()
    var used = story.chain.world
    let rival = SignedTransaction(
      signing: Transaction(
        nonce: story.promised.transaction.nonce, expiry: 90,
        action: .transfer(to: World.organisation("platoon"), amount: 2)),
      with: World.key("hospital treasury"), network: used.genesis.networkID)
    #expect(try used.block([rival]) == [.accepted])
    var late = try story.evidence()
    late.nonce = used.state.proof(of: LedgerKey.nonce(rival.signer, rival.transaction.nonce))
    #expect(story.judge(late) == .worthless(.notIncludable))
    // It had expired.
    var world = story.chain.world
    let expired = world.sign(Story.transfer, by: "hospital treasury", expiry: 3)
    #expect(story.judge(try story.evidence(of: expired)) == .worthless(.notIncludable))
    // Nobody knows its signer.
    let stranger = world.sign(Story.transfer, by: "nobody")
    #expect(story.judge(try story.evidence(of: stranger)) == .worthless(.notIncludable))
  }

  @Test func aFullBlockBreaksNoPromise() throws {
    var parameters = NetworkParameters.standard
    parameters.blockTransactions = 4
    // Three ordinary ones are all that it takes.
    let full = try Story(parameters: parameters, others: 3)
    #expect(full.judge(try full.evidence()) == .worthless(.noRoom))
    let roomy = try Story(parameters: parameters, others: 2)
    #expect(roomy.judge(try roomy.evidence()) != .worthless(.noRoom))
    // The sender's quota, used up by itself.
    parameters = .standard
    parameters.senderQuota = 1
    let quota = try Story(parameters: parameters)
    var world = quota.chain.world
    let another = SignedTransaction(
      signing: Transaction(nonce: 999, expiry: 90, action: Story.transfer), with: World.key("platoon treasury"),
      network: world.genesis.networkID)
    _ = try world.block()
    #expect(quota.judge(try quota.evidence(of: another)) == .worthless(.noRoom))
    // A room that the block's header does not commit to is no room.
    var forged = try full.evidence()
    forged.room = .unused
    #expect(full.judge(forged) == .worthless(.block))
  }
}

extension World {
  /// Some transaction that is on no block.
  fileprivate var genesisTransaction: SignedTransaction {
    SignedTransaction(
      signing: Transaction(nonce: 77, expiry: 50, action: .transfer(to: Self.organisation("platoon"), amount: 3)),
      with: Self.key("hospital treasury"), network: genesis.networkID)
  }
}
