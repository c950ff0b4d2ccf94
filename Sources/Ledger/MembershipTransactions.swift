import Messages
import Signing
import Wire

/// A member change that a quorum approved and whose joiners have not all caught up.
public struct PendingChange: Hashable, Sendable, WireCodable {
  public internal(set) var change: MemberChange
  /// Keys of joiners that proved they have caught up.
  public internal(set) var ready: [PublicKey]
  /// Last height at which a joiner may prove it; then the change is void.
  public let expires: Height

  /// Heights that joiners have to catch up.
  public static let lifetime: Height = Transaction.maximumLifetime

  init(_ change: MemberChange, expires: Height) {
    self.change = change
    ready = []
    self.expires = expires
  }

  public var isReady: Bool { change.joining.allSatisfy { ready.contains($0.key) } }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(change)
    writer.write(list: ready)
    writer.write(expires)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (change, ready, expires) = try reader.record(3) { (reader) throws(WireError) in
      (try reader.value(), try reader.list(maximum: Genesis.maximumMembers), try reader.uint())
    }
  }
}

/// ChangeMembers, RotateKey, ProveReady (consensus.md, "Who votes"). They make the block that holds them, or the last
/// of them, the end of its era: the next era's members are definite then, and are told to everybody by an event.
extension BlockExecution {
  // MARK: Transactions

  mutating func changeMembers(_ approvals: [Envelope]) throws(Refusal) {
    let change = try approvedChange(approvals)
    if let waiting = state.pendingChange {
      try require(
        (change.era, change.number) > (waiting.change.era, waiting.change.number), orElse: .alreadyExists)
      try dropPending()
    }
    _ = try members(after: change)
    for joiner in change.joining { try admit(joiner) }
    let pending = PendingChange(change, expires: context.height + PendingChange.lifetime)
    try store(pending)
  }

  mutating func proveReady(_ block: Digest, by signer: PublicKey) throws(Refusal) {
    guard var pending = state.pendingChange else { throw .code(.notFound) }
    try require(pending.change.joining.contains { $0.key == signer }, orElse: .permissionDenied)
    try require(context.height <= pending.expires, orElse: .deadlinePassed)
    try require(chain.recentBlocks.contains(block), orElse: .outOfRange)
    try require(!pending.ready.contains(signer), orElse: .alreadyExists)
    pending.ready.append(signer)
    try store(pending)
  }

  mutating func rotateKey(_ consent: Envelope, by old: PublicKey) throws(Refusal) {
    guard let rotation = try? consent.decode(KeyRotation.self), let new = consent.signer, new == rotation.new,
      rotation.old == old
    else { throw .code(.invalidArgument) }
    try require(rotation.era == state.era.era, orElse: .failedPrecondition)
    var members = nextMembers ?? state.era.members
    guard let index = members.firstIndex(where: { $0.key == old }) else { throw .code(.permissionDenied) }
    try enrolValidator(new, of: members[index].organisation)
    members[index].key = new
    nextMembers = members
    // A change that waits for its joiners means the member, whatever key it has.
    if var pending = state.pendingChange, let leaver = pending.change.leaving.firstIndex(of: old) {
      pending.change.leaving[leaver] = new
      state.tree.set(LedgerKey.pendingChange, .pendingChange(pending))
    }
  }

  // MARK: What is approved

  /// The change that all approvals state, if they are of a quorum of members of which none leaves by it.
  private func approvedChange(_ approvals: [Envelope]) throws(Refusal) -> MemberChange {
    guard let first = approvals.first, let change = try? first.decode(MemberChange.self) else {
      throw .code(.invalidArgument)
    }
    let era = state.era
    try require(change.era == era.era, orElse: .failedPrecondition)
    var voters: [MemberIndex] = []
    for approval in approvals {
      guard approval.payload == first.payload, let signer = approval.signer, let member = era.index(of: signer),
        !change.leaving.contains(signer), !voters.contains(member)
      else { throw .code(.permissionDenied) }
      voters.append(member)
    }
    try require(voters.count >= era.quorum.votes, orElse: .permissionDenied)
    return change
  }

  /// The next member set. Operators remain a quorum, so that regulators can never block them.
  private func members(after change: MemberChange) throws(Refusal) -> [Member] {
    var members = nextMembers ?? state.era.members
    try require(!change.joining.isEmpty || !change.leaving.isEmpty, orElse: .invalidArgument)
    for key in change.leaving {
      guard let index = members.firstIndex(where: { $0.key == key }) else { throw .code(.notFound) }
      members.remove(at: index)
    }
    for joiner in change.joining {
      try require(ActorAddress.isLegal(name: joiner.name), orElse: .invalidArgument)
      try require(
        !members.contains { $0.name == joiner.name || $0.key == joiner.key }, orElse: .alreadyExists)
      members.append(joiner)
    }
    try require(!members.isEmpty && members.count <= Genesis.maximumMembers, orElse: .outOfRange)
    try require(
      members.count(where: \.leads) >= Quorum(members: members.count).votes, orElse: .failedPrecondition)
    return members
  }

  /// Stores a change that waits, or, when nothing is missing, makes it the next era.
  private mutating func store(_ pending: PendingChange) throws(Refusal) {
    guard pending.isReady else { return state.tree.set(LedgerKey.pendingChange, .pendingChange(pending)) }
    nextMembers = try members(after: pending.change)
    state.tree.remove(LedgerKey.pendingChange)
  }

  // MARK: Keys

  /// A joiner's key may sign from now on, though it is no member yet: it has to prove that it is ready.
  private mutating func admit(_ joiner: Member) throws(Refusal) {
    let account = try account(joiner.organisation)
    switch account.kind {
    case .networkOperator: try require(joiner.leads, orElse: .invalidArgument)
    case .regulator: try require(!joiner.leads, orElse: .invalidArgument)
    case .customer: throw .code(.permissionDenied)
    }
    // Listed in the genesis as a validator's key of its organisation, and no member so far.
    if state.signer(joiner.key) == .role(joiner.organisation, .validator) { return }
    try enrolValidator(joiner.key, of: joiner.organisation)
  }

  private mutating func enrolValidator(_ key: PublicKey, of organisation: OrganisationID) throws(Refusal) {
    try require(state.signer(key) == nil && state.enclave(key) == nil, orElse: .alreadyExists)
    var account = try account(organisation)
    try require(account.keys < UInt64(Organisation.maximumKeys), orElse: .outOfRange)
    account.keys += 1
    store(account)
    state.tree.set(LedgerKey.role(key), .role(RoleRecord(organisation: organisation, role: .validator)))
  }

  /// The key signs nothing any more.
  private mutating func retireValidator(_ key: PublicKey) throws(Refusal) {
    guard case .role(let organisation, .validator)? = state.signer(key) else { return }
    var account = try account(organisation)
    account.keys -= min(account.keys, 1)
    store(account)
    state.tree.remove(LedgerKey.role(key))
  }

  /// A later change takes its place; its joiners were never members.
  private mutating func dropPending() throws(Refusal) {
    guard let pending = state.pendingChange else { return }
    for joiner in pending.change.joining where state.era.index(of: joiner.key) == nil {
      try retireValidator(joiner.key)
    }
    state.tree.remove(LedgerKey.pendingChange)
  }

  // MARK: The end of an era

  /// After everything else in the block: the next member set takes over.
  mutating func endEra() throws(Refusal) {
    guard let nextMembers else { return }
    let old = state.era
    let next = EraRecord(era: old.era + 1, firstView: context.view + 1, members: nextMembers)
    for member in old.members where next.index(of: member.key) == nil { try retireValidator(member.key) }
    state.tree.set(LedgerKey.era(next.era), .era(next))
    state.chain.begin(next, after: old)
    events.append(.eraEnds(next: next))
  }
}
