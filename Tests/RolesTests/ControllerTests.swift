import Effects
import Messages
import Slicing
import Testing

@testable import Roles
@testable import Signing

@Suite struct ControllerTests {
  @Test func aSliceIsHeldDurablyBeforeItIsConfirmed() throws {
    var story = try ControllerStory()
    var sawConfirmation = false
    story.driver.inspect = { message, disk in
      guard case .submit(let transaction) = message,
        case .confirmSlice(let confirmation) = transaction.transaction.action
      else { return }
      sawConfirmation = true
      let held = (disk[SliceRecord.stream] ?? [:]).values.compactMap { try? SliceRecord(decoding: $0) }
      #expect(held.contains { $0.plan.hash == confirmation.planHash && $0.state == .held })
      #expect((disk[ControllerCore.Stream.carriers] ?? [:]).values.contains(transaction.envelope.bytes))
    }
    _ = try story.requested()
    let submissions = story.driver.takeSubmissions()
    #expect(submissions.count == 1 && sawConfirmation)
  }

  @Test func afterACrashTheSameBytesAreSentAndNothingIsHeldTwice() throws {
    var story = try ControllerStory()
    _ = try story.requested()
    let before = story.driver.takeSubmissions().map(\.transaction.id)
    try story.driver.restart(story.chain, after: .seconds(1))
    #expect(story.driver.takeSubmissions().map(\.transaction.id) == before)
    #expect(story.slices.map(\.state) == [.held])
  }

  @Test func whatWasConfirmedWhileItWasDownIsServed() throws {
    var story = try ControllerStory()
    _ = try story.requested()
    try story.chain.append(story.driver.takeSubmissions().map(\.transaction), after: .milliseconds(100))
    try story.driver.restart(story.chain)
    #expect(story.slices.map(\.state) == [.confirmed])
    #expect(story.driver.takeSubmissions().isEmpty)
    #expect(story.driver.count(\.isOpenService) == 1)
    // And once more, from a record that says so.
    try story.driver.restart(story.chain)
    #expect(story.slices.map(\.state) == [.confirmed])
    guard case .openService(let order)? = story.driver.requests.first?.message else {
      Issue.record("the edge is not told")
      return
    }
    #expect(order.pathDelay == .milliseconds(1))
  }

  @Test func aHoldIsKeptUntilItsConfirmationHasExpired() throws {
    var story = try ControllerStory()
    _ = try story.requested()
    _ = story.driver.takeSubmissions()
    let expiry = try #require(story.slices.first).confirmationExpiry
    while story.chain.state.height < expiry {
      #expect(story.slices.map(\.state) == [.held])
      try story.block(after: .milliseconds(10))
      story.driver.wait(.milliseconds(40))
    }
    story.driver.wait(.seconds(2))
    #expect(story.slices.map(\.state) == [.released, .held])
    #expect(story.carriers == 1)
  }

  @Test func aRefusedConfirmationReleasesAndIsMadeAnew() throws {
    var story = try ControllerStory()
    _ = try story.requested()
    // Too late for its own start.
    try story.block(story.driver.takeSubmissions().map(\.transaction), after: .seconds(3))
    #expect(story.slices.map(\.state) == [.released, .held])
    try story.settleSubmissions()
    #expect(story.slices.map(\.state) == [.released, .confirmed])
    #expect(story.driver.count(\.isOpenService) == 1)
  }

  @Test func aTransactionThatOneMemberKeepsToItselfGoesToAnother() throws {
    var story = try ControllerStory()
    _ = try story.requested()
    story.driver.wait(.seconds(6))
    let sent = story.driver.takeSubmissions()
    #expect(sent.map(\.to) == Chain.validators)
    #expect(Set(sent.map(\.transaction.id)).count == 1)
  }

  @Test func aDeadMemberIsPassedOverAtOnce() throws {
    var story = try ControllerStory()
    _ = try story.requested()
    story.driver.answer(.failure(RemoteError(.unavailable))) { $0.to == Chain.validators[0] }
    story.driver.wait(ControllerCore.retry)
    #expect(Set(story.driver.requests.map(\.to)).subtracting([Chain.validators[0]]).count == 1)
  }

  @Test func theEdgeIsToldUntilItAnswers() throws {
    var story = try ControllerStory()
    _ = try story.requested()
    try story.settleSubmissions()
    for _ in 0..<4 {
      #expect(story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isOpenService })
      story.driver.wait(.seconds(1))
    }
  }

  @Test func itSettlesAloneWhenNobodyElseDoes() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.serviceOver()
    #expect(story.driver.count(\.isServiceReportQuestion) == 0)
    for _ in 0..<31 {
      #expect(story.driver.count(\.isSubmission) == 0)
      story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isServiceReportQuestion }
      story.driver.wait(.seconds(1))
    }
    story.driver.wait(.seconds(5))
    story.answerReports(try story.report(id, met: 4))
    try story.settleSubmissions()
    #expect(story.chain.state.state(of: id) == .closing)
    // Nothing more to say; the window's end pays.
    #expect(story.driver.takeSubmissions().isEmpty)
    for _ in 0..<30 { try story.block(after: .seconds(1)) }
    #expect(story.chain.state.activation(id) == nil)
    #expect(story.slices.map(\.state) == [.released])
  }

  @Test func aCustomersClosingIsAnsweredByTheHigherRecord() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.serviceOver()
    let lower = story.chain.sign(.settleByRecord(id, try story.chain.record(id, met: 2)), by: "hospital treasury")
    try story.block([lower])
    // First whether it holds the same of that epoch.
    for met in [2, 4] as [UInt64] {
      #expect(story.driver.answer(.success(try story.report(id, met: met))) { $0.message.isServiceReportQuestion })
    }
    let sent = story.driver.takeSubmissions().map(\.transaction)
    try story.block(sent)
    #expect(sent.map { story.chain.results[$0.id] } == [.accepted])
  }

  @Test func bothSettleAtOnce() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.serviceOver()
    let record = try story.chain.record(id, met: 4).byEdge.decode(JointRecord.self)
    let agreement = SettlementAgreement(activation: id, record: record)
    func proposal(by name: String) -> Message {
      .proposeSettlement(
        SignedMessage(
          Envelope(signing: agreement, with: Chain.key(name), network: story.chain.genesis.networkID)))
    }
    let forged = story.driver.ask(proposal(by: "beta controller"))
    guard case .failure(let error)? = story.driver.replies[forged] else {
      Issue.record("an agreement of a stranger is not refused")
      return
    }
    #expect(error.code == .permissionDenied)
    let token = story.driver.ask(proposal(by: "hospital treasury"))
    story.driver.answer(.success(try story.report(id, met: 4))) { $0.message.isServiceReportQuestion }
    guard case .success(.acknowledged)? = story.driver.replies[token] else {
      Issue.record("not agreed: \(String(describing: story.driver.replies[token]))")
      return
    }
    try story.settleSubmissions()
    #expect(story.chain.state.activation(id) == nil)
    #expect(story.slices.map(\.state) == [.released])
  }

  /// Both hold a record whose amounts are not what the contract makes of its counters.
  @Test func whatTheLedgerRefusesIsTriedAloneLessAndLessOften() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    try story.serviceOver()
    var record = try story.chain.record(id, met: 4).byEdge.decode(JointRecord.self)
    record.segments[0].amountDue += 1
    let (network, agreement) = (story.chain.genesis.networkID, SettlementAgreement(activation: id, record: record))
    let signed = SignedRecord(
      byEnclave: Envelope(signing: record, with: Chain.key("hospital enclave"), network: network),
      byEdge: Envelope(signing: record, with: Chain.key("alpha edge"), network: network))
    let report = Message.serviceReport(ServiceReport(activation: id, record: signed, isFinished: true))
    let proposal = Message.proposeSettlement(
      SignedMessage(Envelope(signing: agreement, with: Chain.key("hospital treasury"), network: network)))
    _ = story.driver.ask(proposal)
    var sent: [SignedTransaction] = []
    for _ in 0..<40 {
      story.driver.answer(.success(report)) { $0.message.isServiceReportQuestion }
      let submissions = story.driver.takeSubmissions().map(\.transaction)
      sent += submissions
      try story.block(submissions)
      story.driver.wait(.milliseconds(1))
    }
    #expect(sent.allSatisfy { story.chain.results[$0.id] == .receiptMismatch })
    let agreed = sent.count { if case .settleAgreed = $0.transaction.action { true } else { false } }
    #expect(agreed == 1 && (3...9).contains(sent.count))
  }

  @Test func nothingIsAgreedToBeforeTheServiceIsOver() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    let nothing = SettlementAgreement(activation: id, record: nil)
    let envelope = Envelope(
      signing: nothing, with: Chain.key("hospital treasury"), network: story.chain.genesis.networkID)
    let token = story.driver.ask(.proposeSettlement(SignedMessage(envelope)))
    let report = Message.serviceReport(ServiceReport(activation: id, record: nil, isFinished: false))
    story.driver.answer(.success(report)) { $0.message.isServiceReportQuestion }
    guard case .failure? = story.driver.replies[token] else {
      Issue.record("agreed to be paid for nothing")
      return
    }
    #expect(story.driver.takeSubmissions().isEmpty)
  }

  /// A Terminate that reaches the ledger while the edge is asked: the record beyond it would leave only the fee.
  @Test func aTerminatedServiceIsSettledWithTheLastRecordThatCounts() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    for _ in 0..<4 { try story.block() }
    try story.block([story.chain.sign(.terminate(id), by: "hospital treasury")])
    guard case .endSession(let ending)? = story.driver.requests.last?.message else {
      Issue.record("the edge is not told")
      return
    }
    story.driver.answer(.success(.acknowledged)) { $0.message.isEndSession }
    for _ in 0..<40 {
      story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isServiceReportQuestion }
      story.driver.wait(.seconds(1))
    }
    story.driver.wait(.seconds(6))
    for met in [4, ending.epochs] {
      guard case .getServiceReport(ReportRequest(id, epochs: ending.epochs))? = story.driver.requests.last?.message
      else {
        Issue.record("not asked for the last record that the ledger counts")
        return
      }
      #expect(story.driver.takeSubmissions().isEmpty)
      #expect(story.driver.answer(.success(try story.report(id, met: met))) { $0.message.isServiceReportQuestion })
      story.driver.wait(.seconds(2))
    }
    guard case .settleByRecord(id, let record?)? = story.driver.takeSubmissions().first?.transaction.transaction.action
    else {
      Issue.record("settled without a record")
      return
    }
    #expect(record == (try story.chain.record(id, met: ending.epochs)))
  }

  @Test func aTerminationReachesTheEdge() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    for _ in 0..<4 { try story.block() }
    try story.block([story.chain.sign(.terminate(id), by: "hospital treasury")])
    guard case .endSession(let ending)? = story.driver.requests.last?.message else {
      Issue.record("the edge is not told")
      return
    }
    #expect(ending.epochs < Chain.epochs && ending.activation == id)
    // It had closed that epoch already.
    story.driver.answer(.failure(RemoteError(.failedPrecondition))) { $0.message.isEndSession }
    guard case .endSession(let later)? = story.driver.requests.last?.message else {
      #expect(ending.epochs + 1 == Chain.epochs)
      return
    }
    #expect(later.epochs == ending.epochs + 1)
  }

  @Test func theEdgeIsAskedToLetGoUntilItDoesEvenAfterACrash() throws {
    var story = try ControllerStory()
    let id = try story.serving()
    let cancelled = story.chain.sign(.terminate(id), by: "hospital treasury")
    try story.block([cancelled], after: .milliseconds(100))
    #expect(story.slices.map(\.state) == [.released])
    #expect(story.driver.answer(.failure(RemoteError(.unavailable))) { $0.message.isCloseService })
    story.driver.wait(.seconds(1))
    #expect(story.driver.count(\.isCloseService) == 1)
    try story.driver.restart(story.chain)
    #expect(story.driver.answer(.success(.acknowledged)) { $0.message.isCloseService })
    #expect(story.carriers == 0)
    // History is not told to anybody.
    try story.driver.restart(story.chain)
    #expect(story.driver.requests.isEmpty)
    #expect(story.driver.steps.isEmpty)
  }

  @Test func capacityIsNeverSoldTwice() throws {
    var story = try ControllerStory()
    try story.block((0..<14).map { _ in story.chain.order(latestStart: .seconds(4)) })
    try story.driver.restart(story.chain)
    let actions = story.driver.takeSubmissions().map(\.transaction.transaction.action)
    #expect(actions.count { if case .confirmSlice = $0 { true } else { false } } == 10)
    #expect(story.slices.count { $0.state == .held } == 10)
  }
}
