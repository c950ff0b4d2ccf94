import Ledger
import Messages
import Metering
import Signing
import Testing

/// DemandService and StartService: an operator that serves can say so; one that is silent gives everything back.
@Suite struct ServiceDemandTests {
  @Test func unansweredEverythingGoesBackAndThePenaltyIsDue() throws {
    var story = try DemandStory(epochsOver: 1)
    #expect(try story.send(.demandService(story.id), by: .customer) == .accepted)
    try story.silence()
    let end = try #require(story.world.ended(story.id))
    #expect(end.state == .settled && end.settlement == .expired && end.statusInfo == .serviceWithheld)
    #expect(end.money.refunded == DemandStory.escrow && end.money.paid == 0)
    #expect(end.money.penalty == DemandStory.termination)
  }

  @Test func receiptsOfAnEpochAnswerIt() throws {
    var story = try DemandStory(epochsOver: 1)
    try story.close()
    #expect(try story.send(.demandService(story.id), by: .customer) == .accepted)
    let proof = ServiceProof(activation: story.id, receipts: story.receipts(.networkOperator, 0), record: nil)
    #expect(try story.send(.startService(proof), by: .networkOperator) == .accepted)
    #expect(story.proceedings?.service == .answered)
    try story.world.passDeadlines(to: story.world.state.chain.clock + .seconds(20))
    #expect(story.change?.statusInfo == nil, "it goes on")
    #expect(try story.send(.startService(proof), by: .networkOperator) == .failedPrecondition)
    #expect(try story.send(.demandService(story.id), by: .customer) == .failedPrecondition, "once")
  }

  @Test func aRecordOfBothAnswersIt() throws {
    var story = try DemandStory(epochsOver: 1)
    try story.close()
    #expect(try story.send(.demandService(story.id), by: .customer) == .accepted)
    let proof = ServiceProof(
      activation: story.id, receipts: ReceiptSet([]), record: story.world.signed(try story.record(0)))
    #expect(try story.send(.startService(proof), by: .networkOperator) == .accepted)
  }

  @Test func whatProvesNothingIsNoAnswer() throws {
    var story = try DemandStory(epochsOver: 1)
    try story.close()
    #expect(try story.send(.demandService(story.id), by: .customer) == .accepted)
    let complete = story.receipts(.networkOperator, 0)
    var byAnother = complete
    byAnother.receipts[0] = Envelope(
      signing: try complete.receipts[0].decode(SLAReceipt.self), with: World.key("operator-0 edge 2"),
      network: story.world.genesis.networkID)
    try story.close()
    for receipts in [
      ReceiptSet([]), ReceiptSet(Array(complete.receipts.dropLast())), byAnother, story.receipts(.customer, 0),
      // Of an epoch that is not over.
      story.receipts(.networkOperator, 1),
    ] {
      let proof = ServiceProof(activation: story.id, receipts: receipts, record: nil)
      #expect(try story.send(.startService(proof), by: .networkOperator) == .receiptMismatch)
    }
    let proof = ServiceProof(activation: story.id, receipts: complete, record: nil)
    #expect(try story.send(.startService(proof), by: .customer) == .permissionDenied)
  }

  @Test func itIsTheCustomersInTheBeginningOnly() throws {
    var story = try DemandStory(epochsOver: 0)
    #expect(try story.send(.demandService(story.id), by: .networkOperator) == .permissionDenied)
    try story.world.advance(to: story.accounts[0].parties.startAt + .seconds(6))
    #expect(try story.send(.demandService(story.id), by: .customer) == .deadlinePassed)
    var world = try World()
    let id = try world.reserve(try world.deploy())
    #expect(try world.send(.demandService(id), by: "hospital treasury") == .failedPrecondition, "not before its start")
  }

  /// The first receipts there can be are those of epoch 0: nobody has to show them earlier.
  @Test func theTimeToAnswerBeginsWhenThereCanBeReceipts() throws {
    var terms = World.terms()
    terms.metering.epoch = .seconds(30)
    terms.deadlines.answerWithin = .seconds(40)
    var story = try DemandStory(epochsOver: 0, terms: terms)
    #expect(try story.send(.demandService(story.id), by: .customer) == .accepted)
    let answerBy = try #require(story.proceedings?.answerBy)
    #expect(answerBy - story.world.state.chain.clock > .seconds(65))
  }
}
