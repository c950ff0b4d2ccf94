import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

/// What changes about a booking: moves, segments, its end; and one that begins much later.
@Suite struct CustomerAmendingTests {
  static func proposal(_ story: inout CustomerStory) -> SegmentOrder? {
    let message = story.driver.takeMessage { message -> SignedMessage<SegmentOrder>? in
      if case .proposeSegment(let message) = message { message } else { nil }
    }
    return try? message?.payload()
  }

  static func update(_ story: inout CustomerStory) -> BookingUpdate? {
    story.driver.takeMessage { if case .updateBooking(let update) = $0 { update } else { nil } }
  }

  static func amendment(_ order: SegmentOrder, _ story: inout CustomerStory) -> SignedTransaction {
    func signed(by name: String) -> Envelope {
      Envelope(signing: order, with: Chain.key(name), network: story.chain.genesis.networkID)
    }
    let (one, other) = (signed(by: "hospital treasury"), signed(by: "alpha controller"))
    let action: Action =
      order.contract == Chain.terms.id
      ? .extend(byCustomer: one, byOperator: other) : .renegotiate(byCustomer: one, byOperator: other)
    return story.chain.sign(action, by: "alpha controller")
  }

  @Test func aMoveIsAskedForAtItsEpochAndToldToTheEnclave() throws {
    var story = try CustomerStory {
      $0.epochs = 30
      $0.moves = [PlannedMove(epoch: 2, cell: "cell-2")]
    }
    let id = try story.serving()
    try story.blocks(for: .seconds(3))
    #expect(!story.driver.requests.contains { $0.to == CustomerStory.controller })
    try story.blocks(for: .seconds(2))
    let request = story.driver.takeMessage { if case .requestHandover(let request) = $0 { request } else { nil } }
    #expect(request == HandoverRequest(activation: id, end: .near, cell: "cell-2"))
    // Taken is not done: it is asked for again.
    try story.blocks(for: CustomerCore.proposalInterval + .seconds(1))
    let again = story.driver.takeMessage { if case .requestHandover(let request) = $0 { request } else { nil } }
    #expect(again == request)
    let handover = SliceHandover(
      activation: id, end: .near, from: 15, cell: "cell-2", edge: Chain.otherEdgeKey, plan: Digest(hashing: [2]))
    let signed = story.chain.sign(.handOver(handover), by: "alpha controller")
    try story.block([signed])
    #expect(story.chain.results[signed.id] == .accepted)
    let update = Self.update(&story)
    #expect(update == .handover(handover, edge: ActorAddress(.edge, "alpha-2"), port: nil))
    try story.blocks(for: CustomerCore.proposalInterval * 2)
    #expect(!story.driver.requests.contains { $0.to == CustomerStory.controller })
  }

  @Test func anExtensionIsSignedFollowedAndToldToTheEnclave() throws {
    var story = try CustomerStory {
      $0.epochs = 20
      $0.amendments = [PlannedAmendment(.extend, at: 1, epochs: 7)]
    }
    let id = try story.serving()
    try story.blocks(for: .seconds(4))
    let proposed = Self.proposal(&story)
    let order = try #require(proposed)
    let expected = SegmentOrder(
      activation: id, index: 1, contract: Chain.terms.id, epochs: 7, plan: .zero,
      expiry: story.driver.core.tip.height + SegmentOrder.lifetime)
    #expect(order.asksTheSame(as: expected) && order.expiry <= expected.expiry)
    let amendment = Self.amendment(order, &story)
    try story.block([amendment])
    let update = Self.update(&story)
    #expect(update == .segment(order, Chain.terms, from: 20))
    #expect(story.driver.core.purchases[0].epochs == 27 && story.driver.core.purchases[0].epochsAtEnclave == 27)
    #expect(!story.driver.requests.contains { $0.message.isEndSession })
  }

  @Test func aRenegotiationBeginsWithTheFirstEpochThatIsFarEnough() throws {
    var dearer = Chain.terms
    dearer.deploymentNumber = 2
    dearer.money.pricePerEpoch = 20
    var story = try CustomerStory {
      $0.epochs = 20
      $0.amendments = [PlannedAmendment(.renegotiate(dearer), at: 1, epochs: 5)]
    }
    try story.block([story.chain.sign(.deployContract(dearer), by: "alpha controller")])
    let id = try story.serving()
    try story.blocks(for: .seconds(4))
    let proposed = Self.proposal(&story)
    let order = try #require(proposed)
    #expect(order.contract == dearer.id && order.epochs == 5)
    let amendment = Self.amendment(order, &story)
    try story.block([amendment])
    let record = try #require(story.chain.state.activation(id))
    let first = try #require(record.segments.last).first
    let update = Self.update(&story)
    #expect(update == .segment(order, dearer, from: first))
    #expect(story.driver.core.purchases[0].epochs == first + 5)
  }

  /// The enclave may not have heard: everything is told again. What the ledger has is not asked for again.
  @Test func afterARestartTheEnclaveIsToldAgainAndTheControllerIsNotAskedAgain() throws {
    var story = try CustomerStory {
      $0.epochs = 30
      $0.moves = [PlannedMove(epoch: 0, cell: "cell-2")]
      $0.amendments = [PlannedAmendment(.extend, at: 0, epochs: 7)]
    }
    let id = try story.serving()
    try story.blocks(for: .seconds(3))
    let proposed = Self.proposal(&story)
    let order = try #require(proposed)
    let handover = SliceHandover(
      activation: id, end: .near, from: 15, cell: "cell-2", edge: Chain.otherEdgeKey, plan: .zero)
    let amendment = Self.amendment(order, &story)
    try story.block([story.chain.sign(.handOver(handover), by: "alpha controller"), amendment])
    try story.driver.restart(story.chain)
    story.driver.answer(.success(.acknowledged)) { $0.message.isOpenSession }
    // One after the other: an enclave takes changes in the ledger's order.
    let updates = (0..<2).map { _ in Self.update(&story) }
    #expect(
      updates == [
        .handover(handover, edge: ActorAddress(.edge, "alpha-2"), port: nil), .segment(order, Chain.terms, from: 30),
      ])
    try story.blocks(for: .seconds(6))
    #expect(!story.driver.requests.contains { $0.to == CustomerStory.controller })
  }

  @Test func anOperatorThatRefusesAMoveIsNotAskedForEver() throws {
    var story = try CustomerStory {
      $0.epochs = 30
      $0.moves = [PlannedMove(epoch: 0, cell: "cell-2")]
    }
    _ = try story.serving()
    try story.blocks(for: .seconds(3))
    let isHandoverRequest = { (request: Driver<CustomerCore>.Request) in
      if case .requestHandover = request.message { true } else { false }
    }
    let refusal = RemoteError(.failedPrecondition, "no slice to that cell")
    var asked = 0
    for _ in 0..<60 {
      if story.driver.answer(.failure(refusal), isHandoverRequest) { asked += 1 }
      try story.blocks(for: .milliseconds(500))
    }
    #expect(asked == CustomerCore.maximumProposals)
    #expect(!story.driver.requests.contains(where: isHandoverRequest))
  }

  @Test func itTerminatesWhenPlanned() throws {
    var story = try CustomerStory {
      $0.epochs = 20
      $0.terminateAfter = 3
    }
    let id = try story.serving()
    try story.blocks(for: .seconds(3))
    let submissions = story.driver.takeSubmissions()
    #expect(submissions.isEmpty)
    story.driver.wait(.milliseconds(500))
    try story.blocks(for: .seconds(1))
    let sent = story.driver.takeStatement { $0 == .terminate(id) }
    let terminate = try #require(sent)
    // Not in a block yet: the same bytes again, to another member.
    story.driver.wait(CustomerCore.resend)
    let again = story.driver.takeStatement { $0 == .terminate(id) }
    #expect(again?.id == terminate.id)
    try story.block([terminate])
    #expect(story.driver.core.purchases[0].epochs < 20)
    try story.blocks(for: .seconds(4))
    #expect(story.driver.takeSubmissions().isEmpty)
  }

  @Test func anAdvanceBookingIsQuietUntilItsTime() throws {
    var story = try CustomerStory {
      $0.startAfter = .seconds(3_600)
      $0.startWithin = .seconds(3_700)
    }
    _ = try story.reserved(after: .seconds(3_650))
    #expect(story.stage == "opening" && story.driver.requests.isEmpty)
    let shown1 = story.status()
    #expect(shown1 == "SCHEDULED (opening)")
    // The follower's own questions aside, nothing wakes before the session is due.
    let timers = story.driver.timers.filter { $0.key.purpose != LedgerFollower.timerPurpose }
    #expect(timers.values.min() ?? .zero > story.chain.state.time + .seconds(3_500))
    story.driver.wait(.seconds(3_600))
    #expect(story.driver.count(\.isOpenSession) == 1)
  }

  @Test func itsStatusUsesTheNamesOfCAMARA() throws {
    var story = try CustomerStory()
    let shown2 = story.status()
    #expect(shown2 == "REQUESTED (planned)")
    _ = try story.serving()
    let shown3 = story.status()
    #expect(shown3 == "SCHEDULED (serving)")
    try story.blocks(for: .seconds(3))
    let shown4 = story.status()
    #expect(shown4 == "AVAILABLE (serving)")
    try story.blocks(for: .seconds(4))
    let shown5 = story.status()
    #expect(shown5 == "UNAVAILABLE (serving)")
  }
}
