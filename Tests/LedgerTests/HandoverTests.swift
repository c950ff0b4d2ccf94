import Ledger
import Messages
import Signing
import Testing

/// Epoch rule 7: an end changes its edge at the start of an epoch, under the same escrow.
@Suite struct HandoverTests {
  private let operatorKey = "operator-0 controller"

  @Test func eachEndHasItsEdgeInEveryEpoch() throws {
    var world = try World()
    let id = try world.reserveFlow(try world.deploy(), epochs: 50)
    try world.start(id, epochs: 1)
    let escrow = world.state.activation(id)?.escrow
    #expect(try world.send(world.handover(id, from: 4), by: operatorKey) == .accepted)
    let back = world.handover(id, from: 8, cell: "cell-1", edge: "operator-0 edge")
    #expect(try world.send(back, by: operatorKey) == .accepted)
    let far = world.handover(id, from: 6, end: .far, cell: "cell-1", edge: "operator-0 edge")
    #expect(try world.send(far, by: operatorKey) == .accepted)
    let record = try #require(world.state.activation(id))
    let reservation = try #require(record.reservation)
    let one = World.key("operator-0 edge").publicKey
    let two = World.key("operator-0 edge 2").publicKey
    #expect([3, 4, 7, 8, 49].map { reservation.edge(at: .near, in: $0) } == [one, two, two, one, one])
    #expect([0, 5, 6, 49].map { reservation.edge(at: .far, in: $0) } == [two, two, one, one])
    #expect([3, 4, 8].map { reservation.cell(at: .near, in: $0, of: record.order) } == ["cell-1", "pass", "cell-1"])
    // The anchor stays, and nobody pays for it.
    #expect(reservation.edge == one)
    #expect(record.escrow == escrow)
    #expect(reservation.planHash == Digest(hashing: [11]))
  }

  @Test func whatIsNoHandover() throws {
    var world = try World()
    let id = try world.reserve(try world.deploy())
    try world.start(id, epochs: 1)
    func expect(_ code: TransactionResult, _ action: Action, by name: String = "operator-0 controller") throws {
      #expect(try world.send(action, by: name, after: .milliseconds(1)) == code)
    }
    try expect(.permissionDenied, world.handover(id, from: 4), by: "operator-1 controller")
    try expect(.permissionDenied, world.handover(id, from: 4), by: "hospital treasury")
    try expect(.notFound, world.handover(ActivationID(Digest(hashing: [1])), from: 4))
    // Epoch 2 begins before the contract's lead is over; the booking has ten epochs.
    try expect(.outOfRange, world.handover(id, from: 2))
    try expect(.outOfRange, world.handover(id, from: 0))
    try expect(.outOfRange, world.handover(id, from: 10))
    try expect(.invalidArgument, world.handover(id, from: 4, end: .far))
    try expect(.serviceAreaNotSupported, world.handover(id, from: 4, cell: "elsewhere"))
    try expect(.invalidArgument, world.handover(id, from: 4, edge: "operator-1 edge"))
    try expect(.invalidArgument, world.handover(id, from: 4, edge: "operator-0 controller"))
    try expect(.accepted, world.handover(id, from: 4))
    // What was agreed is not undone by something earlier.
    try expect(.failedPrecondition, world.handover(id, from: 4))
    try expect(.failedPrecondition, world.handover(id, from: 3))
    try expect(.accepted, world.handover(id, from: 9))
  }

  @Test func handoversAreBounded() throws {
    var world = try World()
    let id = try world.reserve(try world.deploy(), epochs: 100)
    for epoch in 1...UInt64(ActivationLimits.handovers) {
      let action = world.handover(id, from: epoch + 10)
      #expect(try world.send(action, by: operatorKey, after: .milliseconds(1)) == .accepted)
    }
    #expect(try world.send(world.handover(id, from: 90), by: operatorKey, after: .milliseconds(1)) == .outOfRange)
  }

  @Test func noneAfterTheEnd() throws {
    var world = try World()
    let id = try world.reserve(try world.deploy())
    try world.start(id, epochs: 1)
    #expect(try world.send(.terminate(id), by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    // Epoch 1 is the last now.
    #expect(try world.send(world.handover(id, from: 4), by: operatorKey, after: .milliseconds(1)) == .outOfRange)
    try world.start(id, epochs: 3)
    #expect(try world.send(world.handover(id, from: 6), by: operatorKey) == .failedPrecondition)
  }
}
