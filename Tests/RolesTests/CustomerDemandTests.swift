import Effects
import Messages
import Testing
import Wire

@testable import Roles
@testable import Signing

/// What the customer claims on the ledger, and what it answers there.
@Suite struct CustomerDemandTests {
  static let epochs: UInt64 = 12

  static func story() throws -> (CustomerStory, ActivationID) {
    var story = try CustomerStory { $0.epochs = epochs }
    let id = try story.serving()
    return (story, id)
  }

  static func commitment(_ id: ActivationID, _ epoch: EpochNumber, by side: AccountingSide) -> Envelope {
    Envelope(
      signing: EpochCommitment(
        activation: id, epoch: epoch, side: side, receipts: receipts(side).digest, previousRecord: .zero),
      with: Chain.key(side == .customer ? "hospital enclave" : "alpha edge"), network: .zero)
  }

  /// Something that passes for a side's receipts where nobody looks into them.
  static func receipts(_ side: AccountingSide) -> ReceiptSet {
    ReceiptSet([
      Envelope(signing: CallRecord(side: side), with: Chain.key("\(side)"), network: .zero)
    ])
  }

  private struct CallRecord: SignedPayload {
    static let kind = MessageKind.receipt
    var side: AccountingSide
    init(side: AccountingSide) { self.side = side }
    func encode(to writer: inout CBORWriter) { writer.write(side) }
    init(from reader: inout CBORReader) throws(WireError) { side = try reader.value() }
  }

  static func material(
    _ id: ActivationID, _ epoch: EpochNumber, opened: ReceiptSet = ReceiptSet([])
  ) -> Message {
    .epochMaterial(
      EpochMaterial(
        activation: id, epoch: epoch, base: nil, commitment: commitment(id, epoch, by: .customer), other: nil,
        receipts: receipts(.customer), opened: opened))
  }

  static func demand(_ story: inout CustomerStory, _ id: ActivationID, _ epoch: EpochNumber) -> SignedTransaction {
    let demand = RecordDemand(base: nil, commitment: commitment(id, epoch, by: .networkOperator), other: nil)
    return story.chain.sign(.demandRecord(demand), by: "alpha controller")
  }

  static func post(_ story: inout CustomerStory, _ id: ActivationID, _ epoch: EpochNumber) -> SignedTransaction {
    let post = RecordPost(
      activation: id, epoch: epoch, commitment: commitment(id, epoch, by: .networkOperator),
      receipts: receipts(.networkOperator))
    return story.chain.sign(.postRecord(post), by: "alpha controller")
  }

  /// Lets time pass while the enclave says so and has this material.
  static func pass(
    _ span: Span, _ story: inout CustomerStory, _ id: ActivationID, recorded: UInt64, hasMaterial: Bool = true
  ) throws {
    let end = story.chain.state.time + span
    while story.chain.state.time < end {
      story.driver.wait(.milliseconds(500))
      try story.block()
      try answerMaterial(&story, id, recorded: recorded, hasMaterial: hasMaterial)
    }
  }

  /// The enclave has this many records, and this material.
  static func answerMaterial(
    _ story: inout CustomerStory, _ id: ActivationID, recorded: UInt64 = 0, hasMaterial: Bool = true
  ) throws {
    while story.driver.answer(
      .success(try story.status(id, met: recorded, of: epochs)), { $0.message.isEnclaveStatusQuestion })
    {}
    for request in story.driver.requests {
      guard case .getEpochMaterial(let asked) = request.message else { continue }
      let answer: Result<Message, RemoteError> =
        hasMaterial ? .success(material(id, asked.epoch)) : .failure(RemoteError(.failedPrecondition))
      story.driver.answer(answer) { $0.id == request.id }
    }
  }

  static func isDemandService(_ action: Action) -> Bool { if case .demandService = action { true } else { false } }
  static func isDemand(_ action: Action) -> Bool { if case .demandRecord = action { true } else { false } }
  static func isProof(_ action: Action) -> Bool { if case .startService = action { true } else { false } }
  static func isPost(_ action: Action) -> Bool { if case .postRecord = action { true } else { false } }

  @Test func serviceThatDoesNotComeIsDemandedOnceAndUntilItStandsInABlock() throws {
    var (story, id) = try Self.story()
    try Self.pass(.seconds(3), &story, id, recorded: 0)
    #expect(story.driver.takeSubmissions().isEmpty)
    try Self.pass(.seconds(4), &story, id, recorded: 0)
    let first = story.driver.takeStatement(Self.isDemandService)
    let demand = try #require(first)
    try Self.pass(CustomerCore.resend + .seconds(1), &story, id, recorded: 0)
    let second = story.driver.takeStatement(Self.isDemandService)
    #expect(second?.id == demand.id)
    try story.block([demand])
    #expect(story.chain.results[demand.id] == .accepted)
    try Self.pass(.seconds(8), &story, id, recorded: 0)
    #expect(story.driver.takeSubmissions().isEmpty)
  }

  @Test func aFlowThatDoesNotOpenIsDemanded() throws {
    var (story, id) = try Self.story()
    try story.blocks(for: .seconds(7))
    let status = EnclaveStatus(activation: id, phase: .opening, epoch: 0, record: nil)
    story.driver.answer(.success(.enclaveStatus(status))) { $0.message.isEnclaveStatusQuestion }
    let sent = story.driver.takeStatement(Self.isDemandService)
    #expect(sent?.transaction.action == .demandService(id))
  }

  @Test func anEnclaveThatIsDownDemandsNothing() throws {
    var (story, _) = try Self.story()
    try story.blocks(for: .seconds(12))
    story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isEnclaveStatusQuestion }
    #expect(story.driver.takeSubmissions().isEmpty)
  }

  @Test func anOverdueRecordIsDemandedAndAfterTheOperatorsPostOwnReceiptsAreOpened() throws {
    var (story, id) = try Self.story()
    try Self.pass(.seconds(6), &story, id, recorded: 2)
    #expect(story.driver.takeSubmissions().isEmpty)
    try Self.pass(.seconds(6), &story, id, recorded: 2)
    let sent = story.driver.takeStatement(Self.isDemand)
    let demand = try #require(sent)
    guard case .demandRecord(let content) = demand.transaction.action else { return }
    #expect(content.commitment == Self.commitment(id, 2, by: .customer))
    story.driver.publish(try story.chain.invent([demand]))
    try Self.pass(.seconds(3), &story, id, recorded: 2)
    #expect(story.driver.takeSubmissions().isEmpty, "it is the operator's turn")
    story.driver.publish(try story.chain.invent([Self.post(&story, id, 2)]))
    try Self.answerMaterial(&story, id)
    let opened = story.driver.takeStatement(Self.isPost)
    let post = try #require(opened)
    story.driver.publish(try story.chain.invent([post]))
    let settling = story.driver.takeMessage { if case .settleEpoch(let settling) = $0 { settling } else { nil } }
    #expect(
      settling
        == EpochSettling(
          activation: id, epoch: 2, customer: Self.receipts(.customer),
          networkOperator: Self.receipts(.networkOperator)))
  }

  @Test func theOperatorsDemandIsAnsweredAgainAndAgainAndOnlyOnceWithEffect() throws {
    var (story, id) = try Self.story()
    try story.blocks(for: .seconds(4))
    story.driver.publish(try story.chain.invent([Self.demand(&story, id, 1)]))
    try Self.answerMaterial(&story, id, hasMaterial: false)
    story.driver.wait(.seconds(1))
    try Self.answerMaterial(&story, id)
    let first = story.driver.takeStatement(Self.isPost)
    let post = try #require(first)
    story.driver.wait(CustomerCore.resend)
    let second = story.driver.takeStatement(Self.isPost)
    #expect(second?.id == post.id)
    story.driver.publish(try story.chain.invent([post]))
    story.driver.wait(.seconds(5))
    #expect(story.driver.takeStatement(Self.isPost) == nil)
  }

  /// The operator demands an old epoch to undo all later ones by silence: the record shows them to be done.
  @Test func aRecordThatBothSignedIsShownInsteadOfReceipts() throws {
    var (story, id) = try Self.story()
    try story.blocks(for: .seconds(6))
    story.driver.publish(try story.chain.invent([Self.demand(&story, id, 1)]))
    try Self.answerMaterial(&story, id, recorded: 4)
    let sent = story.driver.takeStatement(Self.isProof)
    let proof = try #require(sent)
    let record = try story.chain.record(id, met: 4)
    #expect(
      proof.transaction.action
        == .startService(ServiceProof(activation: id, receipts: ReceiptSet([]), record: record)))
    #expect(story.driver.takeStatement(Self.isPost) == nil)
    story.driver.publish(try story.chain.invent([proof]))
    story.driver.wait(.seconds(5))
    try Self.answerMaterial(&story, id, recorded: 4)
    #expect(story.driver.takeStatement { Self.isProof($0) || Self.isPost($0) } == nil, "it stands in a block")
  }

  /// Its own demand, opened by the operator: the record has come after all before this side opened its own.
  @Test func aRecordThatComesLateSavesOpeningAnOwnDemand() throws {
    var (story, id) = try Self.story()
    try Self.pass(.seconds(12), &story, id, recorded: 2)
    let sent = story.driver.takeStatement(Self.isDemand)
    story.driver.publish(try story.chain.invent([try #require(sent), Self.post(&story, id, 2)]))
    try Self.answerMaterial(&story, id, recorded: 3)
    #expect(story.driver.takeStatement(Self.isProof) != nil)
    #expect(story.driver.takeStatement(Self.isPost) == nil)
  }

  /// A record of the operator's answers this side's demand; the next demand is of what comes after it.
  @Test func whatTheOperatorShowsIsNotDemandedAgain() throws {
    var (story, id) = try Self.story()
    try Self.pass(.seconds(12), &story, id, recorded: 2)
    let sent = story.driver.takeStatement(Self.isDemand)
    let proof = ServiceProof(activation: id, receipts: ReceiptSet([]), record: try story.chain.record(id, met: 4))
    story.driver.publish(
      try story.chain.invent([
        try #require(sent), story.chain.sign(.startService(proof), by: "alpha controller"),
      ]))
    try Self.pass(.seconds(6), &story, id, recorded: 2)
    let next = story.driver.takeStatement(Self.isDemand)
    guard case .demandRecord(let demand)? = next?.transaction.action else {
      Issue.record("nothing is demanded any more")
      return
    }
    #expect(demand.commitment == Self.commitment(id, 4, by: .customer))
  }

  /// A record that the ledger does not take leaves the receipts to be opened.
  @Test func whereTheRecordIsRefusedReceiptsAreOpened() throws {
    var (story, id) = try Self.story()
    try story.blocks(for: .seconds(6))
    story.driver.publish(try story.chain.invent([Self.demand(&story, id, 1)]))
    try Self.answerMaterial(&story, id, recorded: 4)
    let sent = story.driver.takeStatement(Self.isProof)
    // No demand stands in this chain: it refuses.
    try story.block([try #require(sent)])
    try Self.answerMaterial(&story, id, recorded: 4)
    #expect(story.driver.takeStatement(Self.isPost) != nil)
  }

  @Test func aDemandIsAnsweredAfterARestartToo() throws {
    var (story, id) = try Self.story()
    try story.blocks(for: .seconds(4))
    story.driver.publish(try story.chain.invent([Self.demand(&story, id, 1)]))
    try story.driver.restart(story.chain)
    try Self.answerMaterial(&story, id)
    let sent = story.driver.takeStatement(Self.isPost)
    let post = try #require(sent)
    story.driver.publish(try story.chain.invent([post]))
    try story.driver.restart(story.chain)
    #expect(!story.driver.requests.contains { if case .getEpochMaterial = $0.message { true } else { false } })
  }

  @Test func theLastRecordIsDemandedBeforeItSettlesWithLess() throws {
    var (story, id) = try Self.story()
    try story.blocks(for: .seconds(6))
    try Self.pass(.seconds(10), &story, id, recorded: Self.epochs - 1)
    try Self.pass(CustomerCore.settlementPatience + .seconds(3), &story, id, recorded: Self.epochs - 1)
    let sent = story.driver.takeStatement(Self.isDemand)
    let demand = try #require(sent)
    guard case .demandRecord(let content) = demand.transaction.action else { return }
    #expect(content.commitment == Self.commitment(id, Self.epochs - 1, by: .customer))
    #expect(story.stage == "serving" && story.driver.count(\.isProposal) == 0)
    // The operator answers neither this nor anything else: in time it settles by what there is.
    story.driver.publish(try story.chain.invent([demand]))
    try Self.pass(.seconds(30), &story, id, recorded: Self.epochs - 1)
    #expect(story.stage == "settling")
  }

  /// The operator lost the demand for epoch 2: the ledger's record ends the activation, and no agreement replaces it.
  @Test func whatTheLedgerRecordedIsNotAgreedAway() throws {
    var (story, id) = try Self.story()
    try story.blocks(for: .seconds(10))
    let lost = ActivationChange(
      activation: id, state: .reserved, statusInfo: .networkTerminated, settlement: nil, money: ActivationMoney(),
      epochs: 3, posted: 2)
    story.driver.publish(try story.chain.invent(events: [.activationChanged(lost)]))
    story.driver.answer(.success(.acknowledged)) { $0.message.isEndSession }
    try Self.pass(.seconds(1), &story, id, recorded: 2)
    #expect(story.driver.count(\.isProposal) == 0)
    let sent = story.driver.takeStatement { if case .settleByRecord = $0 { true } else { false } }
    #expect(sent?.transaction.action == .settleByRecord(id, nil))
  }

  /// Of other receipts, the edge has said two things; of the same, the ledger computes what they come to.
  @Test(arguments: [false, true]) func anotherRecordOfOneEpochIsDisputed(ofTheSameReceipts: Bool) throws {
    var (story, id) = try Self.story()
    try story.blocks(for: .seconds(16))
    let own = try story.chain.record(id, met: Self.epochs)
    var other = try own.byEdge.decode(JointRecord.self)
    other.segments[0].amountDue += 1
    if !ofTheSameReceipts { other.customerReceipts = Digest(hashing: [1]) }
    let network = story.chain.genesis.networkID
    let forged = SignedRecord(
      byEnclave: Envelope(signing: other, with: Chain.key("hospital enclave"), network: network),
      byEdge: Envelope(signing: other, with: Chain.key("alpha edge"), network: network))
    let change = ActivationChange(
      activation: id, state: .closing, statusInfo: .durationExpired, settlement: nil, money: ActivationMoney(),
      epochs: Self.epochs)
    story.driver.publish(
      try story.chain.invent(
        [story.chain.sign(.settleByRecord(id, forged), by: "alpha controller")],
        events: [.activationChanged(change)]))
    while story.driver.answer(
      .success(try story.status(id, met: Self.epochs, of: Self.epochs)), { $0.message.isEnclaveStatusQuestion })
    {}
    let (mine, theirs) = (Self.receipts(.customer), Self.receipts(.networkOperator))
    if ofTheSameReceipts {
      let material = Self.material(id, Self.epochs - 1, opened: theirs)
      story.driver.answer(.success(material)) { request in
        request.message == .getEpochMaterial(ReceiptsRequest(activation: id, epoch: Self.epochs - 1))
      }
    }
    let sent = story.driver.takeStatement { if case .dispute = $0 { true } else { false } }
    guard case .dispute(let dispute)? = sent?.transaction.action else {
      Issue.record("not disputed")
      return
    }
    let expected: DisputeCase =
      ofTheSameReceipts
      ? .recompute(base: nil, customer: mine, networkOperator: theirs) : .contradiction(forged.byEdge, own.byEdge)
    #expect(dispute == Dispute(activation: id, grounds: expected))
  }
}
