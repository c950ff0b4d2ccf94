import Effects
import Ledger
import Messages
import Testing

@testable import Roles
@testable import Signing

/// Choosing the cheapest of all operators' offers, from members that may lie.
@Suite struct CustomerOfferTests {
  /// Alpha's offer, and beta's for a price per epoch.
  static func story(betaPrice: Amount) throws -> (CustomerStory, ContractTerms) {
    var story = try CustomerStory { plan in
      plan.offer = .cheapest(OfferWish(profile: "remote-surgery", duration: .seconds(4)))
    }
    var terms = Chain.terms
    terms.operatorID = Chain.organisation("beta")
    terms.money.pricePerEpoch = betaPrice
    try story.block([story.chain.sign(.deployContract(terms), by: "beta controller")])
    story.answerEvidence()
    return (story, terms)
  }

  static func question(_ story: CustomerStory) -> (request: EntriesRequest, of: ActorAddress)? {
    for request in story.driver.requests {
      if case .getEntries(let entries) = request.message { return (entries, request.to) }
    }
    return nil
  }

  /// What an honest member answers now.
  static func answer(_ story: CustomerStory, limit: UInt64? = nil) throws -> ProvenEntries {
    var (request, _) = try #require(question(story))
    if let limit { request.limit = limit }
    let segment = try #require(story.chain.segments.last)
    let block = try #require(segment.blocks.last)
    return story.chain.state.entries(request, header: block.header, finalization: segment.finalization)
  }

  static func give(_ answer: ProvenEntries, to story: inout CustomerStory) {
    story.driver.answer(.success(.entries(answer))) { if case .getEntries = $0.message { true } else { false } }
  }

  @Test(arguments: [(9 as Amount, "beta"), (11, "alpha")])
  func theCheapestThatFitsIsOrdered(price: Amount, chosen: String) throws {
    var (story, _) = try Self.story(betaPrice: price)
    Self.give(try Self.answer(story), to: &story)
    guard case .activate(let order) = try story.takeOrder().transaction.action else { return }
    let terms = story.chain.state.contract(order.contract)?.terms
    #expect(terms?.operatorID == Chain.organisation(chosen) && order.epochs == 4)
  }

  @Test func offersAreReadPageByPage() throws {
    var (story, terms) = try Self.story(betaPrice: 9)
    let first = try Self.answer(story, limit: 1)
    #expect(!first.isWhole)
    Self.give(first, to: &story)
    let second = Self.question(story)?.request
    #expect(second?.from == first.before)
    Self.give(try Self.answer(story), to: &story)
    guard case .activate(let order) = try story.takeOrder().transaction.action else { return }
    #expect(order.contract == terms.id)
  }

  /// However many offers there are, the choice goes on to the last page or says that it did not.
  @Test func aChoiceIsBoundedAndSaysSo() throws {
    var (story, _) = try Self.story(betaPrice: 9)
    let first = try Self.answer(story, limit: 1)
    guard case .choosing(var reading) = story.driver.core.purchases[0].stage else {
      Issue.record("not choosing")
      return
    }
    reading.pages = CustomerCore.maximumOfferPages - 1
    story.driver.core.purchases[0].stage = .choosing(reading)
    Self.give(first, to: &story)
    #expect(story.driver.counts["customer.offersLeftUnread"] == 1)
    #expect(Self.question(story) == nil && story.driver.count(\.isActivate) == 1)
  }

  /// One that leaves out an offer, one of an old state, one of another range: refused, counted, another member asked.
  @Test(arguments: 0..<3) func aLyingMembersAnswerIsRefusedAndAnotherIsAsked(lie: Int) throws {
    var (story, terms) = try Self.story(betaPrice: 9)
    var answer = try Self.answer(story)
    switch lie {
    case 0:
      let without = answer.proof.steps.filter { step in
        if case .leaf(let key, _) = step { key != LedgerKey.contract(terms.id) } else { true }
      }
      answer.proof = KeyedMerkleProof(steps: without)
    case 1: story.driver.wait(.seconds(5))
    default: answer.from = LedgerKey.contract(terms.id)
    }
    let liar = try #require(Self.question(story)).of
    Self.give(answer, to: &story)
    #expect(story.driver.counts["customer.answerRefused"] == 1 && story.driver.count(\.isActivate) == 0)
    story.driver.wait(CustomerCore.retry)
    let next = Self.question(story)?.of
    #expect(next != nil && next != liar)
    try story.block(after: .seconds(5))
    Self.give(try Self.answer(story), to: &story)
    #expect(story.driver.count(\.isActivate) == 1)
  }

  @Test func anOfferThatWasFoundSurvivesARestart() throws {
    var (story, _) = try Self.story(betaPrice: 9)
    Self.give(try Self.answer(story), to: &story)
    let order = try story.takeOrder()
    try story.driver.restart(story.chain)
    #expect(Self.question(story) == nil)
    #expect(try story.takeOrder().id == order.id)
    try story.block([order])
    #expect(story.stage == "requested")
  }

  @Test func whatIsTooDearIsWaitedForUntilTheLatestStart() throws {
    var story = try CustomerStory { plan in
      plan.offer = .cheapest(OfferWish(profile: nil, duration: .seconds(4), priceAtMost: 1))
    }
    story.answerEvidence()
    Self.give(try Self.answer(story), to: &story)
    #expect(story.stage == "planned" && Self.question(story) == nil)
    story.driver.wait(CustomerCore.resend)
    #expect(Self.question(story) != nil)
  }
}

/// What a member answers about its state.
@Suite struct StateReadingTests {
  @Test func answersAreProvenByTheLastFinalBlock() throws {
    var chain = try Chain()
    try chain.offer()
    let segment = try #require(chain.segments.last)
    var reading = StateReading()
    #expect(throws: RemoteError.self) { try reading.answer(.contracts, from: chain.state, at: Chain.start) }
    reading.finalized(segment)
    let answer = try reading.answer(.contracts, from: chain.state, at: Chain.start)
    #expect(answer.header == segment.blocks.last?.header && answer.finalization == segment.finalization)
    let verified = try answer.verified(answering: .contracts, notBefore: Chain.start)
    #expect(verified.contracts.map(\.id) == [Chain.terms.id])
  }

  @Test func readsBeyondTheRateAreRefusedPolitely() throws {
    var chain = try Chain()
    try chain.offer()
    var reading = StateReading()
    reading.finalized(try #require(chain.segments.last))
    let key = EntriesRequest(key: LedgerKey.contract(Chain.terms.id))
    for _ in 0..<StateReading.answersPerSecond { _ = try reading.answer(key, from: chain.state, at: Chain.start) }
    #expect {
      try reading.answer(key, from: chain.state, at: Chain.start)
    } throws: { ($0 as? RemoteError)?.code == .tooManyRequests }
    _ = try reading.answer(key, from: chain.state, at: Chain.start + .seconds(1))
  }

  @Test func aMemberWithoutAFinalBlockHasNothingToProve() throws {
    var driver = try ValidatorTests.validator(Chain())
    driver.handle(.started)
    #expect(ValidatorTests.refusal(of: .getEntries(.contracts), by: &driver) == .unavailable)
  }
}
