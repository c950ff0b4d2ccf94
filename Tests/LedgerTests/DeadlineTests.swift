import Ledger
import Messages
import Signing
import Testing

/// consensus.md, "Ledger time": no outage and no single leader can make a party miss a deadline.
@Suite struct DeadlineTests {
  @Test func oneLeaderAloneNeverMakesADeadlinePass() throws {
    // Five members: f = 1, so two different leaders.
    var world = try World()
    let id = try world.request(try world.deploy())
    for _ in 0..<50 { try world.block(after: .seconds(1), leader: 0) }
    #expect(world.state.state(of: id) == .requested)
    try world.block(leader: 1)
    #expect(world.state.state(of: id) == .nullified)
  }

  @Test func theBlockInWhichTheClockRunsOutDoesNotCountItself() throws {
    var world = try World()
    let id = try world.request(try world.deploy())
    guard case .requested(let confirmBy)? = world.state.activation(id)?.phase else {
      Issue.record("not REQUESTED")
      return
    }
    while world.state.chain.clock < confirmBy { try world.block(after: .seconds(1), leader: 0) }
    try world.block(leader: 1)
    #expect(world.state.state(of: id) == .requested)
    // Two leaders after it ran out: 1 and now 2.
    let answer = world.sign(.confirmSlice(world.confirmation(id)), by: "operator-0 controller")
    var late = world
    try late.block(leader: 2)
    #expect(late.state.state(of: id) == .nullified)
    // Until then an answer counts, in the very block that ends it.
    #expect(try world.block([answer], leader: 2) == [.accepted])
    #expect(world.state.state(of: id) == .reserved)
  }

  @Test func anOutageAddsTwoHeartbeatsAtMost() throws {
    var world = try World()
    let id = try world.request(try world.deploy())
    let clock = world.state.chain.clock
    try world.block(after: .seconds(86_400))
    #expect(world.state.chain.clock == clock + world.genesis.parameters.heartbeat * 2)
    for _ in 0..<3 { try world.block() }
    #expect(world.state.state(of: id) == .requested)
  }

  @Test func anOutageDoesNotHideThatServiceBegan() throws {
    var world = try World()
    let id = try world.reserve(try world.deploy())
    try world.block(after: .seconds(8))
    #expect(world.state.state(of: id) == .activated)
    // Epochs 0–2 are over: it ends with the fourth, not as if it had never been served.
    #expect(try world.send(.terminate(id), by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    #expect(world.state.activation(id)?.reservation?.epochs == 4)
  }

  @Test func aBacklogRunsInOrderAndBoundedAndExtendsNobodysTime() throws {
    var parameters = NetworkParameters.standard
    parameters.expiriesPerBlock = 2
    var world = try World(parameters: parameters)
    let contract = try world.deploy()
    let orders = (0..<5).map { _ in world.sign(.activate(world.order(contract)), by: "hospital treasury") }
    #expect(try world.block(orders) == [.accepted, .accepted, .accepted, .accepted, .accepted])
    let ids = orders.map { ActivationID($0.id) }.sorted()
    while world.archive.isEmpty { try world.block(after: .seconds(4)) }
    #expect(world.archive.map(\.record.id) == Array(ids[0..<2]))
    // The last one's deadline has passed too; only its turn has not come.
    let late = world.sign(.confirmSlice(world.confirmation(ids[4])), by: "operator-0 controller")
    #expect(try world.block([late]) == [.deadlinePassed])
    #expect(world.archive.map(\.record.id) == Array(ids[0..<4]))
    try world.block()
    #expect(world.archive.map(\.record.id) == ids)
    #expect(world.balance("hospital") == World.credit)
  }

  @Test func closingPaysByTheHighestRecordThatCame() throws {
    var world = try World()
    let id = try world.reserve(try world.deploy())
    try world.advance(to: world.state.time + .seconds(20))
    let short = world.signed(try world.record(id, met: 2))
    let long = world.signed(try world.record(id, met: 8, violated: 2))
    #expect(try world.send(.settleByRecord(id, short), by: "operator-0 controller") == .accepted)
    #expect(try world.send(.settleByRecord(id, long), by: "hospital treasury") == .accepted)
    #expect(try world.send(.settleByRecord(id, short), by: "operator-0 controller") == .failedPrecondition)
    try world.passDeadlines(to: world.state.time + .seconds(30))
    let change = try #require(world.ended(id))
    #expect(change.settlement == .unilateral)
    #expect(change.money.paid == 7 + 80)
    #expect(change.money.penalty == 6)
    #expect(world.balance("hospital") == World.credit - 87 + 6)
    #expect(world.balance("operator-0") == World.credit + 87 - 6)
  }

  @Test func registrationsOfEnclavesExpire() throws {
    var parameters = NetworkParameters.standard
    parameters.attestationLifetime = .seconds(60)
    var world = try World(parameters: parameters)
    let contract = try world.deploy()
    let enclave = World.key("hospital enclave").publicKey
    let expires = try #require(world.state.enclave(enclave)?.expires)
    while world.state.chain.clock < expires { try world.block(after: .seconds(4)) }
    #expect(try world.send(.activate(world.order(contract)), by: "hospital treasury") == .attestationRejected)
    try world.passDeadlines(to: expires)
    #expect(world.state.enclave(enclave) == nil)
  }
}
