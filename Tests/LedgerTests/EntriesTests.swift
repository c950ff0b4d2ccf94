import Ledger
import Messages
import Signing
import Testing

/// Any range of the ledger, read from somebody whom the reader does not trust.
@Suite struct EntriesTests {
  /// A chain with five offers, and its last block as if it were final.
  private func chain() throws -> (LedgerState, BlockHeader) {
    var chain = try ChainFixture()
    try chain.append([])
    var deployments: [SignedTransaction] = []
    for number in 1...5 {
      deployments.append(
        chain.world.sign(.deployContract(World.terms(number: UInt64(number))), by: "operator-0 controller"))
    }
    try chain.append(deployments)
    return (chain.world.state, try #require(chain.blocks.last).header)
  }

  private func certificate(_ header: BlockHeader) -> Certificate {
    Certificate(ballot: .finalize(header.proposition(hash: header.hash)), votes: [])
  }

  private func answer(_ request: EntriesRequest, _ state: LedgerState, _ header: BlockHeader) -> ProvenEntries {
    state.entries(request, header: header, finalization: certificate(header))
  }

  @Test func offersAreReadInParts() throws {
    let (state, header) = try chain()
    var request: EntriesRequest? = EntriesRequest.contracts
    request?.limit = 2
    var read: [ContractID] = []
    var answers = 0
    while let asked = request {
      let answer = try ProvenEntries(decoding: answer(asked, state, header).encoded)
      let verified = try answer.verified(answering: asked, notBefore: header.time)
      read += verified.contracts.map(\.id)
      request = verified.rest
      answers += 1
    }
    #expect(read == state.contracts().map(\.id))
    #expect(read.count == 5)
    #expect(answers == 3)
  }

  @Test func absenceIsProved() throws {
    let (state, header) = try chain()
    let nobody = EntriesRequest(key: LedgerKey.account(World.organisation("nobody")))
    let verified = try answer(nobody, state, header).verified(answering: nobody, notBefore: .zero)
    #expect(verified.entries.isEmpty)
    #expect(verified.rest == nil)
    let hospital = EntriesRequest(key: LedgerKey.account(World.organisation("hospital")))
    let found = try answer(hospital, state, header).verified(answering: hospital, notBefore: .zero)
    #expect(found.entries.map(\.record) == [.account(try #require(state.account(named: "hospital")))])
    #expect(found.height == 2)
  }

  @Test func liesAreFound() throws {
    let (state, header) = try chain()
    let request = EntriesRequest.contracts
    let honest = answer(request, state, header)
    func expect(_ error: EntriesError, _ change: (inout ProvenEntries) -> Void) {
      var lie = honest
      change(&lie)
      #expect(throws: error) { try lie.verified(answering: request, notBefore: header.time) }
    }
    _ = try honest.verified(answering: request, notBefore: header.time)
    // An offer left out: its place in the tree is hidden.
    let shown = state.tree.rangeProof(from: request.from, before: LedgerKey.contract(state.contracts()[3].id))
    expect(.proof(.incomplete)) { $0.proof = shown }
    expect(.proof(.wrongRoot)) { $0.header.stateRoot = .zero }
    expect(.proof(.incomplete)) { $0.proof = state.proof(of: LedgerKey.chain) }
    // Part of the range as if it were the whole, and parts cut where nothing ends.
    expect(.notWhatWasAsked) { $0.before = LedgerKey.contract(state.contracts()[2].id) }
    expect(.notWhatWasAsked) { $0.from = $0.before }
    expect(.notWhatWasAsked) { $0.isWhole = false }
    expect(.notWhatWasAsked) {
      $0.isWhole = false
      $0.before = $0.from + [0]
    }
    #expect(throws: EntriesError.stale(header.time)) {
      try honest.verified(answering: request, notBefore: header.time + .milliseconds(1))
    }
  }

  @Test func anAnswerFitsIntoAMessage() throws {
    let (state, header) = try chain()
    let everything = EntriesRequest(from: [], before: [0xFF], limit: .max)
    let verified = try answer(everything, state, header).verified(answering: everything, notBefore: .zero)
    #expect(verified.entries.count == state.tree.count)
    let none = EntriesRequest(from: [], before: [0xFF], limit: 0)
    #expect(try answer(none, state, header).verified(answering: none, notBefore: .zero).entries.count == 1)
  }
}
