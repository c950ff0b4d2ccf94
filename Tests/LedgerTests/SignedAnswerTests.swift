import Ledger
import Messages
import Metering
import Signing
import Testing

/// A record that both sides signed answers whatever is demanded of its epoch and those before: what is over and agreed
/// cannot be taken apart again by asking for old receipts.
@Suite struct SignedAnswerTests {
  private func proof(_ story: DemandStory, _ epoch: Int) throws -> Action {
    .startService(
      ServiceProof(
        activation: story.id, receipts: ReceiptSet([]), record: story.world.signed(try story.record(epoch))))
  }

  /// Five epochs, all of which have their record; an old one is demanded.
  private func demanded(by demander: AccountingSide, _ epoch: EpochNumber = 1) throws -> DemandStory {
    var story = try DemandStory(epochsOver: 5)
    for _ in 0..<5 { try story.close() }
    try story.demanding(demander, epoch)
    return story
  }

  @Test(arguments: AccountingSide.allCases, AccountingSide.allCases)
  func eitherSideAnswersByALaterRecord(demander: AccountingSide, bearer: AccountingSide) throws {
    var story = try demanded(by: demander)
    #expect(try story.send(proof(story, 4), by: bearer) == .accepted)
    #expect(story.proceedings?.demands == [] && story.change?.answerBy == nil)
    #expect(story.change?.statusInfo == nil && story.change?.epochs == 10, "it goes on")
    // Neither side asks for any of them again.
    for side in AccountingSide.allCases {
      #expect(try story.send(.demandRecord(story.demand(side, 4)), by: side) == .failedPrecondition)
    }
    #expect(try story.send(proof(story, 4), by: bearer) == .failedPrecondition, "nothing is demanded")
  }

  /// Who demands an old epoch and then does not open its own receipts would undo all that came after.
  @Test func aDemanderThatFallsSilentUndoesNothing() throws {
    var story = try demanded(by: .customer)
    try story.posting(.networkOperator, 1)
    #expect(try story.send(proof(story, 4), by: .networkOperator) == .accepted)
    try story.silence()
    try story.world.advance(to: story.accounts[0].parties.startAt + .seconds(11))
    let signed = story.world.signed(try story.record(4))
    #expect(try story.send(.settleByRecord(story.id, signed), by: .networkOperator) == .accepted)
    try story.world.passDeadlines(to: story.world.state.chain.clock + .seconds(25))
    let end = try #require(story.world.ended(story.id))
    #expect(end.money.paid == DemandStory.fee + 5 * DemandStory.price && end.money.penalty == 0)
  }

  @Test func whatShowsNothingOfTheDemandedEpochIsRefused() throws {
    var story = try demanded(by: .customer, 3)
    #expect(try story.send(proof(story, 2), by: .networkOperator) == .failedPrecondition)
    #expect(try story.world.send(proof(story, 4), by: "platoon treasury", after: .milliseconds(1)) == .permissionDenied)
    let forged = ServiceProof(
      activation: story.id, receipts: ReceiptSet([]),
      record: story.world.signed(try story.record(4), enclave: "platoon enclave"))
    #expect(try story.send(.startService(forged), by: .networkOperator) == .receiptMismatch)
    // Receipts say that service was given, not what a record says.
    let receipts = ServiceProof(activation: story.id, receipts: story.receipts(.networkOperator, 3), record: nil)
    #expect(try story.send(.startService(receipts), by: .networkOperator) == .failedPrecondition)
    #expect(try story.send(.startService(receipts), by: .customer) == .permissionDenied)
    try story.silence()
    #expect(try story.send(proof(story, 4), by: .networkOperator) == .failedPrecondition, "too late")
    #expect(story.change?.statusInfo == .networkTerminated && story.change?.epochs == 4)
  }

  /// A demand shows the record that it goes on from: nobody is asked for what that covers any more.
  @Test func theBaseOfADemandAnswersTheOtherSides() throws {
    var story = try demanded(by: .customer, 2)
    try story.demanding(.networkOperator, 4)
    #expect(story.proceedings?.demands.map(\.epoch) == [4])
    try story.posting(.customer, 4)
    try story.posting(.networkOperator, 4)
    #expect(story.proceedings?.posted?.record == (try story.record(4)))
  }

  /// An agreement that was signed before a demand was lost does not undo what that came to.
  @Test func anOldAgreementDoesNotUndoALostDemand() throws {
    var story = try DemandStory(epochsOver: 5)
    for _ in 0..<5 { try story.close() }
    let old = story.world.agreement(story.id, try story.record(3))
    try story.demanding(.customer, 4)
    try story.silence()
    #expect(try story.send(old, by: .networkOperator) == .failedPrecondition)
    #expect(try story.send(story.world.agreement(story.id, nil), by: .networkOperator) == .failedPrecondition)
    let posted = try #require(story.proceedings?.posted?.record)
    #expect(try story.send(story.world.agreement(story.id, posted), by: .customer) == .accepted)
    let end = try #require(story.world.ended(story.id))
    #expect(end.money.penalty == DemandStory.penalty + DemandStory.termination)
  }

  /// Whoever opens CLOSING, and with whichever record of that epoch: what a lost demand came to stands.
  @Test(arguments: AccountingSide.allCases) func aSignedRecordDoesNotUndoALostDemand(closer: AccountingSide) throws {
    var story = try DemandStory(epochsOver: 5)
    for _ in 0..<5 { try story.close() }
    try story.demanding(.customer, 4)
    try story.silence()
    let held = try story.record(4)
    let agreement = story.world.agreement(story.id, held)
    #expect(try story.send(agreement, by: closer) == .failedPrecondition)
    #expect(try story.send(.settleByRecord(story.id, story.world.signed(held)), by: closer) == .accepted)
    try story.world.passDeadlines(to: story.world.state.chain.clock + .seconds(25))
    #expect(story.world.ended(story.id)?.money.penalty == DemandStory.penalty + DemandStory.termination)
  }

  /// After CLOSING would have ended, a demand may still wait; the record that answers it is also what is paid by.
  @Test func inClosingTheAnswerIsWhatItPaysBy() throws {
    var story = try DemandStory(epochsOver: 10)
    for _ in 0..<10 { try story.close() }
    let early = story.world.signed(try story.record(7))
    #expect(try story.send(.settleByRecord(story.id, early), by: .customer) == .accepted)
    guard case .closing(_, let closing)? = story.world.state.activation(story.id)?.phase else {
      Issue.record("not CLOSING")
      return
    }
    while story.world.state.chain.clock + .seconds(2) < closing.closesAt { try story.world.block(after: .seconds(1)) }
    try story.demanding(.customer, 8)
    try story.world.passDeadlines(to: closing.closesAt + .seconds(1))
    #expect(story.change?.state == .closing)
    #expect(try story.send(proof(story, 9), by: .networkOperator) == .accepted)
    for _ in 0..<3 { try story.world.block() }
    #expect(story.world.ended(story.id)?.money.paid == DemandStory.fee + 10 * DemandStory.price)
  }
}
