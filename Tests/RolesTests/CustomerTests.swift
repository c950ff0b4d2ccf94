import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

@Suite struct CustomerTests {
  @Test func anOrderIsDurableBeforeItLeavesAndNeverMadeTwice() throws {
    var story = try CustomerStory()
    story.driver.inspect = { message, disk in
      guard case .activate(let transaction) = message else { return }
      #expect(disk[CustomerCore.Stream.orders]?[0] == transaction.envelope.bytes)
    }
    story.answerEvidence()
    let order = try story.takeOrder()
    try story.driver.restart(story.chain)
    #expect(try story.takeOrder().id == order.id)
  }

  @Test func aRegistrationIsRepeatedWithTheSameBytes() throws {
    var story = try CustomerStory(isAttested: false)
    try story.block([story.chain.sign(.deployContract(Chain.terms), by: "alpha controller")])
    story.answerEvidence()
    story.driver.answer(.failure(RemoteError(.deadlineExceeded))) { $0.to.role == .validator }
    story.driver.wait(.seconds(4))
    let sent = story.driver.takeSubmissions()
    #expect(Set(sent.map(\.transaction.id)).count == 1)
    #expect(!sent.isEmpty && !sent.contains { $0.to == Chain.validators[0] })
    try story.block([sent[0].transaction])
    #expect(story.driver.count(\.isActivate) == 1)
  }

  @Test func refusedEvidenceIsAskedForAgain() throws {
    var story = try CustomerStory(isAttested: false)
    try story.block([story.chain.sign(.deployContract(Chain.terms), by: "alpha controller")])
    for _ in 0..<70 { try story.chain.append(after: .milliseconds(1)) }
    story.answerEvidence()
    try story.block(story.driver.takeSubmissions().map(\.transaction))
    story.driver.readLedger(story.chain)
    story.driver.wait(.seconds(1))
    #expect(story.driver.count(\.isEvidenceQuestion) == 1)
    story.answerEvidence()
    try story.block(story.driver.takeSubmissions().map(\.transaction))
    #expect(story.driver.count(\.isActivate) == 1)
  }

  @Test func aDeadContractActorIsPassedBy() throws {
    var story = try CustomerStory()
    story.answerEvidence()
    story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isActivate }
    story.driver.wait(CustomerCore.retry)
    let sent = story.driver.takeSubmissions()
    #expect(sent.count == 1)
    try story.block(sent.map(\.transaction))
    #expect(story.stage == "requested")
  }

  @Test func aLateAnswerIsNotTakenForAnother() throws {
    var story = try CustomerStory()
    story.answerEvidence()
    let request = try #require(story.driver.requests.last { $0.message.isActivate })
    guard case .activate(let order) = request.message else { return }
    try story.block([order])
    let confirmation = SliceConfirmation(
      activation: ActivationID(order.id), planHash: .zero, startAt: story.chain.state.time + .seconds(2),
      edge: Chain.edgeKey)
    try story.block([story.chain.sign(.confirmSlice(confirmation), by: "alpha controller")])
    story.driver.answer(.success(Chain.acknowledgement(of: order, by: request.to))) { $0.id == request.id }
    #expect(story.stage == "opening" && story.driver.count(\.isOpenSession) == 1)
  }

  @Test func itOffersTheRecordAndSettlesAloneWhenTheOperatorDoesNot() throws {
    var story = try CustomerStory()
    let id = try story.serving()
    try story.serviceOver()
    story.driver.wait(.seconds(1))
    #expect(story.driver.answer(.success(try story.status(id, met: 4))) { $0.message.isEnclaveStatusQuestion })
    for _ in 0..<5 {
      #expect(story.driver.answer(.success(.acknowledged)) { $0.message.isProposal })
      story.driver.wait(.seconds(2))
    }
    let sent = story.driver.takeSubmissions().map(\.transaction)
    try story.block(sent)
    #expect(sent.map { story.chain.results[$0.id] } == [.accepted])
    #expect(story.chain.state.state(of: id) == .closing)
    for _ in 0..<30 { try story.block(after: .seconds(1)) }
    #expect(story.stage == "SETTLED")
    #expect(story.driver.takeSubmissions().isEmpty)
  }

  @Test func anEnclaveThatNeverFinishesDoesNotKeepTheMoneyLocked() throws {
    var story = try CustomerStory()
    let id = try story.serving()
    try story.serviceOver()
    for _ in 0..<40 {
      story.driver.answer(.success(try story.status(id, met: 2))) { $0.message.isEnclaveStatusQuestion }
      story.driver.answer(.failure(RemoteError(.failedPrecondition))) { $0.message.isProposal }
      story.driver.wait(.seconds(1))
    }
    let sent = story.driver.takeSubmissions().map(\.transaction)
    #expect(sent.count == 1)
    guard case .settleByRecord(id, let record?)? = sent.first?.transaction.action else {
      Issue.record("not settled by the last record")
      return
    }
    #expect(record == (try story.chain.record(id, met: 2)))
  }

  @Test func aDeadEnclaveDoesNotKeepTheMoneyLocked() throws {
    var story = try CustomerStory()
    _ = try story.serving()
    try story.serviceOver()
    for _ in 0..<100 {
      story.driver.answer(.failure(RemoteError(.unavailable))) { $0.to == CustomerStory.enclave }
      story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isProposal }
      story.driver.wait(.seconds(1))
    }
    #expect(story.driver.takeSubmissions().count == 1)
  }

  @Test func anOperatorsClosingIsAnsweredByTheHigherRecord() throws {
    var story = try CustomerStory()
    let id = try story.serving()
    try story.serviceOver()
    let lower = story.chain.sign(.settleByRecord(id, try story.chain.record(id, met: 2)), by: "alpha controller")
    try story.block([lower])
    story.driver.wait(.seconds(1))
    while story.driver.answer(.success(try story.status(id, met: 4)), { $0.message.isEnclaveStatusQuestion }) {}
    let sent = story.driver.takeSubmissions().map(\.transaction)
    try story.block(sent)
    #expect(sent.map { story.chain.results[$0.id] } == [.accepted])
    story.driver.wait(.seconds(5))
    #expect(story.driver.takeSubmissions().isEmpty)
  }

  @Test func aTerminationReachesTheEnclave() throws {
    var story = try CustomerStory()
    let id = try story.serving()
    for _ in 0..<3 { try story.block() }
    try story.block([story.chain.sign(.terminate(id), by: "hospital treasury")])
    guard case .endSession(let ending)? = story.driver.requests.last?.message else {
      Issue.record("the enclave is not told")
      return
    }
    #expect(ending.activation == id && ending.epochs == 1)
    #expect(story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isEndSession })
    story.driver.wait(.seconds(1))
    #expect(story.driver.answer(.success(.acknowledged)) { $0.message.isEndSession })
    story.driver.wait(.seconds(2))
    #expect(story.driver.count(\.isEnclaveStatusQuestion) == 1)
    guard case .getEnclaveStatus(ReportRequest(id, epochs: 1))? = story.driver.requests.last?.message else {
      Issue.record("not asked for the last record that the ledger counts")
      return
    }
    // A record of an epoch that the ledger no longer counts settles nothing; the one before is asked for.
    #expect(story.driver.answer(.success(try story.status(id, met: 4))) { $0.message.isEnclaveStatusQuestion })
    #expect(story.driver.count(\.isProposal) == 0)
    story.driver.wait(.seconds(2))
    let counted = try story.chain.record(id, met: 1)
    let status = EnclaveStatus(activation: id, phase: .finished, epoch: nil, record: counted)
    #expect(story.driver.answer(.success(.enclaveStatus(status))) { $0.message.isEnclaveStatusQuestion })
    guard case .proposeSettlement(let proposal)? = story.driver.requests.last?.message else {
      Issue.record("nothing is proposed")
      return
    }
    #expect(try proposal.payload().record == counted.byEnclave.decode(JointRecord.self))
  }

  @Test func historyIsToldOnceAndNotActedOn() throws {
    var story = try CustomerStory()
    let id = try story.serving()
    try story.serviceOver()
    try story.chain.append([
      story.chain.sign(.settleByRecord(id, try story.chain.record(id, met: 4)), by: "alpha controller")
    ])
    for _ in 0..<30 { try story.chain.append(after: .seconds(1)) }
    try story.driver.restart(story.chain, after: .seconds(40))
    #expect(story.stage == "SETTLED")
    #expect(story.driver.steps.count == 1)
    guard case .ended(let change)? = story.driver.steps.first else {
      Issue.record("the end is not told")
      return
    }
    #expect(change.activation == id)
    #expect(!story.driver.requests.contains { $0.to.role != .platform })
  }
}
