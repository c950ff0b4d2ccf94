import Ledger
import Messages
import Signing
import Testing

/// What can be no network is refused before anything starts.
@Suite struct GenesisTests {
  private let genesis = World.genesis(operators: 4, parameters: .standard, credit: 1_000)

  /// What a test changes: a genesis itself stays as its network id says.
  private struct Draft {
    var parameters: NetworkParameters
    var members: [Member]
    var organisations: [Organisation]
  }

  private func expect(_ error: GenesisError, _ change: (inout Draft) -> Void) {
    var draft = Draft(
      parameters: genesis.parameters, members: genesis.members, organisations: genesis.organisations)
    change(&draft)
    let changed = Genesis(
      salt: genesis.salt, scheme: genesis.signatureScheme ?? .ed25519, time: genesis.time,
      parameters: draft.parameters, members: draft.members, organisations: draft.organisations,
      platformKeys: genesis.platformKeys)
    #expect(throws: error) { try LedgerState(genesis: changed) }
  }

  @Test func defectsAreNamed() {
    expect(.noMembers) { $0.members = [] }
    // n = 5: q = 4.
    expect(.tooFewLeaders(needed: 4)) { $0.members[0].leads = false }
    expect(.duplicateOrganisation(World.organisation("hospital"))) {
      $0.organisations.append($0.organisations[5])
    }
    expect(.duplicateName("hospital")) { $0.organisations[6].name = "hospital" }
    expect(.illegalName("St. Mary's")) { $0.organisations[5].name = "St. Mary's" }
    let edge = World.key("operator-0 edge").publicKey
    expect(.duplicateKey(edge)) { $0.organisations[1].keys[1].key = edge }
    expect(.duplicateKey(World.key("hospital").publicKey)) { $0.members[0].key = World.key("hospital").publicKey }
    expect(.unknownOrganisation(member: "operator-0")) { $0.members[0].organisation = World.organisation("nobody") }
    expect(.creditOverflow) { $0.organisations[0].credit = .max }
    expect(.parameter("heartbeat")) { $0.parameters.heartbeat = .zero }
    expect(.parameter("blockTransactions")) { $0.parameters.blockTransactions = 4097 }
  }

  @Test func theFirstStateHoldsTheCredit() throws {
    let state = try LedgerState(genesis: genesis)
    #expect(state.totals.issued == 6_000)
    #expect(state.balance(of: World.organisation("hospital")) == 1_000)
    #expect(
      state.signer(World.key("operator-2 validator").publicKey) == .role(World.organisation("operator-2"), .validator))
    #expect(state.signer(World.key("hospital").publicKey) == .organisation(World.organisation("hospital")))
    try state.audit()
  }
}
