import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

/// A customer that dies at any moment goes on from the ledger, buys once and is paid once.
@Suite struct CustomerRestartTests {
  enum Moment: CaseIterable {
    case planned, ordered, requested, opening, serving, ending, settling, closing
  }

  @Test(arguments: Moment.allCases) func itGoesOnFromWhereTheLedgerIs(moment: Moment) throws {
    var story = try CustomerStory()
    func die(at now: Moment) throws { if now == moment { try story.driver.restart(story.chain) } }

    try die(at: .planned)
    story.answerEvidence()
    var order = try story.takeOrder()
    try die(at: .ordered)
    if moment == .ordered {
      let again = try story.takeOrder()
      #expect(again.id == order.id)
      order = again
    }
    try story.block([order])
    try die(at: .requested)
    let id = ActivationID(order.id)
    let confirmation = SliceConfirmation(
      activation: id, planHash: .zero, startAt: story.chain.state.time + .seconds(2), edge: Chain.edgeKey)
    try story.block([story.chain.sign(.confirmSlice(confirmation), by: "alpha controller")])
    try die(at: .opening)
    #expect(story.stage == "opening")
    story.driver.answer(.success(.acknowledged)) { $0.message.isOpenSession }
    try story.blocks(for: .seconds(4))
    try die(at: .serving)
    openAgain(&story)
    #expect(story.stage == "serving")
    try serviceOver(&story, id)
    try die(at: .ending)
    openAgain(&story)
    try answerStatus(&story, id)
    #expect(story.stage == "settling")
    try die(at: .settling)
    if moment == .settling { try settleAgain(&story, id) }
    #expect(story.driver.answer(.success(.acknowledged)) { $0.message.isProposal })
    // The operator is silent: alone, once.
    for _ in 0..<6 {
      story.driver.wait(.seconds(2))
      story.driver.answer(.success(.acknowledged)) { $0.message.isProposal }
    }
    let sent = story.driver.takeSubmissions().map(\.transaction)
    #expect(sent.count == 1)
    try story.block(sent)
    try die(at: .closing)
    if moment == .closing { try settleAgain(&story, id) }
    try story.blocks(for: .seconds(30))
    #expect(story.stage == "SETTLED")
    #expect(story.chain.results.values.filter { $0 == .accepted }.count == 6, "nothing took effect twice")
  }

  private func openAgain(_ story: inout CustomerStory) {
    story.driver.answer(.success(.acknowledged)) { $0.message.isOpenSession }
  }

  private func serviceOver(_ story: inout CustomerStory, _ id: ActivationID) throws {
    for _ in 0..<6 {
      story.driver.wait(.milliseconds(500))
      try story.block()
    }
  }

  private func answerStatus(_ story: inout CustomerStory, _ id: ActivationID) throws {
    story.driver.wait(.seconds(1))
    while story.driver.answer(.success(try story.status(id, met: 4)), { $0.message.isEnclaveStatusQuestion }) {}
  }

  private func settleAgain(_ story: inout CustomerStory, _ id: ActivationID) throws {
    openAgain(&story)
    try answerStatus(&story, id)
  }
}
