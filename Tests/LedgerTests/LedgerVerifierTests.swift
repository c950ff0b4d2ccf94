import Ledger
import Messages
import Signing
import Testing

/// An auditor who holds only the genesis finds every lie in a chain, and says where it is.
@Suite struct LedgerVerifierTests {
  private func chain() throws -> ChainFixture {
    var chain = try ChainFixture()
    try chain.append([])
    let deploy = chain.world.sign(.deployContract(World.terms()), by: "operator-0 controller")
    let evidence = chain.world.evidence(enclave: "hospital enclave")
    let register = chain.world.sign(.registerEnclave(evidence), by: "hospital device")
    try chain.append([deploy, register])
    let contract = World.terms().id
    let order = chain.world.sign(.activate(chain.world.order(contract)), by: "hospital treasury")
    let refused = chain.world.sign(.activate(chain.world.order(contract)), by: "platoon treasury")
    try chain.append([order, refused])
    return chain
  }

  private func discrepancy(_ chain: ChainFixture, _ change: (inout [Block]) -> Void) -> LedgerDiscrepancy? {
    var blocks = chain.blocks
    change(&blocks)
    do throws(LedgerDiscrepancy) {
      _ = try LedgerVerifier.check(genesis: chain.world.genesis, blocks: blocks)
      return nil
    } catch {
      return error
    }
  }

  @Test func anHonestChainHolds() throws {
    let chain = try chain()
    let state = try LedgerVerifier.check(genesis: chain.world.genesis, blocks: chain.blocks)
    #expect(state.root == chain.world.state.root)
    #expect(chain.blocks[2].body.outcomes.results == [.accepted, .attestationRejected])
  }

  @Test func aMissingBlockIsAnotherParent() throws {
    let chain = try chain()
    let found = try #require(discrepancy(chain) { $0.remove(at: 1) })
    #expect(found.height == 3)
    #expect(found.difference == .parent(stated: chain.blocks[1].hash, actual: chain.blocks[0].hash))
  }

  @Test func aChangedRootIsFound() throws {
    var chain = try chain()
    var right = Digest.zero
    try chain.append([]) { block in
      right = block.header.stateRoot
      block.header.stateRoot = .zero
    }
    let found = try #require(discrepancy(chain) { _ in })
    #expect(found.height == 4)
    #expect(found.difference == .stateRoot(stated: .zero, computed: right))
  }

  @Test func aChangedResultIsFound() throws {
    var chain = try chain()
    let transfer = chain.world.sign(
      .transfer(to: World.organisation("platoon"), amount: World.credit), by: "hospital treasury")
    try chain.append([transfer]) { block in
      block.body.outcomes.results = [.accepted]
      block.header.outcomesRoot = block.body.outcomesRoot
    }
    let found = try #require(discrepancy(chain) { _ in })
    #expect(
      found.difference == .result(position: 0, stated: .accepted, computed: .failedPrecondition))
  }

  @Test func anEventThatDidNotHappenIsFound() throws {
    var chain = try chain()
    try chain.append([]) { block in
      let key = World.key("nobody").publicKey
      block.body.outcomes.events = [
        .enclaveRegistered(key: key, owner: World.organisation("platoon"), expires: .distantFuture)
      ]
      block.header.outcomesRoot = block.body.outcomesRoot
    }
    let found = try #require(discrepancy(chain) { _ in })
    #expect(found.difference == .events(stated: 1, computed: 0))
  }

  @Test func aTransactionRepeatedIsNoBlock() throws {
    var chain = try chain()
    let again = chain.blocks[2].body.transactions
    try chain.append([]) { block in
      block.body.transactions = again
      block.body.outcomes.results = [.accepted, .attestationRejected]
      block.header.transactionsRoot = block.body.transactionsRoot
      block.header.outcomesRoot = block.body.outcomesRoot
    }
    let found = try #require(discrepancy(chain) { _ in })
    #expect(found.difference == .invalidBlock(.notIncludable(0, .nonceUsed)))
  }

  /// What others signed inside a transaction is verified with it, wherever it comes from.
  @Test func evidenceNobodySignedIsNotInABlock() throws {
    var chain = try ChainFixture()
    try chain.append([])
    let honest = chain.world.evidence(enclave: "hospital enclave")
    let forged = Envelope(
      kind: honest.kind, version: honest.version, signer: honest.signer, payload: honest.payload,
      signature: chain.world.evidence(enclave: "another").signature)
    try chain.append([chain.world.sign(.registerEnclave(forged), by: "hospital device")])
    let platform = World.key("platform").publicKey
    let found = try #require(discrepancy(chain) { _ in })
    #expect(found.difference == .unverified("\(VerificationError.badSignature(signer: platform))"))
  }

  @Test func anyFlippedByteIsFound() throws {
    let chain = try chain()
    for (index, block) in chain.blocks.enumerated() {
      let bytes = block.encoded
      for position in stride(from: 0, to: bytes.count, by: 17) {
        var changed = bytes
        changed[position] ^= 1
        guard let block = try? Block(decoding: changed) else { continue }
        let isLast = index == chain.blocks.count - 1
        let found = discrepancy(chain) { $0[index] = block }
        // The last block's own certificate is not in the chain: its header alone can still lie about itself.
        #expect(found != nil || isLast && block.body == chain.blocks[index].body, "byte \(position) of block \(index)")
      }
    }
  }
}
