import Messages
import Metering
import Signing
import Testing

/// A flow between two customers over two edges: which segment lost a packet, and who answers for it.
struct SegmentTests {
  let loss = Samples.rule(.lossRatio, reference: 10_000_000)  // 1 %

  private func verdicts(_ rules: [Rule], _ change: (inout EpochStory) -> Void) throws -> [Verdict?] {
    var story = EpochStory(ends: [.near, .far])
    change(&story)
    return try story.assess(Samples.terms(rules)).verdicts
  }

  @Test func aCleanEpochMeetsEveryKindOfRuleInBothDirections() throws {
    let rules = Direction.allCases.flatMap { direction in
      [
        Samples.rule(.lossRatio, .value, direction, reference: 0),
        Samples.rule(.oneWayDelay, .maximum, direction, reference: 6_000_000),
        Samples.rule(.roundTrip, .p50, direction, reference: 11_000_000),
        Samples.rule(.delayVariation, .p95, direction, reference: 1000),
        Samples.rule(.throughput, .value, direction, .atLeast, reference: 1_000_000_000),
        Samples.rule(.availability, .value, direction, .atLeast, reference: 1_000_000_000),
        Samples.rule(.survivalTime, .value, direction, reference: 0),
      ]
    }
    #expect(try verdicts(rules) { _ in } == rules.map { _ in .met })
  }

  @Test func theOperatorsCoreIsUnambiguousAndBothAccessSegmentsAreNot() throws {
    for direction in Direction.allCases {
      let rule = Samples.rule(.lossRatio, .value, direction, reference: 10_000_000)
      #expect(try verdicts([rule]) { $0.lostInCore = 2 } == [.met])
      #expect(try verdicts([rule]) { $0.lostInCore = 3 } == [.violated])
      #expect(try verdicts([rule]) { $0.lostOnAccess = 3 } == [.contested])
      #expect(try verdicts([rule]) { $0.lostOnFarAccess = 3 } == [.contested])
      #expect(
        try verdicts([rule]) {
          $0.lostOnAccess = 40
          $0.lostInCore = 10
          $0.lostOnFarAccess = 40
        } == [.violated])
    }
  }

  @Test func everyMetricThatLossTouchesIsAttributedTheSameWay() throws {
    let rules = [
      Samples.rule(.oneWayDelay, .p95, reference: 50_000_000),
      Samples.rule(.throughput, .value, .up, .atLeast, reference: 950_000_000),
      Samples.rule(.availability, .value, .up, .atLeast, reference: 950_000_000),
      Samples.rule(.survivalTime, reference: 50_000_000),
    ]
    // The first 40 of 200 packets: a fifth of the epoch.
    #expect(try verdicts(rules) { $0.lostInCore = 40 } == rules.map { _ in .violated })
    #expect(try verdicts(rules) { $0.lostOnAccess = 40 } == rules.map { _ in .contested })
    #expect(try verdicts(rules) { $0.lostOnFarAccess = 40 } == rules.map { _ in .contested })
  }

  /// "A disagreement on the serving cell touches access segments only" (epoch rule 6).
  @Test func rule6ADisputedCellMakesAccessInconclusiveAndLiftsNoViolation() throws {
    for lose in [\EpochStory.lostOnAccess, \.lostOnFarAccess] {
      #expect(
        try verdicts([loss]) {
          $0[keyPath: lose] = 3
          $0.customerCell = "elsewhere"
        } == [.inconclusive])
    }
    #expect(
      try verdicts([loss]) {
        $0.lostInCore = 3
        $0.lostOnAccess = 3
        $0.customerCell = "elsewhere"
      } == [.violated])
    #expect(try verdicts([loss]) { $0.customerCell = "elsewhere" } == [.met], "nothing depends on the segment")
  }

  @Test func eachSideBearsEveryoneItBrings() throws {
    let terms = try Samples.terms([loss])
    let parties = try Samples.parties(terms, ends: [.near, .far])
    for (silent, outcome) in [
      (Samples.farEnclave, \EpochCounters.met), (Samples.nearEnclave, \.met), (Samples.farEdge, \.violated),
      (Samples.anchorEdge, \.violated),
    ] {
      var chain: [MeteredPoint: Digest] = [:]
      let sets = try EpochStory(ends: [.near, .far]).sets(parties, after: &chain, without: [silent])
      let record = try #require(
        try JointAccount(parties: parties).appending(
          epoch: 0, customer: sets.customer, networkOperator: sets.networkOperator
        ).last)
      #expect(record.missing == [try Samples.key(silent).publicKey])
      #expect(record.segments[0].epochCounters[keyPath: outcome] == 1)
    }
  }

  /// No edge between two customers can tell an enclave's packets from those that its host, or anybody with its address,
  /// makes up: refused or lost, they are not the core's loss. Nor is anything that arrived.
  @Test(arguments: [
    (UInt64(0), UInt64(20), UInt64(20), Verdict.contested), (0, 20, 0, .met), (1000, 0, 20, .contested),
    (1000, 0, 0, .met),
  ])
  func packetsOfStrangersAreNoLossOfTheCore(
    carried: UInt64, refused: UInt64, lost: UInt64, expected: Verdict
  ) throws {
    let terms = try Samples.terms([loss])
    let story = EpochStory(ends: [.near, .far], lostOnFarAccess: lost)
    let customer = try story.receipts(.customer, terms)
    var networkOperator = try story.receipts(.networkOperator, terms)
    let (entry, exit) = (
      try #require(networkOperator.firstIndex { $0.direction == .up && $0.point == .edgeIngress }),
      try #require(networkOperator.firstIndex { $0.direction == .up && $0.point == .edgeEgress })
    )
    networkOperator[entry].counts.droppedByPolicy = refused
    networkOperator[entry].counts.packetsSent += carried
    // The core loses some of what it carries.
    networkOperator[exit].counts.packetsSent += carried - carried / 50
    var windows = RuleWindows(terms: terms)
    let receipts = EpochReceipts(epoch: 0, ends: [.near, .far], customer: customer, networkOperator: networkOperator)
    #expect(Metering.assess(receipts, terms: terms, windows: &windows).outcome == expected)
  }

  @Test func aPointsReceiptCountsOnlyByWhoStandsThere() throws {
    let terms = try Samples.terms([loss])
    let parties = try Samples.parties(terms, ends: [.near, .far])
    var chain: [MeteredPoint: Digest] = [:]
    let sets = try EpochStory(ends: [.near, .far]).sets(parties, after: &chain)
    // The near enclave speaks for the far one.
    let stolen: SLAReceipt = try sets.customer.receipts[2].decode()
    var forged = sets.customer
    forged.receipts[2] = Envelope(
      signing: stolen, with: try Samples.key(Samples.nearEnclave), network: Samples.network)
    #expect(throws: AccountError.customerReceipts(.wrongSigner)) {
      try JointAccount(parties: parties).appending(
        epoch: 0, customer: forged, networkOperator: sets.networkOperator)
    }
  }

  @Test func aGateShutAtEitherEdgeShutsTheFlow() throws {
    let terms = try Samples.terms([loss])
    for (near, expected) in [(EpochCondition.gated, nil), (.whole, Verdict.contested)] as [(EpochCondition, Verdict?)] {
      let story = EpochStory(epoch: 4, ends: [.near, .far])
      var customer = try story.receipts(.customer, terms)
      var networkOperator = try story.receipts(.networkOperator, terms)
      for index in customer.indices.prefix(2) { customer[index].condition = near }
      // Only the near edge's gate is shut: what its enclave sends ends there.
      for index in networkOperator.indices.prefix(2) { networkOperator[index].condition = .gated }
      networkOperator[0].counts.packetsSent = 0
      for index in customer.indices where customer[index].meteredPoint == MeteredPoint(.up, .enclaveReceive) {
        customer[index].counts.uniqueReceived = 0
      }
      var windows = RuleWindows(terms: terms)
      let receipts = EpochReceipts(
        epoch: 4, ends: [.near, .far], customer: customer, networkOperator: networkOperator)
      #expect(Metering.assess(receipts, terms: terms, windows: &windows).outcome == expected)
    }
  }

  /// The anchor had the record, and the far edge was not told of it: nobody's business but the operator's.
  @Test(arguments: [
    (EpochCondition.whole, EpochCondition.gated, Verdict.violated), (.gated, .whole, .contested),
    (.gated, .gated, .contested),
  ])
  func aRecordThatTheOperatorKeptToItselfIsItsOwnFault(
    anchor: EpochCondition, far: EpochCondition, expected: Verdict
  ) throws {
    let terms = try Samples.terms([loss])
    let parties = try Samples.parties(terms, ends: [.near, .far])
    var story = EpochStory(ends: [.near, .far])
    var chain: [MeteredPoint: Digest] = [:]
    var account = JointAccount(parties: parties)
    for epoch in 0..<4 as Range<EpochNumber> {
      story.epoch = epoch
      var sets = try story.sets(parties, after: &chain)
      if epoch == 3 {
        sets.networkOperator = try sets.networkOperator.altered { receipt in
          let end = parties.end(of: receipt.meteredPoint)
          receipt.condition = end == .near ? anchor : far
          if receipt.point == .edgeIngress, receipt.condition == .gated { receipt.counts.packetsSent = 0 }
        }
        sets.customer = try sets.customer.altered { receipt in
          let sender: FlowEnd = receipt.direction == .up ? .near : .far
          let isShut = (sender == .near ? anchor : far) == .gated
          if receipt.point == .enclaveReceive, isShut { receipt.counts.uniqueReceived = 0 }
        }
      }
      account = try account.appending(epoch: epoch, customer: sets.customer, networkOperator: sets.networkOperator)
    }
    let counters = try #require(account.last?.segments.first?.epochCounters)
    #expect(counters.met == 3)
    #expect(expected == .violated ? counters.violated == 1 : counters.contested == 1)
  }
}

extension ReceiptSet {
  /// The same receipts, changed and signed again by whoever signed them.
  fileprivate func altered(_ change: (inout SLAReceipt) -> Void) throws -> ReceiptSet {
    let signers = try [Samples.nearEnclave, Samples.anchorEdge, Samples.farEnclave, Samples.farEdge].map(Samples.key)
    return ReceiptSet(
      try receipts.map { envelope in
        var receipt: SLAReceipt = try envelope.decode()
        change(&receipt)
        let key = try #require(signers.first { $0.publicKey == envelope.signer })
        return Envelope(signing: receipt, with: key, network: Samples.network)
      })
  }
}
