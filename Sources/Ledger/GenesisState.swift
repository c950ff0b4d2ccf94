import Messages
import Signing
import Wire

/// Why a genesis begins no network. Nothing starts with it.
public enum GenesisError: Error, Hashable, Sendable {
  case noMembers
  /// Fewer operators than a quorum: regulators could block them (consensus.md, "Who votes").
  case tooFewLeaders(needed: Int)
  case tooManyMembers
  case duplicateOrganisation(OrganisationID)
  case duplicateName(String)
  case illegalName(String)
  /// A key in two places, or an organisation's key used as a role key.
  case duplicateKey(PublicKey)
  case unknownOrganisation(member: String)
  /// All credit together must have 64 bits.
  case creditOverflow
  /// A network parameter is outside its bounds.
  case parameter(String)
}

extension LedgerState {
  /// The state before the first block.
  public init(genesis: Genesis) throws(GenesisError) {
    try Self.validate(genesis)
    var tree = KeyedMerkleTree<LedgerRecord>()
    var issued: Amount = 0
    for organisation in genesis.organisations {
      try Self.add(organisation, to: &tree)
      let (sum, overflow) = issued.addingReportingOverflow(organisation.credit)
      guard !overflow else { throw .creditOverflow }
      issued = sum
    }
    for member in genesis.members { try Self.add(member, to: &tree) }
    let chain = ChainRecord(genesis: genesis)
    tree.set(LedgerKey.chain, .chain(chain))
    tree.set(LedgerKey.era(0), .era(genesis.firstEra))
    tree.set(LedgerKey.totals, .totals(TotalsRecord(issued: issued)))
    tree.set(LedgerKey.archive, .archive(MerkleLog()))
    self.init(rules: NetworkRules(genesis), tree: tree, chain: chain)
  }

  private static func validate(_ genesis: Genesis) throws(GenesisError) {
    guard !genesis.members.isEmpty else { throw .noMembers }
    guard genesis.members.count <= Genesis.maximumMembers else { throw .tooManyMembers }
    for (index, member) in genesis.members.enumerated()
    where genesis.members[..<index].contains(where: { $0.name == member.name }) {
      throw .duplicateName(member.name)
    }
    let quorum = Quorum(members: genesis.members.count).votes
    guard genesis.members.count(where: \.leads) >= quorum else { throw .tooFewLeaders(needed: quorum) }
    let parameters = genesis.parameters
    let spans = Span(nanoseconds: 1)...ContractTerms.maximumSpan
    guard spans.contains(parameters.heartbeat) else { throw .parameter("heartbeat") }
    guard parameters.blockTransactions > 0,
      parameters.blockTransactions <= UInt64(BlockBody.maximumTransactions)
    else { throw .parameter("blockTransactions") }
    guard parameters.senderQuota > 0 else { throw .parameter("senderQuota") }
    guard parameters.expiriesPerBlock > 0 else { throw .parameter("expiriesPerBlock") }
    guard spans.contains(parameters.attestationLifetime) else { throw .parameter("attestationLifetime") }
    guard (1...1024).contains(parameters.attestationNonceAge) else { throw .parameter("attestationNonceAge") }
  }

  private static func add(
    _ organisation: Organisation, to tree: inout KeyedMerkleTree<LedgerRecord>
  ) throws(GenesisError) {
    let id = organisation.id
    guard ActorAddress.isLegal(name: organisation.name) else { throw .illegalName(organisation.name) }
    guard tree[LedgerKey.account(id)] == nil else { throw .duplicateOrganisation(id) }
    guard tree[LedgerKey.accountName(organisation.name)] == nil else { throw .duplicateName(organisation.name) }
    guard tree[LedgerKey.role(id.key)] == nil else { throw .duplicateKey(id.key) }
    var account = AccountRecord(
      id: id, name: organisation.name, kind: organisation.kind, balance: organisation.credit)
    for enrolment in organisation.keys {
      try add(enrolment, of: id, to: &tree)
      account.keys += 1
    }
    tree.set(LedgerKey.account(id), .account(account))
    tree.set(LedgerKey.accountName(organisation.name), .accountName(id))
  }

  private static func add(
    _ enrolment: Enrolment, of id: OrganisationID, to tree: inout KeyedMerkleTree<LedgerRecord>
  ) throws(GenesisError) {
    let key = LedgerKey.role(enrolment.key)
    let isOrganisation = tree[LedgerKey.account(OrganisationID(enrolment.key))] != nil
    guard tree[key] == nil, !isOrganisation, enrolment.key != id.key else { throw .duplicateKey(enrolment.key) }
    tree.set(key, .role(RoleRecord(organisation: id, role: enrolment.role)))
  }

  /// A member's key is its organisation's validator key, whether or not the organisation lists it too.
  private static func add(_ member: Member, to tree: inout KeyedMerkleTree<LedgerRecord>) throws(GenesisError) {
    guard case .account(var account)? = tree[LedgerKey.account(member.organisation)] else {
      throw .unknownOrganisation(member: member.name)
    }
    let validator = RoleRecord(organisation: member.organisation, role: .validator)
    if case .role(validator)? = tree[LedgerKey.role(member.key)] { return }
    try add(Enrolment(key: member.key, role: .validator), of: member.organisation, to: &tree)
    account.keys += 1
    tree.set(LedgerKey.account(member.organisation), .account(account))
  }
}
