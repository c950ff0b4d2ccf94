import Messages
import Metering
import Signing
import Testing

/// Two customers, three edges: the anchors collect what the others of their side sign, and exchange it for them.
struct CollectionTests {
  let terms: ContractTerms
  let parties: AccountParties

  /// Both anchors, and everybody who only signs receipts.
  private struct Flow {
    var customer: CustomerExchange
    var networkOperator: OperatorExchange
    var books: [UInt8: ReceiptBook] = [:]
  }

  init() throws {
    terms = try Samples.terms([Samples.rule(.lossRatio, reference: 10_000_000)])
    var parties = try Samples.parties(terms, ends: [.near, .far])
    try Samples.apply(try Samples.handover(from: 2), to: &parties)
    self.parties = parties
  }

  private func flow() throws -> Flow {
    var flow = Flow(
      customer: CustomerExchange(
        parties: parties, key: try Samples.key(Samples.nearEnclave), network: Samples.network),
      networkOperator: OperatorExchange(
        parties: parties, key: try Samples.key(Samples.anchorEdge), network: Samples.network))
    for number in [Samples.farEnclave, Samples.farEdge, Samples.newEdge] {
      flow.books[number] = ReceiptBook(
        parties: parties, key: try Samples.key(number), network: Samples.network,
        from: number == Samples.newEdge ? 2 : 0)
    }
    return flow
  }

  private func receipts(
    _ epoch: EpochNumber, by number: UInt8, _ previous: (MeteredPoint) -> Digest
  ) throws -> [SLAReceipt] {
    let points = parties.points(of: try Samples.key(number).publicKey, in: epoch)
    let story = EpochStory(epoch: epoch, ends: [.near, .far], sent: 20)
    return try AccountingSide.allCases.flatMap { try story.receipts($0, terms, points: points, previous: previous) }
  }

  private func close(_ epoch: EpochNumber, _ flow: inout Flow) throws {
    let (customer, networkOperator) = (flow.customer, flow.networkOperator)
    _ = flow.customer.close(
      epoch, receipts: try receipts(epoch, by: Samples.nearEnclave) { customer.previousReceipt(of: $0) })
    _ = flow.networkOperator.close(
      epoch, receipts: try receipts(epoch, by: Samples.anchorEdge) { networkOperator.previousReceipt(of: $0) })
    for number in flow.books.keys.sorted() {
      guard var book = flow.books[number], book.nextToClose == epoch else { continue }
      let before = book
      _ = book.close(epoch, receipts: try receipts(epoch, by: number) { before.previousReceipt(of: $0) })
      flow.books[number] = book
    }
  }

  /// Everybody awaited hands over what it has, except the silent.
  private func collect(_ epoch: EpochNumber, _ flow: inout Flow, silent: [UInt8] = []) throws {
    for (number, book) in flow.books.sorted(by: { $0.key < $1.key }) where !silent.contains(number) {
      guard let set = book.receipts(of: epoch) else { continue }
      let key = try Samples.key(number).publicKey
      if flow.customer.awaited(in: epoch).contains(key) { _ = try flow.customer.collect(epoch, set) }
      if flow.networkOperator.awaited(in: epoch).contains(key) { _ = try flow.networkOperator.collect(epoch, set) }
    }
  }

  private func exchange(_ flow: inout Flow) throws {
    while let ask = flow.customer.ask {
      switch ask {
      case .commit(let commitment): _ = try flow.customer.take(try flow.networkOperator.answer(commitment).reply)
      case .reveal(let reveal): _ = try flow.customer.take(try flow.networkOperator.answer(reveal).reply)
      case .submit(let submission):
        _ = try flow.networkOperator.take(submission)
        _ = flow.customer.acknowledged()
      }
    }
  }

  @Test func setsOfSeveralSignersMakeOneRecordAcrossAHandover() throws {
    var flow = try flow()
    for epoch: EpochNumber in 0..<4 {
      try close(epoch, &flow)
      #expect(flow.customer.ask == nil, "nothing is committed to before the far enclave's receipts are there")
      #expect(flow.customer.collecting == [epoch] && flow.networkOperator.collecting == [epoch])
      let awaited = flow.networkOperator.awaited(in: epoch).count
      #expect(awaited == (epoch < 2 ? 1 : 2), "the anchor has no point of its own after the handover")
      try collect(epoch, &flow)
      try exchange(&flow)
      #expect(flow.customer.lastRecord?.epoch == epoch)
      #expect(flow.customer.lastRecord == flow.networkOperator.lastRecord)
      #expect(flow.customer.lastRecord?.missing == [])
    }
    #expect(flow.customer.lastRecord?.segments[0].epochCounters.met == 4)
  }

  @Test func whoHasNotAnsweredInTimeIsMissingAndItsSideBearsIt() throws {
    var flow = try flow()
    for (epoch, silent) in [(0, Samples.farEnclave), (1, Samples.farEdge)] as [(EpochNumber, UInt8)] {
      try close(epoch, &flow)
      try collect(epoch, &flow, silent: [silent])
      _ = flow.customer.stopCollecting(epoch)
      _ = flow.networkOperator.stopCollecting(epoch)
      try exchange(&flow)
      #expect(flow.customer.lastRecord?.missing == [try Samples.key(silent).publicKey])
    }
    // Both went on with their chains; the next epoch is whole again.
    try close(2, &flow)
    try collect(2, &flow)
    try exchange(&flow)
    let counters = try #require(flow.networkOperator.lastRecord?.segments[0].epochCounters)
    #expect(counters.met == 2 && counters.violated == 1)
  }

  /// One customer, whose end moves to another edge with epoch 1. The operator's anchor hears of it after that epoch is
  /// closed, and the customer's only when the operator has opened its receipts.
  @Test func aHandoverThatIsHeardOfLateCostsTheOperatorTheClosedEpochs() throws {
    let terms = try Samples.terms([Samples.rule(.lossRatio, reference: 10_000_000)])
    let parties = try Samples.parties(terms)
    let edge = try Samples.key(Samples.anchorEdge)
    var networkOperator = OperatorExchange(parties: parties, key: edge, network: Samples.network)
    var customer = CustomerExchange(
      parties: parties, key: try Samples.key(Samples.nearEnclave), network: Samples.network)
    let handover = try Samples.handover(from: 1)
    for epoch: EpochNumber in 0..<3 {
      let story = EpochStory(epoch: epoch)
      _ = customer.close(epoch, receipts: try story.receipts(.customer, terms) { customer.previousReceipt(of: $0) })
      let points = networkOperator.parties.points(of: edge.publicKey, in: epoch)
      let receipts = try story.receipts(.networkOperator, terms, points: points) {
        networkOperator.previousReceipt(of: $0)
      }
      _ = networkOperator.close(epoch, receipts: receipts)
      _ = networkOperator.stopCollecting(epoch)
      if epoch == 1 {
        let isHeard = networkOperator.apply(handover)
        #expect(isHeard)
      }
      guard case .commit(let commitment)? = customer.ask else { throw Samples.Missing() }
      _ = try customer.take(try networkOperator.answer(commitment).reply)
      guard case .reveal(let reveal)? = customer.ask else { throw Samples.Missing() }
      let answer = try networkOperator.answer(reveal).reply
      if epoch == 1 {
        let isTooLate = !networkOperator.apply(try Samples.handover(from: 1, edge: Samples.farEdge))
        #expect(isTooLate, "it has committed to its receipts of that epoch")
        #expect(throws: ExchangeRefusal.recordDiffers) { try customer.take(answer) }
        let isHeard = customer.apply(handover)
        #expect(isHeard)
      }
      _ = try customer.take(answer)
      guard case .submit(let submission)? = customer.ask else { throw Samples.Missing() }
      _ = try networkOperator.take(submission)
      _ = customer.acknowledged()
      let missing = epoch == 0 ? [] : [try Samples.key(Samples.newEdge).publicKey]
      #expect(networkOperator.lastRecord?.missing == missing)
    }
    #expect(customer.lastRecord?.segments[0].epochCounters.violated == 2)
  }

  @Test func receiptsOfStrangersAndOfOtherEpochsAreNotCollected() throws {
    var flow = try flow()
    try close(0, &flow)
    let honest = try #require(flow.books[Samples.farEnclave]?.receipts(of: 0))
    let receipt: SLAReceipt = try honest.receipts[0].decode()
    var other = receipt
    other.epoch = 1
    let (far, edge) = (try Samples.key(Samples.farEnclave), try Samples.key(Samples.farEdge))
    for (receipt, key, expected) in [
      (receipt, edge, ExchangeRefusal.wrongSigner), (other, far, .wrongStatement),
    ] {
      #expect(throws: expected) {
        try flow.customer.collect(0, ReceiptSet([Envelope(signing: receipt, with: key, network: Samples.network)]))
      }
    }
    _ = try flow.customer.collect(0, honest)
    #expect(try flow.customer.collect(0, honest) == nil, "complete: nothing more is taken")
  }

  /// A receipt that does not follow its point's last would make the other side refuse the whole set.
  @Test func aReceiptThatDoesNotFollowIsLeftOut() throws {
    var flow = try flow()
    try close(0, &flow)
    try collect(0, &flow)
    try exchange(&flow)
    try close(1, &flow)
    let far = try Samples.key(Samples.farEnclave)
    let astray = try receipts(1, by: Samples.farEnclave) { _ in Digest(hashing: [9]) }
    _ = try flow.customer.collect(
      1, ReceiptSet(astray.map { Envelope(signing: $0, with: far, network: Samples.network) }))
    try collect(1, &flow)
    try exchange(&flow)
    #expect(flow.customer.lastRecord?.epoch == 1)
    #expect(flow.customer.lastRecord?.missing == [far.publicKey])
  }

  @Test func aCrashWhileCollectingCollectsAgain() throws {
    var flow = try flow()
    let key = try Samples.key(Samples.nearEnclave)
    let journal = try #require(
      flow.customer.close(0, receipts: try receipts(0, by: Samples.nearEnclave) { _ in .zero }))
    #expect(journal.isCollecting)
    flow.customer = try CustomerExchange(
      parties: parties, key: key, network: Samples.network,
      recovering: [try EpochJournal(decoding: journal.encoded)])
    #expect(flow.customer.collecting == [0])
    #expect(flow.customer.nextToClose == 1)
    var book = try #require(flow.books[Samples.farEnclave])
    let kept = try #require(book.close(0, receipts: try receipts(0, by: Samples.farEnclave) { _ in .zero }))
    book = try ReceiptBook(
      parties: parties, key: try Samples.key(Samples.farEnclave), network: Samples.network, recovering: [kept])
    let set = try #require(book.receipts(of: 0))
    let complete = try #require(try flow.customer.collect(0, set))
    #expect(!complete.isCollecting && complete.ownCommitment != nil)
    #expect(complete.ownReceipts.receipts.count == 4)
  }

  // MARK: The ledger

  /// Both sides' material, posted and opened on the ledger: a third party comes to the record, both go on from there.
  @Test func whatTheLedgerOpenedBothGoOnFrom() throws {
    var flow = try flow()
    try close(0, &flow)
    try collect(0, &flow)
    try exchange(&flow)
    // Epoch 1: the operator's edge never answers its customer.
    try close(1, &flow)
    try collect(1, &flow)
    let demand = flow.customer.material(of: 1).material
    let answer = flow.networkOperator.material(of: 1)
    #expect(answer.persist?.ownCommitment == answer.material.commitment, "durable before it leaves")
    #expect(demand.base == answer.material.base)
    let base = try #require(demand.base)
    let record: JointRecord = try base.record.byEdge.decode()
    let ledger = try JointAccount(resuming: record, state: base.state, parties: parties).appending(
      epoch: 1, customer: demand.receipts, networkOperator: answer.material.receipts)
    let settling = EpochSettling(
      activation: Samples.activation, epoch: 1, customer: demand.receipts,
      networkOperator: answer.material.receipts)
    let journals = try flow.customer.settle(settling)
    #expect(journals.count == 1 && journals[0].isRecorded)
    #expect(try flow.customer.settle(settling).isEmpty, "again is harmless")
    #expect(try flow.networkOperator.settle(settling) != nil)
    #expect(flow.customer.lastRecord == ledger.last)
    #expect(flow.networkOperator.lastRecord == ledger.last)
    #expect(flow.customer.lastSigned == base.record, "the ledger's has no signatures")
    // Epoch 2 follows it, and its demand needs no base: the ledger has it.
    try close(2, &flow)
    try collect(2, &flow)
    #expect(flow.customer.material(of: 2).material.base == nil)
    try exchange(&flow)
    #expect(flow.networkOperator.lastRecord?.previous == ledger.last?.digest)
  }

  @Test func aSettledEpochSurvivesACrash() throws {
    let parties = try Samples.parties(terms)
    let key = try Samples.key(Samples.nearEnclave)
    var customer = CustomerExchange(parties: parties, key: key, network: Samples.network)
    var chain: [MeteredPoint: Digest] = [:]
    let sets = try EpochStory().sets(parties, after: &chain)
    _ = customer.close(0, receipts: try EpochStory().receipts(.customer, terms))
    let settling = EpochSettling(
      activation: Samples.activation, epoch: 0, customer: sets.customer, networkOperator: sets.networkOperator)
    let journals = try customer.settle(settling)
    let recovered = try CustomerExchange(
      parties: parties, key: key, network: Samples.network, recovering: journals)
    #expect(recovered.lastRecord == customer.lastRecord && recovered.lastRecord?.epoch == 0)
    #expect(recovered.isIdle, "there is no signature to submit")
    var other = settling
    other.customer = ReceiptSet([])
    var fresh = CustomerExchange(parties: parties, key: key, network: Samples.network)
    _ = fresh.close(0, receipts: try EpochStory().receipts(.customer, terms))
    #expect(throws: ExchangeRefusal.contradictory) { try fresh.settle(other) }
  }

  @Test func materialOfTheLastRecordComputesItAgain() throws {
    var flow = try flow()
    for epoch: EpochNumber in 0..<2 {
      try close(epoch, &flow)
      try collect(epoch, &flow)
      try exchange(&flow)
    }
    let epoch = flow.customer.recordedEpochs - 1
    let ground = flow.customer.material(of: epoch).material.recomputation(by: .customer)
    guard case .recompute(let base, let customer, let networkOperator)? = ground else {
      throw Samples.Missing()
    }
    let same = flow.networkOperator.material(of: epoch).material.recomputation(by: .networkOperator)
    #expect(same == ground)
    let held = try #require(base)
    let before: JointRecord = try held.record.byEnclave.decode()
    let account = try JointAccount(resuming: before, state: held.state, parties: parties).appending(
      epoch: 1, customer: customer, networkOperator: networkOperator)
    #expect(account.last == flow.customer.lastRecord)
    #expect(flow.customer.material(of: 7).material.commitment == nil)
  }
}
