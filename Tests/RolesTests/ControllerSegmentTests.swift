import Effects
import Messages
import Slicing
import Testing

@testable import Roles
@testable import Signing

/// Extend and Renegotiate, and advance booking.
@Suite struct ControllerSegmentTests {
  /// Twice as much for twice the price.
  private static let better: ContractTerms = {
    var terms = Chain.terms
    terms.deploymentNumber = 2
    terms.service.guaranteedUp = 2_000_000
    terms.service.guaranteedDown = 2_000_000
    terms.money.pricePerEpoch = 20
    return terms
  }()

  private func proposal(
    _ story: ControllerStory, _ id: ActivationID, contract: ContractTerms = Chain.terms, index: UInt64 = 1,
    epochs: UInt64 = 5, plan: Digest? = nil, lifetime: Height = SegmentOrder.lifetime,
    by name: String = "hospital treasury"
  ) throws -> Message {
    let inForce = try #require(story.slices.first { $0.activation == id }).plan.hash
    let order = SegmentOrder(
      activation: id, index: index, contract: contract.id, epochs: epochs, plan: plan ?? inForce,
      expiry: story.driver.core.follower.height + lifetime)
    return .proposeSegment(
      SignedMessage(signing: order, with: Chain.key(name), network: story.chain.genesis.networkID))
  }

  private func refusal(_ story: inout ControllerStory, _ message: Message) -> RemoteError.Code? {
    let token = story.driver.ask(message, by: ActorAddress(.customer, "hospital"))
    guard case .failure(let error)? = story.driver.replies[token] else { return nil }
    return error.code
  }

  private func updates(_ told: [(to: ActorAddress, message: Message)]) -> [BookingUpdate] {
    told.compactMap { if case .updateBooking(let update) = $0.message { update } else { nil } }
  }

  @Test func anExtensionIsHeldSignedAndTold() throws {
    var story = try ControllerStory(domains: [.radio])
    let id = try story.serving()
    try story.begin()
    let proposal = try proposal(story, id)
    #expect(refusal(&story, proposal) == nil && refusal(&story, proposal) == nil)
    let longer = try self.proposal(story, id, lifetime: SegmentOrder.lifetime + 1)
    #expect(refusal(&story, longer) == nil, "the same again, signed anew")
    #expect(story.driver.count(\.isSubmission) == 0, "not before the domain has it")
    story.obeyAll()
    let sent = story.driver.takeSubmissions().map(\.transaction)
    guard sent.count == 1, case .extend = sent[0].transaction.action else {
      Issue.record("not extended")
      return
    }
    try story.block(sent, after: .milliseconds(100))
    #expect(story.chain.results[sent[0].id] == .accepted)
    #expect(story.slices.map(\.state) == [.confirmed, .confirmed])
    let windows = story.slices.map(\.plan.window)
    #expect(windows[1].from == windows[0].to - Chain.terms.metering.grace)
    #expect(windows[1].to - windows[1].from == Chain.terms.serviceSpan(epochs: 5))
    guard case .segment(_, let terms, from: 4)? = updates(story.obeyAll()).first else {
      Issue.record("the edge is not told")
      return
    }
    #expect(terms == Chain.terms)
    #expect(refusal(&story, proposal) == nil, "done already")
    // Both slices end with the activation.
    try story.block([story.chain.sign(.terminate(id), by: "hospital treasury")])
    try story.block([], after: .seconds(1))
    #expect(story.driver.count(\.isEndSession) == 1)
  }

  @Test func aRenegotiationReplacesTheRunningSlice() throws {
    var story = try ControllerStory(offers: [Self.better])
    let id = try story.serving()
    try story.begin()
    #expect(refusal(&story, try proposal(story, id, contract: Self.better)) == nil)
    let sent = story.driver.takeSubmissions().map(\.transaction)
    guard sent.count == 1, case .renegotiate = sent[0].transaction.action else {
      Issue.record("not renegotiated")
      return
    }
    try story.block(sent, after: .milliseconds(100))
    #expect(story.chain.results[sent[0].id] == .accepted)
    guard case .segment(_, let terms, let from)? = updates(story.obeyAll()).first else {
      Issue.record("the edge is not told")
      return
    }
    #expect(terms == Self.better && from < Chain.epochs && from > 0)
    #expect(story.slices.map(\.state) == [.confirmed, .confirmed])
    #expect(story.slices[1].plan.throughputUp == 2_000_000)
    for _ in 0..<8 { try story.block() }
    #expect(story.slices.map(\.state) == [.released, .confirmed])
  }

  @Test func whatCannotBeKeptIsNotSigned() throws {
    var story = try ControllerStory(offers: [Self.better])
    let id = try story.serving()
    // The others fill what is left.
    try story.block((0..<9).map { _ in story.chain.order() })
    try story.settleSubmissions()
    story.obeyAll()
    try story.begin()
    #expect(refusal(&story, try proposal(story, id, contract: Self.better)) == .failedPrecondition)
    #expect(refusal(&story, try proposal(story, id, by: "clinic treasury")) == .permissionDenied)
    #expect(refusal(&story, try proposal(story, id, index: 2)) == .invalidArgument)
    #expect(refusal(&story, try proposal(story, id, epochs: 0)) == .invalidArgument)
    #expect(refusal(&story, try proposal(story, id, epochs: .max)) == .invalidArgument)
    #expect(refusal(&story, try proposal(story, id, plan: .zero)) == .failedPrecondition)
    let stale = try proposal(story, id, lifetime: ControllerCore.carrierLifetime)
    #expect(refusal(&story, stale) == .failedPrecondition)
    #expect(story.slices.count == 10 && story.driver.count(\.isSubmission) == 0)
    // Alone on its own way, the same again is.
    #expect(refusal(&story, try proposal(story, id)) == nil)
  }

  @Test func tooLateIsTooLate() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    #expect(refusal(&story, try proposal(story, id)) == .failedPrecondition, "not running yet")
    for _ in 0..<9 { try story.block() }
    #expect(refusal(&story, try proposal(story, id)) == .failedPrecondition)
  }

  @Test(arguments: [false, true])
  func aCrashLeavesOneSegmentOrNone(carried: Bool) throws {
    var story = try ControllerStory(domains: [.radio])
    let id = try story.serving()
    try story.begin()
    let proposal = try proposal(story, id)
    #expect(refusal(&story, proposal) == nil)
    if carried { story.obeyAll() }
    try story.driver.restart(story.chain, after: .milliseconds(10))
    story.obeyAll()
    #expect(refusal(&story, proposal) == nil)
    story.obeyAll()
    #expect(story.driver.count(\.isSubmission) == 1)
    try story.settleSubmissions()
    #expect(story.slices.filter { $0.state == .confirmed }.count == 2)
    #expect(story.chain.state.activation(id)?.segments.count == 2)
  }

  /// Ordered now for hours that open later.
  @Test func aBookingWaitsForTheHoursOfTheContract() throws {
    var terms = Chain.terms
    terms.deploymentNumber = 3
    let opens = Chain.start + .seconds(20)
    terms.context.serviceTimes = [
      TimeWindow(from: Chain.start, to: Chain.start + .seconds(4)), TimeWindow(from: opens, to: opens + .seconds(9)),
    ]
    var story = try ControllerStory(offers: [terms])
    try story.block([story.chain.order(under: terms)])
    guard case .confirmSlice(let confirmation)? = story.takeActions().first else {
      Issue.record("not confirmed")
      return
    }
    #expect(confirmation.startAt == opens)
  }

  /// Booked for later, and for whenever there is room before the latest start.
  @Test func anAdvanceBookingStartsWhenThereIsRoom() throws {
    var story = try ControllerStory()
    try story.block((0..<10).map { _ in story.chain.order() })
    try story.settleSubmissions()
    story.obeyAll()
    let end = try #require(story.slices.first).plan.window.to
    let order = story.chain.order()
    try story.block([order])
    guard case .confirmSlice(let confirmation)? = story.takeActions().first else {
      Issue.record("rejected though there is room later")
      return
    }
    #expect(confirmation.startAt >= end && confirmation.startAt <= end + .seconds(1))
    let impatient = story.chain.order(latestStart: .seconds(2))
    try story.block([impatient])
    guard case .rejectSlice? = story.takeActions().last else {
      Issue.record("confirmed beyond its latest start")
      return
    }
  }
}
