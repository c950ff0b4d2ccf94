import Ledger
import Messages
import Signing
import Testing

/// ChangeMembers, RotateKey, ProveReady: how one member set becomes another.
struct MembershipTests {
  /// operator-0 … operator-3 and two regulators vote; operator-4 is not there yet. The sixth member is the second
  /// regulator, n = 6, f = 1, q = 4.
  private func world() throws -> World { try World(operators: 4, regulators: 2) }

  private func member(_ name: String, key: String? = nil, of organisation: String? = nil, leads: Bool = true) -> Member
  {
    Member(
      name: name, key: World.key(key ?? "\(name) validator").publicKey,
      organisation: World.organisation(organisation ?? name), leads: leads)
  }

  private func approvals(_ change: MemberChange, by names: [String], _ world: World) -> Action {
    .changeMembers(
      approvals: names.map {
        Envelope(signing: change, with: World.key("\($0) validator"), network: world.genesis.networkID)
      })
  }

  private func key(_ name: String) -> PublicKey { World.key("\(name) validator").publicKey }

  private let four = ["operator-0", "operator-1", "operator-2", "operator-3"]

  @Test func aSuspensionTakesOneRegulatorAlong() throws {
    var world = try world()
    try world.block()
    let change = MemberChange(era: 0, number: 1, leaving: [key("operator-3"), key("regulator-1")])
    let others = ["operator-0", "operator-1", "operator-2", "regulator"]
    #expect(try world.send(approvals(change, by: others, world), by: "operator-0 controller") == .accepted)
    let next = try #require(world.last?.outcomes.events.last)
    guard case .eraEnds(let era) = next else { return #expect(Bool(false), "\(next)") }
    #expect(era.era == 1)
    #expect(era.members.map(\.name) == ["operator-0", "operator-1", "operator-2", "regulator"])
    #expect(world.state.era == era && world.state.era(0) == world.genesis.firstEra)
    #expect(era.quorum.votes == 3 && era.leaders == [0, 1, 2])
    // The suspended member's key signs nothing any more; the next block is of the new era.
    #expect(world.state.signer(key("operator-3")) == nil)
    try world.block()
    #expect(world.state.chain.leaderClocks.count == 4)
  }

  @Test func operatorsRemainAQuorum() throws {
    var world = try world()
    // n = 5, q = 4, three operators: regulators could block them.
    let change = MemberChange(era: 0, number: 1, leaving: [key("operator-3")])
    let others = ["operator-0", "operator-1", "operator-2", "regulator"]
    #expect(try world.send(approvals(change, by: others, world), by: "operator-0 controller") == .failedPrecondition)
    #expect(world.state.era.era == 0)
  }

  @Test func whoLeavesDoesNotApproveIt() throws {
    var world = try world()
    let change = MemberChange(era: 0, number: 1, leaving: [key("operator-3"), key("regulator-1")])
    let carrier = "operator-0 controller"
    #expect(try world.send(approvals(change, by: four, world), by: carrier) == .permissionDenied)
    let three = Array(four.prefix(3))
    #expect(try world.send(approvals(change, by: three, world), by: carrier) == .permissionDenied)
    let twice = ["operator-0", "operator-0", "operator-1", "operator-2"]
    #expect(try world.send(approvals(change, by: twice, world), by: carrier) == .permissionDenied)
    let old = MemberChange(era: 1, number: 1, leaving: change.leaving)
    #expect(try world.send(approvals(old, by: three + ["regulator"], world), by: carrier) == .failedPrecondition)
  }

  @Test func aJoinerCountsOnlyAfterItProvedThatItHasCaughtUp() throws {
    var world = try world()
    for _ in 0..<3 { try world.block() }
    // The second validator of an operator, so that no new account is needed.
    let joiner = member("operator-5", of: "operator-0")
    let change = MemberChange(era: 0, number: 1, joining: [joiner])
    #expect(try world.send(approvals(change, by: four, world), by: "operator-0 controller") == .accepted)
    #expect(world.state.era.era == 0)
    #expect(world.state.pendingChange?.change == change)
    let stranger = Digest(label: "no block", [])
    #expect(try world.send(.proveReady(block: stranger), by: "operator-5 validator") == .outOfRange)
    #expect(try world.send(.proveReady(block: world.tip), by: "operator-1 validator") == .permissionDenied)
    #expect(try world.send(.proveReady(block: world.tip), by: "operator-5 validator") == .accepted)
    #expect(world.state.era.era == 1)
    #expect(world.state.era.members.last == joiner)
    #expect(world.state.pendingChange == nil)
  }

  @Test func aLaterChangeTakesThePlaceOfOneThatWaits() throws {
    var world = try world()
    try world.block()
    let first = MemberChange(era: 0, number: 1, joining: [member("operator-5", of: "operator-0")])
    let second = MemberChange(era: 0, number: 2, joining: [member("operator-6", of: "operator-1")])
    let carrier = "operator-0 controller"
    #expect(try world.send(approvals(first, by: four, world), by: carrier) == .accepted)
    #expect(try world.send(approvals(first, by: four, world), by: carrier) == .alreadyExists)
    #expect(try world.send(approvals(second, by: four, world), by: carrier) == .accepted)
    #expect(world.state.signer(key("operator-5")) == nil)
    #expect(try world.send(approvals(first, by: four, world), by: carrier) == .alreadyExists)
    #expect(try world.send(.proveReady(block: world.tip), by: "operator-6 validator") == .accepted)
    #expect(world.state.era.members.map(\.name).last == "operator-6")
  }

  @Test func aKeyIsRotatedByBothKeys() throws {
    var world = try world()
    try world.block()
    let new = World.key("operator-2 validator 2")
    let rotation = KeyRotation(era: 0, old: key("operator-2"), new: new.publicKey)
    let consent = Envelope(signing: rotation, with: new, network: world.genesis.networkID)
    #expect(try world.send(.rotateKey(consent), by: "operator-1 validator") == .invalidArgument)
    let forged = Envelope(signing: rotation, with: World.key("operator-0 validator"), network: world.genesis.networkID)
    #expect(try world.send(.rotateKey(forged), by: "operator-2 validator") == .invalidArgument)
    #expect(try world.send(.rotateKey(consent), by: "operator-2 validator") == .accepted)
    #expect(world.state.era.era == 1)
    #expect(world.state.era.members[2].key == new.publicKey)
    #expect(world.state.signer(key("operator-2")) == nil)
    #expect(world.state.signer(new.publicKey) == .role(World.organisation("operator-2"), .validator))
  }

  @Test func aLeaderKeepsItsClockThroughAChange() throws {
    var world = try world()
    for _ in 0..<8 { try world.block() }
    let before = world.state.chain.leaderClocks
    let change = MemberChange(era: 0, number: 1, leaving: [key("operator-0"), key("regulator")])
    let others = ["operator-1", "operator-2", "operator-3", "regulator-1"]
    let transaction = world.sign(approvals(change, by: others, world), by: "operator-1 controller")
    try world.block([transaction], leader: 1)
    let after = world.state.chain.leaderClocks
    #expect(after.count == 4)
    #expect(after[1] == before[2] && after[2] == before[3])
    #expect(world.state.era.members.map(\.name) == ["operator-1", "operator-2", "operator-3", "regulator-1"])
  }

  @Test func aBlockOfAnotherEraIsInvalid() throws {
    var world = try world()
    var context = world.next()
    context.era = 1
    #expect(throws: ExecutionError.invalidBlock(.wrongEra(expected: 0))) {
      try world.state.executing([], in: context)
    }
    let change = MemberChange(era: 0, number: 1, leaving: [key("operator-3"), key("regulator-1")])
    let others = ["operator-0", "operator-1", "operator-2", "regulator"]
    try world.send(approvals(change, by: others, world), by: "operator-0 controller")
    context = world.next()
    context.view = world.state.era.firstView - 1
    #expect(throws: ExecutionError.invalidBlock(.viewBeforeEra(first: world.state.era.firstView))) {
      try world.state.executing([], in: context)
    }
  }
}
