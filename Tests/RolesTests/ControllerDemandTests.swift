import Effects
import Messages
import Slicing
import Testing

@testable import Roles
@testable import Signing

/// Demands on the ledger, and maintenance. The blocks that say what was demanded are invented: what it takes to
/// convince the ledger is the ledger's own story.
@Suite struct ControllerDemandTests {
  private static let customer = "hospital treasury"

  private func commitment(
    _ story: ControllerStory, _ id: ActivationID, _ epoch: EpochNumber, _ side: AccountingSide, receipts: UInt8 = 0
  ) -> Envelope {
    let commitment = EpochCommitment(
      activation: id, epoch: epoch, side: side, receipts: Digest(hashing: [receipts]), previousRecord: .zero)
    let key = side == .customer ? "hospital enclave" : "alpha edge"
    return Envelope(signing: commitment, with: Chain.key(key), network: story.chain.genesis.networkID)
  }

  /// Any envelope does for a receipt here.
  private func receipts(_ story: ControllerStory, _ id: ActivationID, _ side: AccountingSide) -> ReceiptSet {
    ReceiptSet([commitment(story, id, 77, side)])
  }

  private func material(
    _ story: ControllerStory, _ id: ActivationID, _ epoch: EpochNumber, other: Envelope? = nil
  ) -> Message {
    .epochMaterial(
      EpochMaterial(
        activation: id, epoch: epoch, base: nil, commitment: commitment(story, id, epoch, .networkOperator),
        other: other, receipts: receipts(story, id, .networkOperator)))
  }

  private func change(_ id: ActivationID, _ state: ActivationState = .reserved, answerBy: Instant?) -> LedgerEvent {
    .activationChanged(
      ActivationChange(
        activation: id, state: state, statusInfo: nil, settlement: nil, money: ActivationMoney(), epochs: Chain.epochs,
        endsAt: Chain.start + .seconds(10), answerBy: answerBy))
  }

  private func invent(
    _ story: inout ControllerStory, _ action: Action, by name: String = customer, _ id: ActivationID,
    _ state: ActivationState = .reserved
  ) throws {
    let event = change(id, state, answerBy: story.chain.state.time + .seconds(10))
    story.driver.publish(try story.chain.invent([story.chain.sign(action, by: name)], events: [event]))
    story.driver.wait(.zero)
  }

  /// The anchor edge holds no record that would answer.
  private func noRecord(_ story: inout ControllerStory, _ id: ActivationID) {
    let nothing = Message.serviceReport(ServiceReport(activation: id, record: nil, isFinished: false))
    #expect(story.driver.answer(.success(nothing)) { $0.message.isServiceReportQuestion })
  }

  private func submitted(_ story: inout ControllerStory) -> [Action] { story.takeActions() }

  // MARK: DemandService

  @Test func aDemandForServiceIsAnsweredWithTheFirstRecord() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.begin()
    try story.block([story.chain.sign(.demandService(id), by: Self.customer)])
    #expect(story.driver.answer(.failure(RemoteError(.deadlineExceeded))) { $0.message.isServiceReportQuestion })
    story.driver.wait(.seconds(1))
    story.driver.answer(.success(try story.report(id, met: 1))) { $0.message.isServiceReportQuestion }
    guard case .startService(let proof)? = submitted(&story).first else {
      Issue.record("not answered")
      return
    }
    #expect(try proof.activation == id && proof.record == story.chain.record(id, met: 1))
  }

  @Test func beforeTheFirstRecordReceiptsShowService() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    for _ in 0..<8 { try story.block() }
    try story.block([story.chain.sign(.demandService(id), by: Self.customer)])
    // Also after a crash.
    try story.driver.restart(story.chain)
    story.obeyAll()
    let nothing = Message.serviceReport(ServiceReport(activation: id, record: nil, isFinished: false))
    story.driver.answer(.success(nothing)) { $0.message.isServiceReportQuestion }
    guard case .getEpochMaterial(let request)? = story.driver.requests.last?.message else {
      Issue.record("the edge's receipts are not asked for")
      return
    }
    story.driver.answer(.success(material(story, id, request.epoch))) { $0.message.isMaterialQuestion }
    guard case .startService(let proof)? = submitted(&story).first else {
      Issue.record("not answered")
      return
    }
    #expect(proof.record == nil && proof.receipts == receipts(story, id, .networkOperator))
  }

  // MARK: DemandRecord

  @Test func aDemandedRecordIsPostedAndTheEdgeGoesOnFromThere() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.begin()
    let demand = RecordDemand(base: nil, commitment: commitment(story, id, 1, .customer), other: nil)
    try invent(&story, .demandRecord(demand), id)
    noRecord(&story, id)
    #expect(story.driver.answer(.failure(RemoteError(.notFound))) { $0.message.isMaterialQuestion })
    story.driver.wait(.milliseconds(200))
    noRecord(&story, id)
    story.driver.answer(.success(material(story, id, 1))) { $0.message.isMaterialQuestion }
    guard case .postRecord(let own)? = submitted(&story).first else {
      Issue.record("not posted")
      return
    }
    #expect(own.epoch == 1 && own.commitment == commitment(story, id, 1, .networkOperator))
    try invent(&story, .postRecord(own), by: "alpha controller", id)
    let other = RecordPost(
      activation: id, epoch: 1, commitment: commitment(story, id, 1, .customer),
      receipts: receipts(story, id, .customer))
    try invent(&story, .postRecord(other), id)
    let settling = EpochSettling(
      activation: id, epoch: 1, customer: other.receipts, networkOperator: own.receipts)
    let told = story.obeyAll()
    #expect(told.map(\.message) == [.settleEpoch(settling)] && told.map(\.to) == [ControllerStory.nearEdge])
    #expect(story.driver.count(\.isMaterialQuestion) == 0)
  }

  /// The customer's enclave makes no records any more: one demand per epoch, answered in turn.
  @Test func silenceIsTakenToTheLedger() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    let held = commitment(story, id, 1, .customer)
    var demanded: [Action] = []
    for _ in 0..<60 where demanded.isEmpty {
      try story.block()
      story.driver.answer(.success(try story.report(id, met: 1))) { $0.message.isServiceReportQuestion }
      story.driver.answer(.success(material(story, id, 1, other: held))) { $0.message.isMaterialQuestion }
      demanded = submitted(&story)
    }
    let expected = RecordDemand(
      base: nil, commitment: commitment(story, id, 1, .networkOperator), other: held)
    #expect(demanded == [.demandRecord(expected)])
    let start = try #require(story.chain.state.activation(id)?.reservation?.startAt)
    #expect(story.chain.state.time >= start + .seconds(3) + Chain.terms.deadlines.answerWithin)
    try invent(&story, .demandRecord(expected), by: "alpha controller", id)
    noRecord(&story, id)
    #expect(story.driver.count(\.isMaterialQuestion) == 0, "the customer opens first")
    let post = RecordPost(
      activation: id, epoch: 1, commitment: held, receipts: receipts(story, id, .customer))
    try invent(&story, .postRecord(post), id)
    story.driver.wait(Chain.terms.deadlines.answerWithin / 8)
    noRecord(&story, id)
    story.driver.answer(.success(material(story, id, 1, other: held))) { $0.message.isMaterialQuestion }
    // The demand is sent again besides: its block was invented.
    guard case .postRecord(let own)? = submitted(&story).last else {
      Issue.record("its own receipts are not opened")
      return
    }
    #expect(own.epoch == 1)
  }

  /// A customer keeps its signature on epoch 0 from the edge and demands epoch 1: the demand itself carries it.
  @Test func aWithheldSignatureIsTakenFromTheLedger() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.begin()
    let signed = try story.chain.record(id, met: 1)
    let demand = RecordDemand(
      base: AccountBase(record: signed, state: []), commitment: commitment(story, id, 1, .customer), other: nil)
    try invent(&story, .demandRecord(demand), id)
    let asked = story.driver.requests.filter { $0.message.isRecordSubmission || $0.message.isServiceReportQuestion }
    #expect(asked.map(\.to) == [ControllerStory.nearEdge, ControllerStory.nearEdge])
    #expect(asked.first?.message == .submitRecord(RecordSubmission(record: signed.byEnclave)), "before any question")
    noRecord(&story, id)
    // The edge that has it not yet has nothing to open either.
    let bare = EpochMaterial(
      activation: id, epoch: 1, base: nil, commitment: nil, other: nil,
      receipts: receipts(story, id, .networkOperator))
    story.driver.answer(.success(.epochMaterial(bare))) { $0.message.isMaterialQuestion }
    #expect(story.driver.answer(.failure(RemoteError(.deadlineExceeded))) { $0.message.isRecordSubmission })
    story.driver.wait(.seconds(1))
    #expect(story.driver.answer(.success(.acknowledged)) { $0.message.isRecordSubmission }, "until it is acknowledged")
    noRecord(&story, id)
    story.driver.answer(.success(material(story, id, 1))) { $0.message.isMaterialQuestion }
    guard case .postRecord(let own)? = submitted(&story).first else {
      Issue.record("not posted")
      return
    }
    #expect(own.epoch == 1)
    // The same record shown again is nothing new.
    let proof = ServiceProof(activation: id, receipts: ReceiptSet([]), record: signed)
    try invent(&story, .startService(proof), id)
    #expect(story.driver.count(\.isRecordSubmission) == 0)
  }

  /// Also after its own post: a demander that is silent then loses nothing but what the record says.
  @Test(arguments: [false, true])
  func aDemandIsAnsweredWithARecordThatBothSigned(posted: Bool) throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.begin()
    let demand = RecordDemand(base: nil, commitment: commitment(story, id, 0, .customer), other: nil)
    try invent(&story, .demandRecord(demand), id)
    if posted {
      noRecord(&story, id)
      story.driver.answer(.success(material(story, id, 0))) { $0.message.isMaterialQuestion }
      let post = try #require(submitted(&story).first)
      try invent(&story, post, by: "alpha controller", id)
      noRecord(&story, id)
      #expect(story.driver.count(\.isServiceReportQuestion) == 0, "from time to time")
      story.driver.wait(Chain.terms.deadlines.answerWithin / 8)
    }
    story.driver.answer(.success(try story.report(id, met: 2))) { $0.message.isServiceReportQuestion }
    let proof = ServiceProof(activation: id, receipts: ReceiptSet([]), record: try story.chain.record(id, met: 2))
    #expect(submitted(&story) == [.startService(proof)])
    try invent(&story, .startService(proof), by: "alpha controller", id)
    story.driver.wait(Chain.terms.deadlines.answerWithin / 8)
    #expect(story.driver.count(\.isMaterialQuestion) == 0, "answered")
  }

  /// It has committed to one set towards the edge and to another on the ledger.
  @Test func aContradictionIsShownWhenClosingIsOpen() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.begin()
    let shown = commitment(story, id, 1, .customer, receipts: 1)
    let held = commitment(story, id, 1, .customer, receipts: 2)
    try invent(&story, .demandRecord(RecordDemand(base: nil, commitment: shown, other: nil)), id)
    noRecord(&story, id)
    story.driver.answer(.success(material(story, id, 1, other: held))) { $0.message.isMaterialQuestion }
    #expect(submitted(&story).count == 1)
    try invent(&story, .settleByRecord(id, nil), id, .closing)
    let disputes = submitted(&story).compactMap { action -> Dispute? in
      if case .dispute(let dispute) = action { dispute } else { nil }
    }
    #expect(disputes == [Dispute(activation: id, grounds: .contradiction(held, shown))])
  }

  /// Of other receipts, the enclave has said two things; of the same, the ledger computes what they come to.
  @Test(arguments: [false, true]) func anotherRecordInClosingIsDisputed(ofTheSameReceipts: Bool) throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.begin()
    let own = try story.chain.record(id, met: Chain.epochs)
    var other = try own.byEnclave.decode(JointRecord.self)
    other.segments[0].amountDue += 1
    if !ofTheSameReceipts { other.operatorReceipts = Digest(hashing: [1]) }
    let network = story.chain.genesis.networkID
    let posted = SignedRecord(
      byEnclave: Envelope(signing: other, with: Chain.key("hospital enclave"), network: network),
      byEdge: Envelope(signing: other, with: Chain.key("alpha edge"), network: network))
    try invent(&story, .settleByRecord(id, posted), id, .closing)
    let report = try story.report(id, met: Chain.epochs)
    story.driver.answer(.success(report)) { $0.message.isServiceReportQuestion }
    let (mine, theirs) = (receipts(story, id, .networkOperator), receipts(story, id, .customer))
    if ofTheSameReceipts {
      let material = Message.epochMaterial(
        EpochMaterial(
          activation: id, epoch: Chain.epochs - 1, base: nil, commitment: nil, other: nil, receipts: mine,
          opened: theirs))
      story.driver.answer(.success(material)) { $0.message.isMaterialQuestion }
    }
    story.driver.wait(.zero)
    let disputes = submitted(&story).compactMap { action -> Dispute? in
      if case .dispute(let dispute) = action { dispute } else { nil }
    }
    let expected: DisputeCase =
      ofTheSameReceipts
      ? .recompute(base: nil, customer: theirs, networkOperator: mine)
      : .contradiction(posted.byEnclave, own.byEnclave)
    #expect(disputes == [Dispute(activation: id, grounds: expected)])
  }

  // MARK: Maintenance

  private func planned(_ from: Span, _ to: Span, nodes: [String] = []) -> ControllerCore.PlannedMaintenance {
    let window = TimeWindow(from: Chain.start + from, to: Chain.start + to)
    return ControllerCore.PlannedMaintenance(Maintenance(window: window, cells: ["cell-1"]), nodes: nodes)
  }

  @Test func maintenanceIsAnnouncedAndBindsWhoOrdersAfter() throws {
    let planned = planned(.seconds(3), .seconds(4))
    var story = try ControllerStory(maintenance: [planned])
    try story.driver.restart(story.chain)
    #expect(story.takeActions().isEmpty, "announced once")
    let id = try story.requested()
    #expect(story.chain.state.activation(id)?.maintenance == [planned.announcement.window])
    try story.settleSubmissions()
    guard case .openService(let order)? = story.driver.requests.first(where: { $0.message.isOpenService })?.message
    else {
      Issue.record("not served")
      return
    }
    #expect(order.maintenance == [planned.announcement.window])
  }

  /// Ordered before the announcement was final: the planner promises nothing while the cell is worked on.
  @Test func whoOrderedBeforeIsServedAfterwards() throws {
    var story = try ControllerStory(maintenance: [planned(.seconds(3), .seconds(9))])
    let order = story.chain.order()
    var earlier = try Chain()
    try earlier.offer()
    try earlier.append([order])
    story.chain = earlier
    try story.driver.restart(story.chain)
    guard
      let confirmation = story.takeActions().lazy.compactMap({ action -> SliceConfirmation? in
        if case .confirmSlice(let confirmation) = action { confirmation } else { nil }
      }).first
    else {
      Issue.record("not confirmed")
      return
    }
    #expect(confirmation.startAt == Chain.start + .seconds(9))
  }

  /// Node work without a cell of the order: no other way, so no slice while it lasts.
  @Test func aPlanAvoidsWhatIsWorkedOn() throws {
    var story = try ControllerStory(maintenance: [planned(.seconds(1), .seconds(200), nodes: ["switch"])])
    _ = try story.requested()
    guard case .rejectSlice(let rejection)? = story.takeActions().first else {
      Issue.record("promised over a node that is worked on")
      return
    }
    #expect(rejection.reason == .noRoute)
  }
}
