import Messages
import Metering
import Signing
import Testing

/// The commitment–reveal exchange as two machines and nothing between them.
struct ExchangeTests {
  let terms: ContractTerms
  let parties: AccountParties
  let stranger: SigningKey

  init() throws {
    terms = try Samples.terms([Samples.rule(.lossRatio, reference: 10_000_000)])
    parties = try Samples.parties(terms)
    stranger = try Samples.key(66)
  }

  private func customer(_ journals: [EpochJournal] = []) throws -> CustomerExchange {
    try CustomerExchange(
      parties: parties, key: Samples.key(1), network: Samples.network, recovering: journals)
  }

  private func networkOperator(_ journals: [EpochJournal] = []) throws -> OperatorExchange {
    try OperatorExchange(
      parties: parties, key: Samples.key(2), network: Samples.network, recovering: journals)
  }

  /// Both machines with the epoch closed on both sides.
  private func closed(_ epoch: EpochNumber = 0) throws -> (CustomerExchange, OperatorExchange) {
    var customer = try customer()
    var networkOperator = try networkOperator()
    try close(epoch, &customer, &networkOperator)
    return (customer, networkOperator)
  }

  private func close(
    _ epoch: EpochNumber, _ customer: inout CustomerExchange, _ networkOperator: inout OperatorExchange
  ) throws {
    let story = EpochStory(epoch: epoch)
    let left = customer
    let right = networkOperator
    _ = customer.close(epoch, receipts: try story.receipts(.customer, terms) { left.previousReceipt(of: $0) })
    _ = networkOperator.close(
      epoch, receipts: try story.receipts(.networkOperator, terms) { right.previousReceipt(of: $0) })
  }

  /// One step of the customer's, answered at once.
  private func step(_ customer: inout CustomerExchange, _ networkOperator: inout OperatorExchange) throws {
    switch customer.ask {
    case .commit(let commitment)?: _ = try customer.take(try networkOperator.answer(commitment).reply)
    case .reveal(let reveal)?: _ = try customer.take(try networkOperator.answer(reveal).reply)
    case .submit(let submission)?:
      _ = try networkOperator.take(submission)
      _ = customer.acknowledged()
    case nil: break
    }
  }

  @Test func threeStepsMakeARecordThatBothSigned() throws {
    var (customer, networkOperator) = try closed()
    for _ in 0..<3 { try step(&customer, &networkOperator) }
    #expect(customer.isIdle)
    let record = try #require(customer.lastRecord)
    #expect(record == networkOperator.lastRecord)
    #expect(customer.lastSigned == networkOperator.lastSigned)
    #expect(record.segments[0].epochCounters.met == 1)
    #expect(record.segments[0].amountDue == 100)
    #expect(record.previous == .zero)
    try close(1, &customer, &networkOperator)
    for _ in 0..<3 { try step(&customer, &networkOperator) }
    #expect(customer.lastRecord?.previous == record.digest)
  }

  /// Loss, duplicates, old answers again, and a crash of either side after any step: one record per epoch, the same
  /// on both sides, and nobody ever signs two statements for one epoch.
  @Test(arguments: 1...60) func whateverHappensOnTheWayTheyAgree(seed: UInt64) throws {
    var random = SplitMix(state: seed)
    var customer = try customer()
    var networkOperator = try networkOperator()
    var customerDisk: [EpochNumber: EpochJournal] = [:]
    var operatorDisk: [EpochNumber: EpochJournal] = [:]
    var said: [String: Set<Digest>] = [:]
    var old: [CustomerExchange.Ask] = []

    func sent(_ envelope: Envelope, _ epoch: EpochNumber, _ what: String) {
      said["\(what) \(epoch)", default: []].insert(envelope.digest)
      #expect(said["\(what) \(epoch)"]?.count == 1, "two statements: \(what) of epoch \(epoch)")
    }
    func keep(_ journal: EpochJournal?, _ disk: inout [EpochNumber: EpochJournal]) {
      if let journal { disk[journal.epoch] = journal }
    }
    /// The operator's part, and what comes back.
    func answer(_ ask: CustomerExchange.Ask) -> ((inout CustomerExchange) -> Void)? {
      switch ask {
      case .commit(let request):
        guard let answer = try? networkOperator.answer(request) else { return nil }
        keep(answer.persist, &operatorDisk)
        let theirs: EpochCommitment? = try? answer.reply.commitment.decode()
        sent(answer.reply.commitment, theirs?.epoch ?? 99, "operator commitment")
        return { customer in
          guard let step = try? customer.take(answer.reply) else { return }
          keep(step.persist, &customerDisk)
        }
      case .reveal(let request):
        guard let answer = try? networkOperator.answer(request) else { return nil }
        keep(answer.persist, &operatorDisk)
        sent(answer.reply.record, request.epoch, "operator record")
        return { customer in
          guard let step = try? customer.take(answer.reply) else { return }
          keep(step.persist, &customerDisk)
        }
      case .submit(let request):
        do {
          keep(try networkOperator.take(request)?.persist, &operatorDisk)
        } catch {
          return nil
        }
        let asked = ask
        return { customer in
          // An acknowledgement belongs to the request in flight; the bus matches them by number.
          guard customer.ask == asked else { return }
          keep(customer.acknowledged()?.persist, &customerDisk)
        }
      }
    }

    var epoch: EpochNumber = 0
    for _ in 0..<4000 where customer.lastRecord?.epoch != 5 || networkOperator.lastRecord?.epoch != 5 {
      if epoch < 6, random.below(8) == 0 {
        let story = EpochStory(epoch: epoch, sent: 20)
        let (left, right) = (customer, networkOperator)
        keep(
          customer.close(epoch, receipts: try story.receipts(.customer, terms) { left.previousReceipt(of: $0) }),
          &customerDisk)
        keep(
          networkOperator.close(
            epoch, receipts: try story.receipts(.networkOperator, terms) { right.previousReceipt(of: $0) }),
          &operatorDisk)
        epoch += 1
      }
      if let ask = customer.ask {
        if case .commit(let commitment) = ask, let mine: EpochCommitment = try? commitment.commitment.decode() {
          sent(commitment.commitment, mine.epoch, "customer commitment")
        }
        if case .submit(let submission) = ask, let mine: JointRecord = try? submission.record.decode() {
          sent(submission.record, mine.epoch, "customer record")
        }
        old.append(ask)
        for _ in 0..<random.below(3) {
          if let reply = answer(ask), random.below(3) > 0 { reply(&customer) }
        }
      }
      if !old.isEmpty, random.below(4) == 0 { _ = answer(old[Int(random.below(UInt64(old.count)))]) }
      if random.below(10) == 0 {
        customer = try self.customer(customerDisk.sorted { $0.key < $1.key }.map(\.value))
      }
      if random.below(10) == 0 {
        networkOperator = try self.networkOperator(operatorDisk.sorted { $0.key < $1.key }.map(\.value))
      }
    }
    #expect(customer.lastRecord?.epoch == 5)
    #expect(customer.lastRecord == networkOperator.lastRecord)
    #expect(customer.lastSigned == networkOperator.lastSigned)
    #expect(customer.lastRecord?.segments[0].epochCounters.met == 6)
  }

  // MARK: What is refused

  /// Both signatures are durable at the enclave; whether the operator has its half died with it. To claim so would let
  /// an epoch that was not served for want of the record look like one that the operator withheld.
  @Test func whatMayNotHaveArrivedIsNotAcknowledged() throws {
    var (customer, networkOperator) = try closed()
    try step(&customer, &networkOperator)
    guard case .reveal(let reveal)? = customer.ask else { throw Samples.Missing() }
    let journal = try customer.take(try networkOperator.answer(reveal).reply).persist
    #expect(customer.lastRecord?.epoch == 0 && customer.lastAcknowledged == nil)
    var later = try self.customer([journal])
    #expect(later.lastRecord?.epoch == 0 && later.lastAcknowledged == nil)
    try step(&later, &networkOperator)
    #expect(later.lastAcknowledged == 0)
  }

  @Test func aCommitmentByAStrangerOrToAnotherPastIsRefused() throws {
    var (customer, networkOperator) = try closed()
    guard case .commit(let asked)? = customer.ask else { throw Samples.Missing() }
    let honest: EpochCommitment = try asked.commitment.decode()
    func refusal(_ change: (inout EpochCommitment) -> Void, by key: SigningKey) -> ExchangeRefusal? {
      var commitment = honest
      change(&commitment)
      do throws(ExchangeRefusal) {
        let envelope = Envelope(signing: commitment, with: key, network: Samples.network)
        _ = try networkOperator.answer(CommitmentExchange(commitment: envelope))
        return nil
      } catch {
        return error
      }
    }
    let key = try Samples.key(1)
    #expect(refusal({ _ in }, by: stranger) == .wrongSigner)
    #expect(refusal({ $0.previousRecord = Digest(hashing: [7]) }, by: key) == .wrongPrevious)
    #expect(refusal({ $0.side = .networkOperator }, by: key) == .wrongStatement)
    #expect(refusal({ $0.activation = ActivationID(Digest(hashing: [7])) }, by: key) == .wrongStatement)
    #expect(refusal({ $0.epoch = 1 }, by: key) == .notYet)
    #expect(refusal({ $0.epoch = 1 }, by: stranger) == .wrongSigner, "and is not waited for in the enclave's place")
    #expect(networkOperator.refused == 5, "an open epoch is no offence")
    // As if nothing had come.
    try step(&customer, &networkOperator)
    #expect(refusal({ $0.receipts = Digest(hashing: [7]) }, by: key) == .contradictory)
    for _ in 0..<2 { try step(&customer, &networkOperator) }
    #expect(networkOperator.lastRecord?.epoch == 0)
  }

  @Test func receiptsOtherThanCommittedAreRefused() throws {
    var (customer, networkOperator) = try closed()
    try step(&customer, &networkOperator)
    guard case .reveal(var reveal)? = customer.ask else { throw Samples.Missing() }
    let receipt: SLAReceipt = try reveal.receipts.receipts[0].decode()
    var better = receipt
    better.counts.packetsSent += 100
    reveal.receipts.receipts[0] = Envelope(signing: better, with: try Samples.key(1), network: Samples.network)
    #expect(throws: ExchangeRefusal.receipts(.customerReceipts(.notAsCommitted))) {
      try networkOperator.answer(reveal)
    }
    for _ in 0..<2 { try step(&customer, &networkOperator) }
    #expect(networkOperator.lastRecord?.epoch == 0)
  }

  /// A customer that commits to receipts of an old epoch, another point or another chain gets no record.
  @Test(arguments: [
    (ReceiptRefusal.wrongEpoch, 0), (.wrongPoint, 1), (.brokenChain, 2), (.wrongSigner, 3), (.malformed, 4),
  ]) func receiptsThatDoNotBelongAreRefusedEvenIfCommitted(expected: ReceiptRefusal, change: Int) throws {
    var networkOperator = try networkOperator()
    let story = EpochStory()
    _ = networkOperator.close(0, receipts: try story.receipts(.networkOperator, terms))
    var receipts = try story.receipts(.customer, terms)
    switch change {
    case 0: receipts[0].epoch = 7
    case 1: receipts[0].point = .edgeIngress
    case 2: receipts[0].previous = Digest(hashing: [7])
    default: break
    }
    let key = try Samples.key(1)
    var set = ReceiptSet(
      try receipts.map {
        Envelope(signing: $0, with: change == 3 ? stranger : try Samples.key(1), network: Samples.network)
      })
    if change == 4 {
      let commitment = EpochCommitment(
        activation: Samples.activation, epoch: 0, side: .customer, receipts: .zero, previousRecord: .zero)
      set.receipts[0] = Envelope(signing: commitment, with: key, network: Samples.network)
    }
    let commitment = EpochCommitment(
      activation: Samples.activation, epoch: 0, side: .customer, receipts: set.digest, previousRecord: .zero)
    _ = try networkOperator.answer(
      CommitmentExchange(commitment: Envelope(signing: commitment, with: key, network: Samples.network)))
    #expect(throws: ExchangeRefusal.receipts(.customerReceipts(expected))) {
      try networkOperator.answer(ReceiptReveal(activation: Samples.activation, epoch: 0, receipts: set))
    }
  }

  @Test func alteredForgedAndReplayedRecordsAreRefused() throws {
    var (customer, networkOperator) = try closed()
    for _ in 0..<2 { try step(&customer, &networkOperator) }
    guard case .submit(let honest)? = customer.ask else { throw Samples.Missing() }
    let record: JointRecord = try honest.record.decode()
    var cheaper = record
    cheaper.segments[0].amountDue = 0
    let key = try Samples.key(1)
    for (payload, signer, expected) in [
      (cheaper, key, ExchangeRefusal.recordDiffers), (record, stranger, .wrongSigner),
    ] {
      #expect(throws: expected) {
        try networkOperator.take(
          RecordSubmission(record: Envelope(signing: payload, with: signer, network: Samples.network)))
      }
    }
    #expect(networkOperator.lastRecord == nil, "as if nothing had come")
    for epoch: EpochNumber in 0..<2 {
      while !customer.isIdle { try step(&customer, &networkOperator) }
      if epoch == 0 { try close(1, &customer, &networkOperator) }
    }
    #expect(networkOperator.lastRecord?.epoch == 1)
    #expect(throws: ExchangeRefusal.alreadyRecorded) { try networkOperator.take(honest) }
  }

  @Test func theEnclaveSignsNoRecordThatDoesNotFollow() throws {
    var (customer, networkOperator) = try closed()
    try step(&customer, &networkOperator)
    guard case .reveal(let reveal)? = customer.ask else { throw Samples.Missing() }
    let honest = try networkOperator.answer(reveal).reply
    var record: JointRecord = try honest.record.decode()
    record.segments[0].amountDue += 1
    var forged = honest
    forged.record = Envelope(signing: record, with: try Samples.key(2), network: Samples.network)
    #expect(throws: ExchangeRefusal.recordDiffers) { try customer.take(forged) }
    #expect(customer.lastRecord == nil)
    _ = try customer.take(honest)
    #expect(customer.lastRecord?.epoch == 0)
  }

  // MARK: The gate

  @Test func rule8TheGateNeedsTheRecordOfTwoEpochsBefore() throws {
    let clock = try Samples.clock(terms)
    var gate = RecordGate(terms: terms.metering, clock: clock)
    #expect(gate.isOpen(for: 0) && gate.isOpen(for: 1) && !gate.isOpen(for: 2))
    gate.recorded(0, at: clock.end(of: 1))
    #expect(gate.isOpen(for: 2), "due by the end of e + 1")
    gate.recorded(1, at: clock.start(of: 3) + Span(nanoseconds: 1))
    #expect(!gate.isOpen(for: 3), "a nanosecond too late, and it stays so")
    #expect(!gate.isOpen(for: 4))
    gate.recorded(2, at: clock.start(of: 3) + .milliseconds(5))
    #expect(gate.isOpen(for: 4) && !gate.isOpen(for: 3), "service resumes with the epoch after the record")
    let open = try Samples.terms([], gated: false)
    #expect(RecordGate(terms: open.metering, clock: clock).isOpen(for: 9))
  }
}
