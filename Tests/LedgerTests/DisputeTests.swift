import Ledger
import Messages
import Metering
import Signing
import Testing

/// Dispute: a record that does not follow from its receipts is replaced, and two truths of one signer convict it.
@Suite struct DisputeTests {
  /// → CLOSING by the record of epoch 2, as `change` made it.
  private func closing(_ change: (inout JointRecord) throws -> Void = { _ in }) throws -> (DemandStory, JointRecord) {
    var story = try DemandStory(epochsOver: 10)
    for lost: UInt64 in [0, 0, 50, 0] { try story.close(lost: lost) }
    var record = try story.record(2)
    try change(&record)
    let signed = story.world.signed(record)
    #expect(try story.send(.settleByRecord(story.id, signed), by: .networkOperator) == .accepted)
    return (story, record)
  }

  private func recompute(_ story: DemandStory, _ epoch: EpochNumber = 2) throws -> Action {
    .dispute(
      Dispute(
        activation: story.id,
        grounds: .recompute(
          base: try story.base(before: epoch), customer: story.receipts(.customer, epoch),
          networkOperator: story.receipts(.networkOperator, epoch))))
  }

  /// Both signed MET where the receipts say VIOLATED.
  private func embellish(_ record: inout JointRecord) throws {
    record.verdicts = [.met]
    record.segments[0].ruleCounters[0].violated -= 1
    record.segments[0].ruleCounters[0].met += 1
    record.segments[0].epochCounters.violated -= 1
    record.segments[0].epochCounters.met += 1
    record.segments[0].amountDue += DemandStory.price
    record.segments[0].penaltiesDue = 0
  }

  private func contradiction(_ story: DemandStory, _ first: Envelope, _ second: Envelope) -> Action {
    .dispute(Dispute(activation: story.id, grounds: .contradiction(first, second)))
  }

  private func end(_ story: inout DemandStory) throws -> ActivationChange {
    try story.world.passDeadlines(to: story.world.state.chain.clock + .seconds(25))
    return try #require(story.world.ended(story.id))
  }

  /// Otherwise a side could be convicted in one record and bring the next.
  @Test func aConvictionReachesTheRecordThatReplaces() throws {
    var (story, _) = try closing()
    let again = try story.commitment(.networkOperator, 1, to: Digest(hashing: [1]))
    let action = contradiction(story, try story.commitment(.networkOperator, 1), again)
    #expect(try story.send(action, by: .customer) == .accepted)
    let next = story.world.signed(try story.record(3))
    #expect(try story.send(.settleByRecord(story.id, next), by: .networkOperator) == .accepted)
    #expect(try story.send(action, by: .customer) == .failedPrecondition)
    let end = try end(&story)
    #expect(end.settlement == .disputed)
    // Of four epochs one was VIOLATED by itself, and one is now.
    #expect(end.money.paid == DemandStory.fee + 2 * DemandStory.price)
    #expect(end.money.penalty == 2 * DemandStory.penalty)
  }

  // MARK: Verdicts

  @Test func aRecordWhoseVerdictsDifferIsReplaced() throws {
    var (story, _) = try closing(embellish)
    #expect(try story.send(recompute(story), by: .customer) == .accepted)
    let end = try end(&story)
    #expect(end.settlement == .disputed)
    #expect(end.money.paid == DemandStory.fee + 2 * DemandStory.price && end.money.penalty == DemandStory.penalty)
  }

  @Test func aRecordThatFollowsIsNotDisputable() throws {
    var (story, record) = try closing()
    #expect(try story.send(recompute(story), by: .customer) == .failedPrecondition)
    #expect(try story.send(recompute(story, 3), by: .customer) == .receiptMismatch, "the tail is demanded")
    #expect(try end(&story).settlement == .unilateral)
    #expect(record.verdicts == [.violated])
  }

  @Test func whatTheLedgerMadeItselfIsNotComputedAgain() throws {
    var story = try DemandStory(epochsOver: 10)
    try story.close(lost: 50)
    try story.demanding(.networkOperator, 0)
    try story.silence()
    #expect(try story.send(.settleByRecord(story.id, nil), by: .networkOperator) == .accepted)
    // The customer lost it; its receipts come too late.
    #expect(try story.send(recompute(story, 0), by: .customer) == .failedPrecondition)
    let lost = Dispute(
      activation: story.id,
      grounds: .recompute(base: nil, customer: ReceiptSet([]), networkOperator: story.receipts(.networkOperator, 0)))
    #expect(try story.send(.dispute(lost), by: .customer) == .failedPrecondition)
    #expect(try end(&story).money.paid == DemandStory.fee + DemandStory.price)
  }

  // MARK: Contradictions

  @Test(arguments: AccountingSide.allCases)
  func twoReceiptsOfOnePointConvictTheirSigner(liar: AccountingSide) throws {
    var (story, _) = try closing()
    let honest = story.receipts(liar, 1).receipts[0]
    var other = try honest.decode(SLAReceipt.self)
    other.counts.packetsSent += 1
    let forged = Envelope(
      signing: other, with: World.key(try DemandStory.key(of: liar).anchor), network: story.world.genesis.networkID)
    #expect(try story.send(contradiction(story, honest, forged), by: liar.other) == .accepted)
    #expect(try story.send(contradiction(story, honest, forged), by: liar.other) == .failedPrecondition, "once")
    let end = try end(&story)
    #expect(end.settlement == .disputed)
    // Two MET and one VIOLATED epoch; one of them counts against the liar.
    let (met, violated): (Amount, Amount) = liar == .customer ? (3, 0) : (1, 2)
    #expect(end.money.paid == DemandStory.fee + met * DemandStory.price)
    #expect(end.money.penalty == violated * DemandStory.penalty)
  }

  @Test func twoCommitmentsAndTwoRecordsConvictToo() throws {
    var (story, record) = try closing()
    var second = record
    second.previous = Digest(hashing: [1])
    let statements: [(Envelope, Envelope)] = [
      (
        try story.commitment(.networkOperator, 0), try story.commitment(.networkOperator, 0, to: .zero)
      ),
      (story.world.signed(record).byEdge, story.world.signed(second).byEdge),
    ]
    for (first, second) in statements {
      #expect(try story.send(contradiction(story, first, second), by: .customer) == .accepted)
    }
    #expect(try end(&story).money.penalty == 3 * DemandStory.penalty)
  }

  @Test func whatDoesNotContradictConvictsNobody() throws {
    var (story, _) = try closing()
    let receipts = story.receipts(.networkOperator, 1).receipts
    let next = story.receipts(.networkOperator, 2).receipts
    let commitment = try story.commitment(.networkOperator, 1)
    var other = try receipts[0].decode(SLAReceipt.self)
    other.counts.late += 1
    let stranger = Envelope(
      signing: other, with: World.key("operator-0 edge 2"), network: story.world.genesis.networkID)
    for (first, second) in [
      (receipts[0], receipts[0]), (receipts[0], receipts[1]), (receipts[0], next[0]), (receipts[0], commitment),
      (receipts[0], stranger), (stranger, stranger),
    ] {
      #expect(try story.send(contradiction(story, first, second), by: .customer) == .receiptMismatch)
    }
    let tail = (try story.commitment(.networkOperator, 3), try story.commitment(.networkOperator, 3, to: .zero))
    #expect(try story.send(contradiction(story, tail.0, tail.1), by: .customer) == .outOfRange)
  }

  @Test func onlyAPartyAndOnlyInClosing() throws {
    var story = try DemandStory()
    try story.close()
    let pair = (try story.commitment(.networkOperator, 0), try story.commitment(.networkOperator, 0, to: .zero))
    #expect(try story.send(contradiction(story, pair.0, pair.1), by: .customer) == .failedPrecondition)
    var (late, _) = try closing()
    let twice = (try late.commitment(.networkOperator, 0), try late.commitment(.networkOperator, 0, to: .zero))
    #expect(try late.world.send(contradiction(late, twice.0, twice.1), by: "platoon treasury") == .permissionDenied)
  }
}
