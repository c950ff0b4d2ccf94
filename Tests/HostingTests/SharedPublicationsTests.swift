import Bus
import Effects
import FixtureSupport
import Messages
import Signing
import Testing
import Wire

@testable import Hosting

/// Followers of one process read a publication once for all.
@Suite(.limit(minutes: 1))
struct SharedPublicationsTests {
  private static let members = Members(scheme: .simulated)

  /// A core that logs the publications it gets from a member.
  private static func follower(
    _ name: String, as role: ActorAddress.Role, of member: ActorAddress, _ seen: Log<String>
  ) -> Toy {
    var toy = Toy(name, as: role) { event, _ in
      if case .published = event { seen.add(name) }
      return []
    }
    toy.subscriptions = [Subscription(member, .ledger)]
    return toy
  }

  /// Hosts on one bus with one member that publishes there.
  private struct Process {
    let bus: Bus
    let publisher: Mailbox
    let publications: SharedPublications
    private(set) var work: [(host: RoleHost, task: Task<Void, any Error>)] = []

    static let member = ActorAddress(.validator, "alpha")

    init(_ context: VerificationContext = members.context) async throws {
      bus = try Bus()
      publisher = try await bus.register(Self.member, mailboxCapacity: 16)
      publications = SharedPublications(context: context)
    }

    mutating func start(_ core: Toy, observer: @escaping RoleHost.Observer = { _, _ in }) async throws {
      let host = RoleHost(
        core, context: members.context, store: NoStore(), bus: bus, publications: publications, observer: observer)
      try await host.register()
      work.append((host, Task { try await host.run() }))
    }

    func publish(_ body: [UInt8]) throws { try bus.publish(from: publisher, topic: .ledger, body: body) }

    func end() async throws {
      for (host, task) in work {
        await host.stop()
        try await task.value
      }
      await bus.shutdown()
    }
  }

  @Test func `a publication is read once for all followers`() async throws {
    let seen = Log<String>()
    var process = try await Process()
    let roles: [ActorAddress.Role] = [.customer, .contract, .controller]
    for (number, role) in (roles + roles + roles).enumerated() {
      try await process.start(Self.follower("f\(number)", as: role, of: Process.member, seen))
    }
    try process.publish(Self.members.publication(1))
    let first = await seen.first(9)
    #expect(first.sorted() == (0..<9).map { "f\($0)" })
    #expect(await process.publications.readings == 1)
    try process.publish(Self.members.publication(2))
    _ = await seen.first(9)
    #expect(await process.publications.readings == 2)
    try await process.end()
  }

  @Test(arguments: [ActorAddress.Role.regulator])
  func `who must verify for itself does`(role: ActorAddress.Role) async throws {
    let seen = Log<String>()
    var process = try await Process()
    try await process.start(Self.follower("f", as: role, of: Process.member, seen))
    try process.publish(Self.members.publication(1))
    _ = await seen.first(1)
    #expect(await process.publications.readings == 0)
    try await process.end()
    #expect(!SharedPublications.serves(.validator))
  }

  @Test func `what was verified for another network says nothing`() async throws {
    let seen = Log<String>()
    let other = VerificationContext(
      network: .zero, scheme: .simulated, members: Self.members.context.members(of: 0) ?? [])
    var process = try await Process(other)
    try await process.start(Self.follower("f", as: .customer, of: Process.member, seen))
    try process.publish(Self.members.publication(1))
    _ = await seen.first(1)
    #expect(await process.publications.readings == 0)
    try await process.end()
  }

  @Test func `one changed byte is another publication, and is refused and counted at every follower`() async throws {
    let (seen, counted) = (Log<String>(), Log<String>())
    var process = try await Process()
    for number in 0..<3 {
      try await process.start(Self.follower("f\(number)", as: .customer, of: Process.member, seen)) { _, observation in
        if case .counted(let name, _) = observation { counted.add(name) }
      }
    }
    let body = Self.members.publication(1)
    try process.publish(body)
    _ = await seen.first(3)
    // The last byte is part of a signature.
    try process.publish(body.dropLast() + [body[body.count - 1] ^ 1])
    #expect(await counted.first(3) == Array(repeating: "refused.unverified", count: 3))
    try process.publish(body.dropLast())
    #expect(await counted.first(3) == Array(repeating: "refused.malformed", count: 3))
    #expect(await process.publications.readings == 3)
    #expect(seen.all.count == 3)
    try await process.end()
  }

  @Test func `what is remembered is bounded; the oldest leave first and are read again`() async {
    let shared = SharedPublications(context: Self.members.context)
    let limit = UInt64(SharedPublications.maximumPublications)
    for number in 0...limit { _ = await shared.read(Self.members.publication(number)) }
    #expect(await shared.readings == limit + 1)
    #expect(await shared.remembered == Int(limit))
    _ = await shared.read(Self.members.publication(limit))
    #expect(await shared.readings == limit + 1)
    _ = await shared.read(Self.members.publication(0))
    #expect(await shared.readings == limit + 2)
  }
}

/// Four members that can make a block final.
struct Members: Sendable {
  let context: VerificationContext
  private let keys: [SigningKey]
  /// One transaction, sent in every block.
  private let transactions: [Envelope]

  init(scheme: SignatureScheme, transactions: UInt64 = 1) {
    let keys = (UInt8(1)...4).compactMap { number in
      try? SigningKey(seed: [UInt8](repeating: number, count: 32), scheme: scheme)
    }
    self.keys = keys
    let network = Digest(hashing: [1])
    context = VerificationContext(network: network, scheme: scheme, members: keys.map(\.publicKey))
    self.transactions = (0..<transactions).map { nonce in
      let action = Action.transfer(to: OrganisationID(keys[1].publicKey), amount: 1)
      return SignedTransaction(
        signing: Transaction(nonce: nonce, expiry: 100, action: action), with: keys[0], network: network
      ).envelope
    }
  }

  /// A final first block of its own time, as a member publishes it.
  func publication(_ number: UInt64) -> [UInt8] {
    let body = BlockBody(
      transactions: transactions,
      outcomes: BlockOutcomes(results: transactions.map { _ in .accepted }, events: []))
    let block = Block(
      header: BlockHeader(
        era: 0, view: 1, parentView: 0, height: 1, parentHash: context.network, time: Instant(nanoseconds: number),
        leader: 0, transactionsRoot: body.transactionsRoot, outcomesRoot: body.outcomesRoot, stateRoot: .zero,
        parentCertificate: nil, skipped: []),
      body: body)
    let ballot = Ballot.finalize(block.header.proposition(hash: block.hash))
    let votes = keys.indices.dropLast().map { index in
      let member = MemberIndex(index)
      return (member, Vote(ballot, by: member, with: keys[index], network: context.network).signature)
    }
    return Message.ledger(LedgerSegment(blocks: [block], finalization: Certificate(ballot: ballot, votes: votes)))
      .encoded
  }
}
