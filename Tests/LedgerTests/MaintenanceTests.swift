import Ledger
import Messages
import Signing
import Testing

/// AnnounceMaintenance binds whoever could know of it, and nobody else.
@Suite struct MaintenanceTests {
  private let operatorKey = "operator-0 controller"

  private func window(_ from: Int64, _ to: Int64) -> TimeWindow {
    TimeWindow(from: World.start + .seconds(from), to: World.start + .seconds(to))
  }

  private func announce(_ window: TimeWindow, _ cells: [String] = ["cell-1"]) -> Action {
    .announceMaintenance(Maintenance(window: window, cells: cells))
  }

  @Test func itBindsOrdersMadeAfterIt() throws {
    var world = try World()
    let contract = try world.deploy()
    let before = try world.request(contract)
    for (span, cells) in [((60, 70), ["cell-1"]), ((30, 40), ["pass", "cell-1"]), ((50, 55), ["pass"])]
      as [((Int64, Int64), [String])]
    {
      #expect(try world.send(announce(window(span.0, span.1), cells), by: operatorKey) == .accepted)
    }
    // Another operator's are no concern of this contract.
    #expect(try world.send(announce(window(20, 90)), by: "operator-1 controller") == .accepted)
    let after = try world.request(contract)
    #expect(world.state.activation(before)?.maintenance == [])
    #expect(world.state.activation(after)?.maintenance == [window(30, 40), window(60, 70)])
    let flow = try world.reserveFlow(contract)
    #expect(world.state.activation(flow)?.maintenance == [window(30, 40), window(50, 55), window(60, 70)])
  }

  /// Whose block it is decides the order in it: an announcement before a waiting order, or in a block before it.
  @Test(arguments: [false, true])
  func itBindsNobodyWhoCouldNotKnow(inSameBlock: Bool) throws {
    var world = try World()
    let contract = try world.deploy()
    let known = announce(window(60, 70))
    #expect(try world.send(known, by: operatorKey) == .accepted)
    let waiting = world.sign(.activate(world.order(contract)), by: "hospital treasury")
    // Whoever claims to know less is bound by less.
    let hasty = world.sign(
      .activate(world.order(contract)), by: "hospital treasury",
      expiry: world.state.height + Transaction.orderLifetime - 1)
    let late = world.sign(announce(window(50, 55)), by: operatorKey)
    if inSameBlock {
      try world.block([late, waiting, hasty])
    } else {
      try world.block([late])
      try world.block([waiting, hasty])
    }
    #expect(world.state.activation(ActivationID(waiting.id))?.maintenance == [window(60, 70)])
    #expect(world.state.activation(ActivationID(hasty.id))?.maintenance == [])
    let after = try world.request(contract)
    #expect(world.state.activation(after)?.maintenance == [window(50, 55), window(60, 70)])
  }

  @Test func whatIsNoAnnouncement() throws {
    var world = try World()
    try world.block()
    func expect(_ code: TransactionResult, _ action: Action, by name: String = "operator-0 controller") throws {
      #expect(try world.send(action, by: name) == code)
    }
    try expect(.permissionDenied, announce(window(30, 40)), by: "hospital treasury")
    try expect(.permissionDenied, announce(window(30, 40)), by: "operator-0 edge")
    try expect(.invalidArgument, announce(window(40, 40)))
    try expect(.invalidArgument, announce(window(30, 40), []))
    try expect(.invalidArgument, announce(window(30, 40), ["cell-1", "cell-1"]))
    try expect(.deadlinePassed, announce(TimeWindow(from: .zero, to: World.start)))
    try expect(.outOfRange, announce(window(30, 400 * 86_400)))
    try expect(.accepted, announce(window(30, 40)))
    try expect(.alreadyExists, announce(window(30, 40)))
  }

  @Test func windowsAreBoundedAndForgottenWhenTheyAreOver() throws {
    var world = try World()
    let contract = try world.deploy()
    for index in 0..<Int64(ActivationLimits.maintenanceWindows) {
      #expect(try world.send(announce(window(20 + index, 40)), by: operatorKey, after: .milliseconds(1)) == .accepted)
    }
    #expect(try world.send(announce(window(50, 60)), by: operatorKey) == .outOfRange)
    let id = try world.request(contract)
    #expect(world.state.activation(id)?.maintenance.count == ActivationLimits.maintenanceWindows)
    try world.advance(to: World.start + .seconds(40))
    let later = try world.request(contract)
    #expect(world.state.activation(later)?.maintenance == [])
    #expect(try world.send(announce(window(50, 60)), by: operatorKey) == .accepted)
    #expect(world.state.maintenance(of: World.organisation("operator-0"))?.announced.count == 1)
  }
}
