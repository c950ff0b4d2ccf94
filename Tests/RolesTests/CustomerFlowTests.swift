import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

/// The hospital and the clinic, one flow between them.
struct FlowStory {
  var chain: Chain
  var payer: Driver<CustomerCore>
  var guest: Driver<CustomerCore>

  /// The hospital reads the ledger for the clinic, too.
  private let isShared: Bool

  init(
    isShared: Bool = false, flows: Int = 1, moves: [PlannedMove] = [],
    _ change: (inout PlannedActivation) -> Void = { _ in }
  ) throws {
    chain = try Chain()
    self.isShared = isShared
    var plan = CustomerStory.operation
    (plan.peer, plan.far) = ("clinic", CustomerStory.clinic)
    change(&plan)
    var acceptance = CustomerStory.consultation
    (acceptance.flows, acceptance.moves) = (flows, moves)
    var hospital = CustomerStory.configuration("hospital", chain.genesis, plan: [plan])
    var clinic = CustomerStory.configuration("clinic", chain.genesis, plan: [], acceptances: [acceptance])
    if isShared { (hospital.ledger, clinic.ledger) = (.reads(others: [clinic.reader]), .isTold) }
    payer = try CustomerStory.driver(hospital)
    guest = try CustomerStory.driver(clinic)
    try chain.offer()
    guest.start(chain)
    payer.start(chain)
    guest.hear(payer.takeTold())
    payer.wait(chain.state.time - Chain.start)
    guest.wait(chain.state.time - Chain.start)
    payer.answerEvidence(chain, of: "hospital")
    guest.answerEvidence(chain, of: "clinic")
  }

  mutating func block(_ transactions: [SignedTransaction] = []) throws {
    let segment = try chain.append(transactions)
    payer.wait(.milliseconds(500))
    guest.wait(.milliseconds(500))
    payer.publish(segment)
    if isShared { guest.hear(payer.takeTold()) } else { guest.publish(segment) }
  }

  var invitation: FlowInvitation? {
    for request in payer.requests {
      if case .inviteToFlow(let invitation) = request.message { return invitation }
    }
    return nil
  }

  /// The clinic's answer to an invitation.
  mutating func answer(to invitation: FlowInvitation) -> Result<Message, RemoteError>? {
    let token = guest.ask(.inviteToFlow(invitation), by: ActorAddress(.customer, "hospital"))
    return guest.replies[token]
  }

  /// The invitation goes over and the answer comes back.
  mutating func agree() throws {
    let invitation = try #require(invitation)
    let answer = answer(to: invitation)
    payer.answer(try #require(answer)) { $0.message.isInvitation }
  }

  mutating func reserved() throws -> ActivationID {
    try agree()
    let order = try payer.takeOrder()
    try block([order])
    let confirmation = SliceConfirmation(
      activation: ActivationID(order.id), planHash: .zero, startAt: chain.state.time + .seconds(2),
      edge: Chain.edgeKey, peerEdge: Chain.otherEdgeKey)
    try block([chain.sign(.confirmSlice(confirmation), by: "alpha controller")])
    return ActivationID(order.id)
  }

  mutating func serving() throws -> ActivationID {
    let id = try reserved()
    payer.answer(.success(.acknowledged)) { $0.message.isOpenSession }
    guest.answer(.success(.acknowledged)) { $0.message.isOpenSession }
    return id
  }
}

extension Message {
  var isInvitation: Bool { if case .inviteToFlow = self { true } else { false } }
}

@Suite struct CustomerFlowTests {
  @Test(arguments: [false, true]) func bothOpenTheirEndsOfAnAgreedFlow(isShared: Bool) throws {
    var story = try FlowStory(isShared: isShared)
    let id = try story.reserved()
    #expect(story.chain.results[Digest(value: id.value)] == .accepted)
    func session(_ driver: Driver<CustomerCore>) -> EnclaveSession? {
      for request in driver.requests {
        if case .openSession(let session) = request.message { return session }
      }
      return nil
    }
    let near = try #require(session(story.payer))
    let far = try #require(session(story.guest))
    #expect(near.end == .near && far.end == .far && near.order == far.order && far.activation == id)
    #expect(near.edge == ActorAddress(.edge, "alpha-1") && far.edge == ActorAddress(.edge, "alpha-2"))
    #expect(near.peerEnclave == ActorAddress(.enclave, "screen") && far.peerEnclave == CustomerStory.enclave)
    #expect(far.order.peerCell == "cell-2")
  }

  @Test(arguments: [false, true]) func aGuestSendsItsTrafficAndEndsWithTheFlow(isShared: Bool) throws {
    var story = try FlowStory(isShared: isShared)
    let id = try story.serving()
    #expect(story.guest.core.purchases[0].stage.name == "serving")
    for _ in 0..<40 { try story.block() }
    #expect(story.guest.count(\.isEnclaveStatusQuestion) == 0, "only the payer settles")
    let record = try story.chain.record(id, met: 4)
    try story.block([story.chain.sign(.settleByRecord(id, record), by: "alpha controller")])
    for _ in 0..<60 { try story.block() }
    #expect(story.guest.core.purchases[0].stage.name == "SETTLED")
    #expect(story.guest.steps.isEmpty, "a flow is told of once, by its payer")
  }

  @Test func aConsentIsDurableBeforeItLeavesAndTheSameForTheSameQuestion() throws {
    var story = try FlowStory()
    let invitation = try #require(story.invitation)
    let first = story.answer(to: invitation)
    guard case .success? = first else {
      Issue.record("not agreed")
      return
    }
    #expect(story.guest.disk[CustomerCore.Stream.consents]?.count == 1)
    #expect(story.answer(to: invitation) == first)
    try story.guest.restart(story.chain)
    #expect(story.answer(to: invitation) == first)
    #expect(story.guest.disk[CustomerCore.Stream.consents]?.count == 1)
  }

  @Test func aPayerThatRestartsInvitesToTheSameFlow() throws {
    var story = try FlowStory()
    let invitation = try #require(story.invitation)
    try story.payer.restart(story.chain)
    #expect(story.invitation == invitation)
  }

  @Test func whatWasNotAgreedToIsRefused() throws {
    var story = try FlowStory()
    let invitation = try #require(story.invitation)
    func code(_ change: (inout FlowInvitation) -> Void) -> RemoteError.Code? {
      var changed = invitation
      change(&changed)
      if case .failure(let error)? = story.answer(to: changed) { return error.code }
      return nil
    }
    #expect(code { $0.payer = Chain.key("alpha controller").publicKey } == .permissionDenied)
    #expect(code { $0.order.contract = ContractID(value: Digest(hashing: [9]).value) } == .permissionDenied)
    #expect(code { $0.order.peer = "robot" } == .invalidArgument)
    #expect(code { $0.order.peerCell = "cell-1" } == .invalidArgument)
    #expect(code { $0.order.enclaves = [] } == .invalidArgument)
    #expect(code { $0.order.latestStart = Chain.start } == .invalidArgument)
    #expect(story.guest.core.purchases.isEmpty)
  }

  @Test func consentsAreBounded() throws {
    var story = try FlowStory()
    var invitation = try #require(story.invitation)
    _ = story.answer(to: invitation)
    invitation.nonce += 1
    guard case .failure(let error)? = story.answer(to: invitation) else {
      Issue.record("a second flow is agreed to")
      return
    }
    #expect(error.code == .permissionDenied)
    // An order is refused after its latest start, so the unused consent binds nobody any more.
    for _ in 0..<130 { try story.block() }
    invitation.order.latestStart = story.chain.state.time + .seconds(60)
    guard case .success? = story.answer(to: invitation) else {
      Issue.record("the first consent still counts")
      return
    }
  }

  @Test func anAnswerThatIsNotThisFlowsConsentIsNotUsed() throws {
    var story = try FlowStory()
    let invitation = try #require(story.invitation)
    guard case .success(.flowAccepted(var order))? = story.answer(to: invitation) else {
      Issue.record("not agreed")
      return
    }
    order.epochs += 1
    story.payer.answer(.success(.flowAccepted(order))) { $0.message.isInvitation }
    #expect(story.payer.count(\.isActivate) == 0)
    story.payer.wait(CustomerCore.resend)
    try story.agree()
    #expect(story.payer.count(\.isActivate) == 1)
  }

  @Test func aGuestMovesItsOwnEndAndTellsItsEnclave() throws {
    var story = try FlowStory(moves: [PlannedMove(epoch: 1, cell: "cell-1")])
    let id = try story.serving()
    for _ in 0..<8 { try story.block() }
    let request = story.guest.takeMessage { if case .requestHandover(let request) = $0 { request } else { nil } }
    #expect(request == HandoverRequest(activation: id, end: .far, cell: "cell-1"))
    #expect(!story.payer.requests.contains { if case .requestHandover = $0.message { true } else { false } })
    let handover = SliceHandover(
      activation: id, end: .far, from: 3, cell: "cell-1", edge: Chain.edgeKey, plan: Digest(hashing: [1]))
    let segment = try story.chain.invent([story.chain.sign(.handOver(handover), by: "alpha controller")])
    story.payer.publish(segment)
    story.guest.publish(segment)
    let update = story.guest.takeMessage { if case .updateBooking(let update) = $0 { update } else { nil } }
    #expect(update == .handover(handover, edge: ActorAddress(.edge, "alpha-1"), port: nil))
    // Records are made at the near end: its enclave must know whose receipts to expect.
    let told = story.payer.takeMessage { if case .updateBooking(let update) = $0 { update } else { nil } }
    #expect(told == update)
    #expect(story.guest.core.purchases[0].errands.isEmpty)
  }
}
