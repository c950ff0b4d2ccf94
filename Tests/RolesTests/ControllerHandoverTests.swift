import Effects
import Messages
import Slicing
import Testing

@testable import Roles
@testable import Signing

/// Flows between two customers over two edges, and ends that move.
@Suite struct ControllerHandoverTests {
  private static let hospital = ActorAddress(.customer, "hospital")
  private static let clinic = ActorAddress(.customer, "clinic")

  private func move(_ id: ActivationID, _ end: FlowEnd = .near, to cell: String = "cell-2") -> Message {
    .requestHandover(HandoverRequest(activation: id, end: end, cell: cell))
  }

  private func refusal(_ story: inout ControllerStory, _ message: Message, by asker: ActorAddress) -> RemoteError.Code?
  {
    let token = story.driver.ask(message, by: asker)
    guard case .failure(let error)? = story.driver.replies[token] else { return nil }
    return error.code
  }

  // MARK: Two edges

  @Test func bothEdgesServeAndKnowEachOther() throws {
    var story = try ControllerStory()
    let id = try story.requestedBetweenTwo()
    guard
      case .confirmSlice(let confirmation)? = story.driver.requests.lazy.compactMap({ request -> Action? in
        if case .submit(let transaction) = request.message { transaction.transaction.action } else { nil }
      }).first
    else {
      Issue.record("not confirmed")
      return
    }
    #expect(confirmation.edge == Chain.edgeKey && confirmation.peerEdge == Chain.otherEdgeKey)
    try story.settleSubmissions()
    let told = story.obeyAll()
    var orders: [FlowEnd: ServiceOrder] = [:]
    var routes: [ActorAddress: [ServiceRoute]] = [:]
    for (edge, message) in told {
      if case .openService(let order) = message { orders[order.end] = order }
      if case .routeService(let route) = message { routes[edge, default: []].append(route) }
    }
    #expect(orders[.near]?.anchor == nil && orders[.near]?.peerEdge == ControllerStory.farEdge)
    #expect(orders[.far]?.anchor == ControllerStory.nearEdge && orders[.far]?.peerEdge == ControllerStory.nearEdge)
    #expect(orders[.near]?.flow == orders[.far]?.flow && orders[.near]?.pathDelay == .microseconds(2_500))
    for (edge, other) in [
      (ControllerStory.nearEdge, ControllerStory.farEdge), (ControllerStory.farEdge, ControllerStory.nearEdge),
    ] {
      #expect(routes[edge] == [ServiceRoute(activation: id, from: 0, port: ControllerStory.port(of: other))])
    }
    // Both let go.
    try story.block([story.chain.sign(.terminate(id), by: "hospital treasury")], after: .milliseconds(100))
    let closed = story.obeyAll().filter { $0.message.isCloseService }.map(\.to)
    #expect(closed == [ControllerStory.nearEdge, ControllerStory.farEdge] && story.carriers == 0)
  }

  @Test func flowsOfOneOperatorHaveDifferentNumbers() throws {
    var story = try ControllerStory()
    try story.block((0..<3).map { _ in story.chain.order() })
    try story.settleSubmissions()
    let flows = story.obeyAll().compactMap { told -> UInt32? in
      if case .openService(let order) = told.message { order.flow } else { nil }
    }
    #expect(flows.count == 3 && Set(flows).count == 3)
  }

  @Test func oneEdgeServesBothEndsOfACell() throws {
    var story = try ControllerStory()
    _ = try story.requestedBetweenTwo(peerCell: "cell-1")
    try story.settleSubmissions()
    let orders = story.obeyAll().compactMap { told -> ServiceOrder? in
      if case .openService(let order) = told.message { order } else { nil }
    }
    #expect(orders.map(\.end) == [.near, .far])
    #expect(orders.allSatisfy { $0.anchor == nil && $0.peerEdge == ControllerStory.nearEdge })
  }

  @Test func aLostOrderIsRepeatedWithinTheLead() throws {
    var story = try ControllerStory()
    _ = try story.requested()
    try story.settleSubmissions()
    for _ in 0..<4 {
      #expect(story.driver.answer(.failure(RemoteError(.deadlineExceeded))) { $0.message.isOpenService })
      story.driver.wait(.milliseconds(200))
    }
    #expect(story.driver.count(\.isOpenService) == 1)
  }

  // MARK: Handover

  @Test func theNewEdgeTakesPacketsBeforeTheLedgerIsTold() throws {
    var story = try ControllerStory()
    let id = try story.servingBetweenTwo(epochs: 10)
    try story.begin()
    let token = story.driver.ask(move(id), by: Self.hospital)
    guard case .success(.acknowledged)? = story.driver.replies[token] else {
      Issue.record("not taken: \(String(describing: story.driver.replies[token]))")
      return
    }
    #expect(story.slices.map(\.state) == [.confirmed, .held])
    #expect(story.driver.count(\.isSubmission) == 0)
    guard case .openService(let order)? = story.driver.requests.first(where: { $0.message.isOpenService })?.message
    else {
      Issue.record("the new edge is not told")
      return
    }
    #expect(order.end == .near && order.from > 0 && order.anchor == ControllerStory.nearEdge)
    story.obeyAll()
    let sent = story.driver.takeSubmissions().map(\.transaction)
    guard case .handOver(let handover)? = sent.first?.transaction.action else {
      Issue.record("not handed over")
      return
    }
    #expect(handover.from == order.from && handover.edge == Chain.otherEdgeKey && handover.cell == "cell-2")
    #expect(handover.plan == story.slices.last?.plan.hash)
    try story.block(sent, after: .milliseconds(100))
    #expect(story.chain.results[sent[0].id] == .accepted)
    #expect(story.slices.map(\.state) == [.confirmed, .confirmed])
    let told = story.obeyAll()
    let updated = told.filter { if case .updateBooking = $0.message { true } else { false } }.map(\.to)
    #expect(Set(updated) == [ControllerStory.nearEdge, ControllerStory.farEdge])
    let route = ServiceRoute(
      activation: id, from: handover.from, port: ControllerStory.port(of: ControllerStory.farEdge))
    #expect(!told.contains { $0.message == .routeService(route) }, "it serves both ends now: no way to itself")
    // The old slice goes when the last packet of the epoch before is through.
    while story.slices[0].state == .confirmed { try story.block() }
    let start = try #require(story.chain.state.activation(id)?.reservation?.startAt)
    let end = start + .seconds(Int64(handover.from)) + Chain.terms.metering.grace
    #expect(story.chain.state.time >= end && story.chain.state.time < end + .milliseconds(600))
    #expect(story.carriers == 2, "its edges serve on")
  }

  @Test func askedAgainItIsOneHandover() throws {
    var story = try ControllerStory()
    let id = try story.servingBetweenTwo(epochs: 10)
    try story.begin()
    for _ in 0..<3 { #expect(refusal(&story, move(id), by: Self.hospital) == nil) }
    #expect(story.slices.count == 2)
    #expect(refusal(&story, move(id, .far, to: "cell-1"), by: Self.clinic) == .unavailable)
    story.obeyAll()
    try story.settleSubmissions()
    story.obeyAll()
    #expect(refusal(&story, move(id), by: Self.hospital) == nil)
    #expect(story.slices.count == 2 && story.driver.count(\.isSubmission) == 0)
    // Back again.
    #expect(refusal(&story, move(id, to: "cell-1"), by: Self.hospital) == nil)
    story.obeyAll()
    try story.settleSubmissions()
    #expect(story.slices.filter { $0.state == .confirmed }.count >= 2)
  }

  @Test func onlyItsOwnerMovesAnEndAndOnlyWhereServiceIs() throws {
    var story = try ControllerStory()
    let id = try story.servingBetweenTwo(epochs: 10)
    let single = try story.serving()
    try story.begin()
    #expect(refusal(&story, move(id), by: Self.clinic) == .permissionDenied)
    #expect(refusal(&story, move(id, .far, to: "cell-1"), by: Self.hospital) == .permissionDenied)
    #expect(refusal(&story, move(id), by: ActorAddress(.client, "hospital")) == .permissionDenied)
    #expect(refusal(&story, move(single, .far, to: "cell-1"), by: Self.hospital) == .permissionDenied)
    #expect(refusal(&story, move(id, to: "cell-9"), by: Self.hospital) == .failedPrecondition)
    #expect(refusal(&story, move(ActivationID(.zero)), by: Self.hospital) == .notFound)
    #expect(story.slices.count == 2)
  }

  /// A full cell: the old slice stays in force.
  @Test func aHandoverThatDoesNotFitIsRefused() throws {
    var story = try ControllerStory()
    let orders = (0..<6).map { _ in story.orderBetweenTwo(epochs: 20, peerCell: "cell-2") }
    try story.block(orders)
    try story.settleSubmissions()
    story.obeyAll()
    try story.begin()
    // Near and far in one cell take its radio link twice, and the last has its far end there: five do not fit.
    let refusals = orders.map { refusal(&story, move(ActivationID($0.id)), by: Self.hospital) }
    #expect(refusals == [nil, nil, nil, nil, .failedPrecondition, .failedPrecondition])
    #expect(story.slices.count { $0.state == .confirmed } == 6)
  }

  @Test func aRefusedHandoverLeavesTheOldSlice() throws {
    var story = try ControllerStory(domains: [.radio])
    let id = try story.servingBetweenTwo(epochs: 10)
    try story.begin()
    #expect(refusal(&story, move(id), by: Self.hospital) == nil)
    story.driver.answer(.failure(RemoteError(.failedPrecondition))) { $0.message.isAllocation }
    #expect(story.slices.map(\.state) == [.confirmed, .released])
    // And one that reaches the ledger too late for the epoch that it names.
    #expect(refusal(&story, move(id), by: Self.hospital) == nil)
    story.obeyAll()
    try story.settleSubmissions(after: .seconds(3))
    #expect(story.slices.map(\.state) == [.confirmed, .released, .released])
    try story.serviceOver()
    #expect(story.slices.first?.state == .confirmed)
  }

  /// A crash after each step: in the end there is one handover, and nothing is left of the slice before.
  @Test(arguments: 0..<4)
  func aCrashAtAnyStepLeavesOneSlice(step: Int) throws {
    var story = try ControllerStory(domains: [.radio])
    let id = try story.servingBetweenTwo(epochs: 12)
    try story.begin()
    #expect(refusal(&story, move(id), by: Self.hospital) == nil)
    if step > 0 { story.obeyAll { $0.isAllocation } }
    if step > 1 { story.obeyAll { $0.isOpenService } }
    if step > 2 { try story.chain.append(story.driver.takeSubmissions().map(\.transaction), after: .milliseconds(100)) }
    try story.driver.restart(story.chain, after: .milliseconds(10))
    story.obeyAll()
    // A customer asks again until the ledger says so.
    #expect(refusal(&story, move(id), by: Self.hospital) == nil)
    story.obeyAll()
    try story.settleSubmissions()
    story.obeyAll()
    #expect(story.slices.filter { $0.state == .confirmed }.count == 2)
    for _ in 0..<8 { try story.block() }
    story.obeyAll()
    let live = story.slices.filter { $0.state != .released }
    #expect(live.count == 1 && live.first?.plan.cell == NodeID(3))
    #expect(story.slices.filter { $0.state == .released }.allSatisfy { $0.subSlices.map(\.phase) == [.released] })
  }
}
