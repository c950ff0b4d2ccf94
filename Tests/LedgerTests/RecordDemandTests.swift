import Ledger
import Messages
import Metering
import Signing
import Testing

/// DemandRecord and PostRecord, each way it can end.
@Suite struct RecordDemandTests {
  // MARK: Answered

  @Test(arguments: AccountingSide.allCases)
  func openedByBothTheLedgerMakesTheRecordAndServiceGoesOn(demander: AccountingSide) throws {
    var story = try DemandStory()
    for lost: UInt64 in [0, 50] { try story.close(lost: lost) }
    try story.demanding(demander, 1)
    #expect(story.proceedings?.demands.first?.turn == demander.other)
    try story.posting(demander.other, 1)
    #expect(story.proceedings?.demands.first?.turn == demander)
    try story.posting(demander, 1)
    let posted = try #require(story.proceedings?.posted)
    #expect(posted.record == (try story.record(1)))
    #expect(posted.record.segments[0].epochCounters.violated == 1)
    #expect(story.change?.posted == 1 && story.change?.answerBy == nil)
    #expect(story.change?.statusInfo == nil && story.change?.epochs == 10)
    try story.world.advance(to: story.accounts[0].parties.startAt + .seconds(11))
    let end = try story.settled()
    #expect(end.money.paid == DemandStory.fee + DemandStory.price && end.money.penalty == DemandStory.penalty)
    #expect(end.statusInfo == .durationExpired && end.settlement == .unilateral)
  }

  @Test func theNextDemandGoesOnFromWhatTheLedgerHolds() throws {
    var story = try DemandStory()
    for _ in 0..<2 { try story.close() }
    try story.demanding(.customer, 0)
    try story.posting(.networkOperator, 0)
    try story.posting(.customer, 0)
    var demand = try story.demand(.customer, 1)
    demand.base = nil
    #expect(try story.send(.demandRecord(demand), by: .customer) == .accepted)
    try story.posting(.networkOperator, 1)
    try story.posting(.customer, 1)
    #expect(story.proceedings?.posted?.record == (try story.record(1)))
  }

  /// Two customers, a handover and another contract: the ledger accounts as both sides do.
  @Test func theLedgerKnowsEndsEdgesAndSegments() throws {
    var story = try DemandStory(flowWithEpochsOver: 5)
    for epoch: UInt64 in 0..<5 { try story.close(lost: epoch == 3 ? 50 : 0) }
    for epoch: EpochNumber in [1, 3] {
      try story.demanding(.customer, epoch)
      try story.posting(.networkOperator, epoch)
      try story.posting(.customer, epoch)
      #expect(story.proceedings?.posted?.record == (try story.record(Int(epoch))))
    }
    let segments = try #require(story.proceedings?.posted?.record.segments)
    #expect(segments.map(\.epochCounters.met) == [2, 1] && segments.map(\.epochCounters.violated) == [0, 1])
    #expect(segments.map(\.amountDue) == [20, 20])
    try story.demanding(.customer, 4)
    try story.silence()
    let posted = try #require(story.proceedings?.posted?.record)
    // Both ends are served by the far edge by then.
    #expect(posted.missing == [World.key("operator-0 edge 2").publicKey])
    #expect(posted.segments[1].epochCounters.violated == 2)
    let end = try story.settled()
    #expect(end.money.paid == 40 && end.money.penalty == 2 * DemandStory.penalty + DemandStory.termination)
  }

  // MARK: Lost

  @Test func anOperatorThatIsSilentEndsItAsIfItHadTerminated() throws {
    var story = try DemandStory()
    for _ in 0..<2 { try story.close() }
    try story.demanding(.customer, 1)
    try story.silence()
    #expect(story.change?.statusInfo == .networkTerminated && story.change?.epochs == 2)
    let record = try #require(story.proceedings?.posted?.record)
    #expect(record.epoch == 1 && record.verdicts == [.violated])
    #expect(record.missing == [World.key("operator-0 edge").publicKey])
    let end = try story.settled()
    #expect(end.money.paid == DemandStory.price, "epoch 0; the fee goes back")
    #expect(end.money.penalty == DemandStory.penalty + DemandStory.termination)
  }

  @Test func aCustomerThatIsSilentPaysForTheEpoch() throws {
    var story = try DemandStory()
    try story.close(lost: 50)
    try story.demanding(.networkOperator, 0)
    try story.silence()
    #expect(story.change?.statusInfo == .receiptWithheld && story.change?.epochs == 1)
    let end = try story.settled()
    #expect(end.money.paid == DemandStory.fee + DemandStory.price && end.money.penalty == 0)
    #expect(end.statusInfo == .receiptWithheld)
  }

  @Test(arguments: AccountingSide.allCases)
  func aDemanderThatDoesNotOpenItsOwnLosesItself(demander: AccountingSide) throws {
    var story = try DemandStory()
    try story.close()
    try story.demanding(demander, 0)
    try story.posting(demander.other, 0)
    try story.silence()
    #expect(story.change?.statusInfo == (demander == .customer ? .receiptWithheld : .networkTerminated))
    #expect(story.proceedings?.posted?.record.verdicts == [demander == .customer ? .met : .violated])
  }

  @Test func whereNeitherOpensTheEpochIsRefundedAndItEnds() throws {
    var story = try DemandStory()
    for _ in 0..<2 { try story.close() }
    try story.demanding(.customer, 1)
    try story.world.advance(to: story.world.state.time + .seconds(8))
    try story.demanding(.networkOperator, 1)
    try story.silence()
    #expect(story.change?.statusInfo == .receiptWithheld && story.change?.epochs == 2)
    let counters = try #require(story.proceedings?.posted?.record.segments[0].epochCounters)
    #expect(counters.notServed == 1 && counters.met == 1)
    let end = try story.settled()
    #expect(end.money.paid == DemandStory.fee + DemandStory.price && end.money.penalty == 0)
  }

  /// Both asked for the same epoch: who opens first is safe, the other has until its own time runs out.
  @Test(arguments: AccountingSide.allCases)
  func ofTwoThatAskedWhoOpensDoesNotLose(honest: AccountingSide) throws {
    var story = try DemandStory()
    try story.close()
    try story.demanding(.customer, 0)
    try story.demanding(.networkOperator, 0)
    var other = story
    try story.posting(honest, 0)
    try story.silence()
    #expect(story.change?.statusInfo == (honest == .customer ? .networkTerminated : .receiptWithheld))
    // One post each is enough for both demands.
    try other.posting(honest, 0)
    try other.posting(honest.other, 0)
    #expect(other.proceedings?.posted?.record == (try other.record(0)))
    #expect(other.proceedings?.demands == [])
  }

  @Test func anOperatorThatTerminatedBeforeKeepsOwingWhatItDid() throws {
    var story = try DemandStory()
    try story.close()
    try story.demanding(.networkOperator, 0)
    #expect(try story.send(.terminate(story.id), by: .networkOperator) == .accepted)
    try story.silence()
    let end = try story.settled()
    #expect(end.statusInfo == .networkTerminated && end.money.penalty == DemandStory.termination)
    #expect(end.money.paid == DemandStory.price)
  }

  // MARK: CLOSING

  /// → CLOSING by the record of epoch 7, two epochs short.
  private func closing() throws -> DemandStory {
    var story = try DemandStory(epochsOver: 10)
    for _ in 0..<10 { try story.close() }
    let signed = story.world.signed(try story.record(7))
    #expect(try story.send(.settleByRecord(story.id, signed), by: .networkOperator) == .accepted)
    return story
  }

  @Test func theTailIsDemandedInClosingAndItsRecordReplacesTheOther() throws {
    var story = try closing()
    try story.demanding(.customer, 8)
    try story.posting(.networkOperator, 8)
    try story.posting(.customer, 8)
    try story.demanding(.customer, 9)
    try story.silence()
    try story.world.passDeadlines(to: story.world.state.chain.clock + .seconds(25))
    let end = try #require(story.world.ended(story.id))
    #expect(end.statusInfo == .networkTerminated && end.settlement == .unilateral)
    #expect(end.money.paid == 9 * DemandStory.price)
    #expect(end.money.penalty == DemandStory.penalty + DemandStory.termination)
  }

  @Test func closingWaitsForTheLastOpenDemand() throws {
    var story = try closing()
    let closesAt = try #require(Self.closesAt(story))
    while story.world.state.chain.clock + .seconds(2) < closesAt { try story.world.block(after: .seconds(1)) }
    try story.demanding(.customer, 8)
    try story.world.passDeadlines(to: closesAt + .seconds(1))
    #expect(story.change?.state == .closing, "the demand came in time and waits")
    // But no further one is taken.
    #expect(try story.send(.demandRecord(story.demand(.networkOperator, 8)), by: .networkOperator) == .deadlinePassed)
    try story.posting(.networkOperator, 8)
    try story.posting(.customer, 8)
    for _ in 0..<3 { try story.world.block() }
    let end = try #require(story.world.ended(story.id))
    #expect(end.money.paid == DemandStory.fee + 9 * DemandStory.price)
  }

  private static func closesAt(_ story: DemandStory) -> Instant? {
    guard case .closing(_, let closing)? = story.world.state.activation(story.id)?.phase else { return nil }
    return closing.closesAt
  }

  @Test func aRecordOfAHigherEpochReplacesAndAnswersWhatWasDemanded() throws {
    var story = try closing()
    try story.demanding(.customer, 8)
    let signed = story.world.signed(try story.record(9))
    #expect(try story.send(.settleByRecord(story.id, signed), by: .networkOperator) == .accepted)
    #expect(story.change?.answerBy == nil)
    #expect(
      try story.send(.demandRecord(story.demand(.networkOperator, 9)), by: .networkOperator) == .failedPrecondition)
    try story.world.passDeadlines(to: story.world.state.chain.clock + .seconds(25))
    #expect(story.world.ended(story.id)?.money.paid == DemandStory.fee + 10 * DemandStory.price)
  }

  // MARK: Refused

  @Test func oncePerSideAndEpochAndInOrder() throws {
    var story = try DemandStory()
    for _ in 0..<3 { try story.close() }
    func refused(_ epoch: EpochNumber, _ story: inout DemandStory) throws -> TransactionResult {
      try story.send(.demandRecord(story.demand(.customer, epoch)), by: .customer)
    }
    try story.demanding(.customer, 1)
    #expect(try refused(2, &story) == .failedPrecondition, "one at a time")
    try story.posting(.networkOperator, 1)
    try story.posting(.customer, 1)
    #expect(try refused(1, &story) == .failedPrecondition, "it has its record")
    #expect(try refused(0, &story) == .failedPrecondition, "and so have those before")
    try story.demanding(.customer, 2)
    #expect(try story.send(.postRecord(story.post(.customer, 2)), by: .customer) == .failedPrecondition, "not its turn")
    #expect(try story.send(.postRecord(story.post(.networkOperator, 1)), by: .networkOperator) == .failedPrecondition)
  }

  @Test func notBeforeTheEpochIsClosedAndNotBeyondWhatIsBooked() throws {
    var story = try DemandStory(epochsOver: 1)
    for _ in 0..<11 { try story.close() }
    #expect(try story.send(.demandRecord(story.demand(.customer, 1)), by: .customer) == .failedPrecondition)
    #expect(try story.send(.demandRecord(story.demand(.customer, 10)), by: .customer) == .outOfRange)
  }

  @Test func whatDoesNotFollowIsRefused() throws {
    var story = try DemandStory()
    for _ in 0..<2 { try story.close() }
    let honest = try story.demand(.customer, 1)
    func result(_ change: (inout RecordDemand) throws -> Void, by side: AccountingSide = .customer) throws
      -> TransactionResult
    {
      var demand = honest
      try change(&demand)
      return try story.send(.demandRecord(demand), by: side)
    }
    let first = try story.commitment(.customer, 0)
    let theirs = try story.commitment(.networkOperator, 1)
    let stranger = Envelope(
      signing: try honest.commitment.decode(EpochCommitment.self), with: World.key("platoon enclave"),
      network: story.world.genesis.networkID)
    let signed = story.world.signed(try story.record(0), enclave: "platoon enclave")
    let before = try #require(try story.base(before: 2))
    #expect(try result { $0.base = nil } == .invalidArgument)
    #expect(try result { $0.base?.state.removeLast() } == .receiptMismatch)
    #expect(try result { $0.base?.record = signed } == .receiptMismatch)
    #expect(try result { $0.base = before } == .invalidArgument)
    #expect(try result { $0.commitment = first } == .invalidArgument, "a base before epoch 0")
    #expect(try result { $0.commitment = theirs } == .invalidArgument)
    #expect(try result { $0.commitment = stranger } == .permissionDenied)
    #expect(try result({ _ in }, by: .networkOperator) == .invalidArgument)
    #expect(try result { $0.other = $0.commitment } == .invalidArgument)
    #expect(try result { $0.other = theirs } == .accepted)
    // What the demander showed of the other's binds it.
    var post = try story.post(.networkOperator, 1)
    post.receipts = ReceiptSet(Array(post.receipts.receipts.dropLast()))
    #expect(try story.send(.postRecord(post), by: .networkOperator) == .receiptMismatch, "not as committed")
    post.commitment = try story.commitment(.networkOperator, 1, to: post.receipts.digest)
    #expect(try story.send(.postRecord(post), by: .networkOperator) == .receiptMismatch, "another commitment")
    #expect(try story.send(.postRecord(story.post(.networkOperator, 1)), by: .customer) == .failedPrecondition)
    #expect(try story.send(.postRecord(story.post(.networkOperator, 1)), by: .networkOperator) == .accepted)
  }

  /// Receipts that cannot be in a record are as good as none.
  @Test func receiptsOfAnotherEpochOpenNothing() throws {
    var story = try DemandStory()
    for _ in 0..<2 { try story.close() }
    try story.demanding(.customer, 1)
    let old = story.receipts(.networkOperator, 0)
    let post = RecordPost(
      activation: story.id, epoch: 1, commitment: try story.commitment(.networkOperator, 1, to: old.digest),
      receipts: old)
    #expect(try story.send(.postRecord(post), by: .networkOperator) == .receiptMismatch)
    try story.silence()
    #expect(story.change?.statusInfo == .networkTerminated)
  }

  @Test func anAnswerAfterItsTimeComesTooLate() throws {
    var story = try DemandStory()
    try story.close()
    try story.demanding(.customer, 0)
    try story.silence()
    #expect(try story.send(.postRecord(story.post(.networkOperator, 0)), by: .networkOperator) == .failedPrecondition)
  }
}
