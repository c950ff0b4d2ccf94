import Messages
@testable import Metering
import Signing
import Testing
import Wire

/// The account over many epochs: segments, handovers, maintenance, and anybody going on from a record.
struct AccountTests {
  let terms: ContractTerms

  init() throws {
    terms = try Samples.terms([
      Samples.rule(.lossRatio, reference: 10_000_000),
      Samples.rule(.oneWayDelay, .p99, reference: 10_000_000, window: 3),
    ])
  }

  /// Appends a story's epoch as its parties see it.
  private func append(
    _ story: EpochStory, to account: inout JointAccount, _ chain: inout [MeteredPoint: Digest],
    without: [UInt8] = []
  ) throws {
    let sets = try story.sets(account.parties, after: &chain, without: without)
    account = try account.appending(
      epoch: story.epoch, customer: sets.customer, networkOperator: sets.networkOperator)
  }

  @Test func segmentsKeepTheirOwnCountersAndWindowsBeginAnew() throws {
    var dearer = terms
    dearer.deploymentNumber = 2
    dearer.money.pricePerEpoch = 300
    dearer.rules = [Samples.rule(.lossRatio, reference: 10_000_000, window: 2, penalty: 7)]
    var parties = try Samples.parties(terms, epochs: 6)
    // Again is harmless.
    for _ in 0..<2 { try Samples.apply(Samples.segment(dearer, from: 4, epochs: 5), to: &parties) }
    #expect(throws: Samples.Missing.self, "not the next") {
      try Samples.apply(Samples.segment(dearer, index: 3, from: 5, epochs: 5), to: &parties)
    }
    #expect(parties.bookedEpochs == 9)
    var account = JointAccount(parties: parties)
    var chain: [MeteredPoint: Digest] = [:]
    var verdicts: [[Verdict?]] = []
    for epoch: EpochNumber in 0..<7 {
      try append(EpochStory(epoch: epoch, lostInCore: epoch == 5 ? 50 : 0), to: &account, &chain)
      verdicts.append(account.last?.verdicts ?? [])
    }
    // The delay rule's second window is cut off; the new segment's first ends with its second epoch.
    #expect(verdicts == [[.met, nil], [.met, nil], [.met, .met], [.met, nil], [nil], [.violated], [nil]])
    let record = try #require(account.last)
    #expect(record.segments.map(\.epochCounters.met) == [4, 3])
    #expect(record.segments.map(\.amountDue) == [400, 900])
    #expect(record.segments.map(\.penaltiesDue) == [0, 7])
  }

  @Test func rule7TheOldEdgesLastReceiptMeetsTheNewOnesFirst() throws {
    var parties = try Samples.parties(terms, ends: [.near, .far])
    try Samples.apply(try Samples.handover(from: 2), to: &parties)
    let (old, new) = (try Samples.key(Samples.anchorEdge).publicKey, try Samples.key(Samples.newEdge).publicKey)
    #expect(parties.signers(of: .networkOperator, in: 1).first == old)
    #expect(parties.signers(of: .networkOperator, in: 2).first == new)
    #expect(parties.anchor(of: .networkOperator) == old, "the anchor signs records for good")
    #expect(parties.points(of: old, in: 2).isEmpty)
    var account = JointAccount(parties: parties)
    var chain: [MeteredPoint: Digest] = [:]
    // A gap is loss like any other: here the packets that neither edge counted.
    for (epoch, gap, outcome) in [(0, 0, 1), (1, 0, 2), (2, 5, 2), (3, 0, 3)] as [(EpochNumber, UInt64, UInt64)] {
      try append(EpochStory(epoch: epoch, ends: [.near, .far], lostInCore: gap), to: &account, &chain)
      #expect(account.last?.segments[0].epochCounters.met == outcome)
    }
    // The new edge's chain begins anew; that it would follow the old one's is refused.
    var early = JointAccount(parties: parties)
    chain = [:]
    for epoch: EpochNumber in 0..<2 { try append(EpochStory(epoch: epoch, ends: [.near, .far]), to: &early, &chain) }
    let kept = chain
    var sets = try EpochStory(epoch: 2, ends: [.near, .far]).sets(parties, after: &chain)
    var receipt: SLAReceipt = try sets.networkOperator.receipts[0].decode()
    receipt.previous = try #require(kept[receipt.meteredPoint])
    sets.networkOperator.receipts[0] = Envelope(
      signing: receipt, with: try Samples.key(Samples.newEdge), network: Samples.network)
    #expect(throws: AccountError.operatorReceipts(.brokenChain)) {
      try early.appending(epoch: 2, customer: sets.customer, networkOperator: sets.networkOperator)
    }
  }

  @Test func theOldEdgeSignsNothingAfterAHandover() throws {
    var parties = try Samples.parties(terms)
    try Samples.apply(try Samples.handover(from: 1), to: &parties)
    var account = JointAccount(parties: parties)
    var chain: [MeteredPoint: Digest] = [:]
    try append(EpochStory(), to: &account, &chain)
    let stale = try EpochStory(epoch: 1).sets(try Samples.parties(terms), after: &chain)
    #expect(throws: AccountError.operatorReceipts(.wrongSigner)) {
      try account.appending(epoch: 1, customer: stale.customer, networkOperator: stale.networkOperator)
    }
  }

  /// The edge that a customer's end moved to has no key for the tags: what it refuses may be a stranger's.
  @Test func whatAnEdgeWithoutTheKeyRefusesIsNotTheCores() throws {
    let terms = try Samples.terms([Samples.rule(.lossRatio, reference: 10_000_000)])
    var moved = try Samples.parties(terms)
    try Samples.apply(try Samples.handover(from: 0), to: &moved)
    for (parties, entry, expected) in [
      (try Samples.parties(terms), Samples.anchorEdge, Verdict.violated), (moved, Samples.newEdge, .contested),
    ] {
      var chain: [MeteredPoint: Digest] = [:]
      var sets = try EpochStory(lostOnAccess: 20).sets(parties, after: &chain)
      var ingress: SLAReceipt = try sets.networkOperator.receipts[0].decode()
      #expect(ingress.point == .edgeIngress)
      ingress.counts.droppedByPolicy = 20
      sets.networkOperator.receipts[0] = Envelope(
        signing: ingress, with: try Samples.key(entry), network: Samples.network)
      let account = try JointAccount(parties: parties).appending(
        epoch: 0, customer: sets.customer, networkOperator: sets.networkOperator)
      #expect(account.last?.verdicts == [expected])
    }
  }

  @Test func aReceiptAfterAMissingOneFollowsWhatNobodyHolds() throws {
    var account = JointAccount(parties: try Samples.parties(terms, ends: [.near, .far]))
    var chain: [MeteredPoint: Digest] = [:]
    for epoch: EpochNumber in 0..<4 {
      try append(
        EpochStory(epoch: epoch, ends: [.near, .far]), to: &account, &chain,
        without: epoch == 1 ? [Samples.farEdge] : [])
    }
    #expect(account.last?.segments[0].epochCounters.met == 3)
    #expect(account.last?.segments[0].epochCounters.violated == 1)
  }

  @Test func anAnnouncedInterruptionIsNotServedAndJudgedByNoRule() throws {
    let window = TimeWindow(from: Samples.start + .milliseconds(1500), to: Samples.start + .milliseconds(2001))
    var account = JointAccount(parties: try Samples.parties(terms, maintenance: [window]))
    var chain: [MeteredPoint: Digest] = [:]
    for epoch: EpochNumber in 0..<4 {
      let isDown = epoch == 1 || epoch == 2
      try append(EpochStory(epoch: epoch, lostInCore: isDown ? 200 : 0), to: &account, &chain)
    }
    let counters = try #require(account.last?.segments[0].epochCounters)
    #expect(counters.notServed == 2 && counters.met == 2)
    #expect(account.last?.segments[0].penaltiesDue == 0)
  }

  // MARK: A third party

  /// Whoever is given the record of any epoch, the state after it and the next openings comes to the same records.
  @Test(arguments: 1...10) func anybodyGoesOnFromARecordAndItsState(seed: UInt64) throws {
    var random = SplitMix(state: seed)
    var parties = try Samples.parties(terms, epochs: 8, ends: seed.isMultiple(of: 2) ? [.near] : [.near, .far])
    _ = parties.apply(try Samples.handover(from: 3))
    _ = parties.apply(Samples.segment(terms, from: 5, epochs: 4))
    var accounts = [JointAccount(parties: parties)]
    var openings: [(customer: ReceiptSet, networkOperator: ReceiptSet)] = []
    var chain: [MeteredPoint: Digest] = [:]
    for epoch: EpochNumber in 0..<9 {
      var story = EpochStory(epoch: epoch, ends: parties.ends, sent: 40)
      story.lostInCore = random.below(3)
      story.lostOnAccess = random.below(3)
      let sets = try story.sets(
        parties, after: &chain, without: random.below(4) == 0 ? [UInt8(1 + random.below(5))] : [])
      openings.append(sets)
      accounts.append(
        try accounts[accounts.count - 1].appending(
          epoch: epoch, customer: sets.customer, networkOperator: sets.networkOperator))
    }
    for start in 0..<9 {
      var account = JointAccount(parties: parties)
      if let record = accounts[start].last {
        account = try JointAccount(resuming: record, state: accounts[start].state.encoded, parties: parties)
      }
      for (epoch, opening) in openings.enumerated().dropFirst(start) {
        account = try account.appending(
          epoch: EpochNumber(epoch), customer: opening.customer, networkOperator: opening.networkOperator)
        #expect(account.last == accounts[epoch + 1].last)
      }
    }
  }

  @Test func aStateThatIsNotTheRecordsOwnIsRefused() throws {
    let parties = try Samples.parties(terms)
    var account = JointAccount(parties: parties)
    var chain: [MeteredPoint: Digest] = [:]
    try append(EpochStory(), to: &account, &chain)
    let record = try #require(account.last)
    let state = account.state.encoded
    var other = account
    try append(EpochStory(epoch: 1, lostInCore: 50), to: &other, &chain)
    var elsewhere = record
    elsewhere.activation = ActivationID(Digest(hashing: [9]))
    var twofold = record
    twofold.segments.append(record.segments[0])
    for (record, state) in [(record, other.state.encoded), (record, []), (elsewhere, state), (twofold, state)] {
      #expect(throws: AccountError.wrongBase) {
        try JointAccount(resuming: record, state: state, parties: parties)
      }
    }
    _ = try JointAccount(resuming: record, state: state, parties: parties)
  }

  /// The state must fit into a demand whatever a receiver writes into its histogram.
  @Test func aHistogramBeyondItsSpecificationIsNoReceipt() throws {
    let parties = try Samples.parties(terms)
    var chain: [MeteredPoint: Digest] = [:]
    var sets = try EpochStory().sets(parties, after: &chain)
    var receipt: SLAReceipt = try sets.customer.receipts[1].decode()
    receipt.delay?.histogram.add(at: UInt32(clamping: HistogramSpecification.standard.bucketCount))
    sets.customer.receipts[1] = Envelope(
      signing: receipt, with: try Samples.key(Samples.nearEnclave), network: Samples.network)
    #expect(throws: AccountError.customerReceipts(.malformed)) {
      try JointAccount(parties: parties).appending(
        epoch: 0, customer: sets.customer, networkOperator: sets.networkOperator)
    }
  }

  /// What both sides signed may still be nonsense; nothing that follows may stop the machine.
  @Test func countersAtTheirLimitStopThere() throws {
    let parties = try Samples.parties(terms)
    var account = JointAccount(parties: parties)
    var chain: [MeteredPoint: Digest] = [:]
    try append(EpochStory(), to: &account, &chain)
    var record = try #require(account.last)
    record.segments[0].epochCounters.met = .max
    record.segments[0].ruleCounters[0].met = .max
    let state = account.state.encoded
    let sets = try EpochStory(epoch: 1).sets(parties, after: &chain)
    let resumed = try JointAccount(resuming: record, state: state, parties: parties)
    #expect(throws: AccountError.payout(.overflow)) {
      try resumed.appending(epoch: 1, customer: sets.customer, networkOperator: sets.networkOperator)
    }
  }

  /// Two that act as one can sign any state: it is held to the same bounds as what comes of receipts, or judging it
  /// could stop the ledger.
  @Test func aStateThatNoReceiptsLeadToIsNoBase() throws {
    let parties = try Samples.parties(terms)
    var account = JointAccount(parties: parties)
    var chain: [MeteredPoint: Digest] = [:]
    try append(EpochStory(), to: &account, &chain)
    var negative = account.state
    negative.windows.evidence[1].clockError = Span(nanoseconds: .min)
    var tooFine = account.state
    tooFine.windows.evidence[1].delay?.histogram.add(at: UInt32(clamping: parties.metering.histogram.bucketCount))
    #expect(tooFine != account.state)
    for state in [negative, tooFine] {
      var record = try #require(account.last)
      record.account = state.digest
      #expect(throws: AccountError.wrongBase) {
        try JointAccount(resuming: record, state: state.encoded, parties: parties)
      }
    }
  }
}
