import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

/// One customer of a process reads the ledger for the others.
@Suite struct LedgerFeedTests {
  var chain: Chain
  var reader: Driver<CustomerCore>
  var told: Driver<CustomerCore>

  /// The clinic reads for the hospital, which buys an operation.
  init() throws {
    chain = try Chain()
    var clinic = CustomerStory.configuration("clinic", chain.genesis, plan: [])
    var hospital = CustomerStory.configuration("hospital", chain.genesis, plan: [CustomerStory.operation])
    (clinic.ledger, hospital.ledger) = (.reads(others: [hospital.reader]), .isTold)
    reader = try CustomerStory.driver(clinic)
    told = try CustomerStory.driver(hospital)
    try chain.offer()
    told.start(chain)
    reader.start(chain)
  }

  private mutating func block(_ transactions: [SignedTransaction] = []) throws -> LedgerNews {
    reader.publish(try chain.append(transactions))
    let news = reader.takeTold()
    told.hear(news)
    return try #require(news.count == 1 ? news[0] : nil)
  }

  @Test func whoIsToldAsksNobodyAndActsOnceNothingIsMissing() throws {
    var story = self
    #expect(story.told.core.subscriptions.isEmpty && story.told.requests.isEmpty)
    let news = story.reader.takeTold()
    #expect(news.map(\.tip.height) == [1, 2, 2], "the blocks that were there, and that there are no others")
    story.told.hear(news)
    #expect(story.told.count(\.isEvidenceQuestion) == 1)
    #expect(story.reader.count(\.isEvidenceQuestion) == 0)
  }

  @Test func aBlockIsTheBusinessOfWhomItConcerns() throws {
    var story = self
    story.told.hear(story.reader.takeTold())
    #expect(try story.block().shares.isEmpty)
    let transfer = story.chain.sign(.transfer(to: Chain.organisation("beta"), amount: 1), by: "clinic treasury")
    #expect(try story.block([transfer]).shares.map(\.reader) == [0])
    let other = story.chain.sign(.transfer(to: Chain.organisation("beta"), amount: 1), by: "alpha controller")
    #expect(try story.block([other]).shares.isEmpty)
    let own = story.chain.sign(.transfer(to: Chain.organisation("beta"), amount: 1), by: "hospital treasury")
    #expect(try story.block([own]).shares.map(\.reader) == [1])
    #expect(story.told.core.tip == story.reader.core.tip)
  }

  @Test func anActivationIsFollowedFromItsOrderToItsEnd() throws {
    var story = self
    story.told.hear(story.reader.takeTold())
    story.told.wait(story.chain.state.time - Chain.start)
    story.told.answerEvidence(story.chain, of: "hospital")
    let order = try story.told.takeOrder()
    #expect(try story.block([order]).shares.map(\.reader) == [1])
    let confirmation = SliceConfirmation(
      activation: ActivationID(order.id), planHash: .zero, startAt: story.chain.state.time + .seconds(2),
      edge: Chain.edgeKey)
    // The operator's own transactions concern the payer as well.
    let confirm = story.chain.sign(.confirmSlice(confirmation), by: "alpha controller")
    #expect(try story.block([confirm]).shares.map(\.reader) == [1])
    #expect(story.told.core.progress[0].stage == "opening")
    let ended = ActivationChange(
      activation: ActivationID(order.id), state: .settled, statusInfo: .durationExpired, settlement: .agreed,
      money: ActivationMoney(), epochs: Chain.epochs)
    for concerned in [[1], []] {
      story.reader.publish(try story.chain.invent(events: [.activationChanged(ended)]))
      let news = story.reader.takeTold()
      #expect(news.first?.shares.map(\.reader) == concerned)
      story.told.hear(news)
    }
    #expect(story.told.core.progress[0].stage == "SETTLED")
  }
}
