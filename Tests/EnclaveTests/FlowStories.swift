import Effects
import Enclave
import Messages
import Metering
import Roles
import Signing
import Testing

/// One customer's flow, from the first packet to the last record.
struct FlowStories {
  static func terms(epoch: Span = .seconds(1)) throws -> ContractTerms {
    func rule(
      _ metric: Rule.Metric, _ statistic: Rule.Statistic, _ direction: Direction, _ reference: UInt64,
      _ comparison: Rule.Comparison = .atMost
    ) -> Rule {
      Rule(
        metric: metric, statistic: statistic, direction: direction, comparison: comparison, reference: reference,
        tolerance: 0, window: 1, minimumSamples: 4, penalty: 10)
    }
    return ContractTerms(
      operatorID: OrganisationID(try FlowWorld.key(100).publicKey), deploymentNumber: 1,
      service: ServiceTerms(
        profile: "test", guaranteedUp: 1_000_000, guaranteedDown: 1_000_000, maximumUp: 2_000_000,
        maximumDown: 2_000_000, maximumPacketBytes: 1500, functionChain: [], sharing: .shared),
      rules: [
        rule(.lossRatio, .value, .up, 10_000_000), rule(.oneWayDelay, .p95, .up, 10_000_000),
        rule(.lossRatio, .value, .down, 10_000_000), rule(.oneWayDelay, .p95, .down, 10_000_000),
        rule(.roundTrip, .p50, .down, 20_000_000), rule(.throughput, .value, .up, 950_000_000, .atLeast),
      ],
      context: ContextTerms(
        serviceTimes: [], serviceArea: ["cell", "far cell", "new cell"], allowedPeers: ["peer"], minimumEpochs: 1,
        maximumEpochs: 1000),
      money: MoneyTerms(
        pricePerEpoch: 100, reservationFee: 50, terminationPenalty: 0, inconclusiveShare: 500_000,
        contestedShare: 250_000, penaltyCap: nil),
      metering: MeteringTerms(
        epoch: epoch, grace: .milliseconds(200), maximumTransit: .milliseconds(100), delaySpread: .milliseconds(50),
        clockErrorBound: .milliseconds(1), histogram: .standard, gated: true, minimumAttestationLevel: .software,
        allowedMeasurements: [.zero]),
      deadlines: DeadlineTerms(
        confirmWithin: .seconds(10), startLead: .seconds(1), settlementWindow: .seconds(10),
        settleWithin: .seconds(60), answerWithin: .seconds(10), demandWithin: .seconds(10)))
  }

  private func world(
    epochs: UInt64 = 6, impairment: PathImpairment? = nil, seed: UInt64 = 1, packetsPerSecond: UInt64 = 100,
    _ prepare: (FlowWorld) throws -> Void = { _ in }
  ) throws -> FlowWorld {
    let world = try FlowWorld(
      try Self.terms(), epochs: epochs, impairments: impairment.map { [.edge: $0] } ?? [:], seed: seed)
    try world.openService()
    try world.openSession(down: Traffic(packetsPerSecond: packetsPerSecond, payloadBytes: 400))
    world.send(packetsPerSecond: Int64(packetsPerSecond))
    try prepare(world)
    try world.run(until: FlowWorld.start + .seconds(60))
    return world
  }

  private func agreed(_ world: FlowWorld) throws -> JointRecord {
    let record = try world.agreed()
    #expect(record.epochCounters.checkedTotal == world.order.epochs)
    return record
  }

  @Test func sixCleanEpochsEndInOneRecordThatBothHold() throws {
    let world = try world(packetsPerSecond: 200)
    let record = try agreed(world)
    #expect(record.epochCounters.met == 6, "\(record.ruleCounters) \(world.notes)")
    #expect(record.ruleCounters.map(\.met) == [6, 6, 6, 6, 6, 6])
    #expect(record.amountDue == 600)
    #expect(record.penaltiesDue == 0)
    #expect(world.records.map(\.epoch) == [0, 1, 2, 3, 4, 5])
    #expect(zip(world.records, world.records.dropFirst()).allSatisfy { $1.previous == $0.digest })
    #expect(world.delivered[.enclave, default: 0] >= 1190, "the endpoint's packets reach the application")
    #expect(world.counted == [:], "nothing was refused")
  }

  @Test func lossInTheSliceViolatesThatRuleAndNoOther() throws {
    let record = try agreed(
      try world(impairment: PathImpairment(loss: 50_000_000, direction: .up)))
    #expect(record.ruleCounters[0].violated == 6)
    #expect(record.ruleCounters[0].longestBadRun == 6)
    #expect(record.ruleCounters[2].met == 6)
    #expect(record.epochCounters.violated == 6)
    #expect(record.amountDue == 0)
    // Five of a hundred lost push the 95th percentile over, some epochs.
    #expect(record.penaltiesDue >= 60)
  }

  @Test func delayInTheSliceViolatesDelayAndLeavesLoss() throws {
    let record = try agreed(try world(impairment: PathImpairment(delay: .milliseconds(20), direction: .down)))
    #expect(record.ruleCounters.map(\.violated) == [0, 0, 0, 6, 6, 0])
    #expect(record.penaltiesDue == 120)
  }

  @Test func lossBetweenEnclaveAndEdgeIsContested() throws {
    let record = try agreed(
      try world { world in
        world.ascent[.enclave] = FlowWorld.Link(loss: 50, delay: .microseconds(200))
        world.descent[.enclave] = FlowWorld.Link(loss: 50, delay: .microseconds(200))
      })
    #expect(record.epochCounters.contested == 6)
    #expect(record.ruleCounters[0].violated == 0)
    #expect(record.ruleCounters[2].violated == 0)
    #expect(record.amountDue == 150, "the contract's share of contested epochs")
    #expect(record.penaltiesDue == 0)
  }

  @Test func duplicatesOnTheWayChangeNothing() throws {
    let record = try agreed(
      try world { $0.ascent[.enclave] = FlowWorld.Link(duplicates: 300, delay: .microseconds(200)) })
    #expect(record.epochCounters.met == 6)
  }

  @Test func withoutDataProbesStillJudgeTheEpochs() throws {
    let world = try FlowWorld(try Self.terms())
    try world.openService()
    try world.openSession(down: .silent)
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try agreed(world)
    #expect(record.ruleCounters[4].met == 6)
    #expect(record.epochCounters.met == 6)
  }

  @Test(arguments: 1...8) func aBadControlLinkDelaysRecordsAndChangesNoNumber(seed: UInt64) throws {
    let world = try world(seed: seed, packetsPerSecond: 40) {
      $0.control.loss = 300
      $0.control.duplicates = 200
    }
    let record = try agreed(world)
    #expect(record.epochCounters.met + record.epochCounters.notServed == 6, "\(world.notes)")
    #expect(record.epochCounters.violated == 0)
  }

  @Test func withoutTheRecordOfAnEpochTheOneAfterTheNextIsNotServed() throws {
    let world = try world(epochs: 12, packetsPerSecond: 40) { world in
      // The control link is cut from the end of epoch 0 to the middle of epoch 3.
      world.control.cut = FlowWorld.start + .milliseconds(900)..<FlowWorld.start + .milliseconds(3_500)
    }
    let record = try agreed(world)
    let served = world.records.map { $0.verdicts.contains { $0 != nil } }
    let firstServedAgain = try #require(served[2...].firstIndex(of: true))
    #expect(served[0] && served[1])
    #expect((4...8).contains(firstServedAgain), "epochs 2 and 3 at least, and service resumes")
    #expect(served[firstServedAgain...].allSatisfy { $0 })
    #expect(record.epochCounters.notServed == UInt64(firstServedAgain - 2))
    #expect(record.epochCounters.met == 12 - record.epochCounters.notServed)
    #expect(record.amountDue == 100 * record.epochCounters.met)
  }

  @Test(arguments: [FlowWorld.Actor.enclave, .edge]) func aCrashIsBorneByItsOwner(end: FlowWorld.Actor) throws {
    let world = try world { world in
      world.at(FlowWorld.start + .milliseconds(2_400)) { world.crash(end, for: .milliseconds(200)) }
    }
    let record = try agreed(world)
    #expect(record.epochCounters.checkedTotal == 6)
    if end.isEdge {
      #expect(record.epochCounters.violated == 1, "\(record.epochCounters)")
      #expect(record.epochCounters.met == 5)
    } else {
      #expect(record.epochCounters.met == 6, "\(record.ruleCounters)")
    }
  }

  /// Whenever either side crashes, nobody contradicts itself, the account is completed, and whose epoch was interrupted
  /// bears it: none is contested.
  @Test(arguments: 1...25) func crashesAtAnyMomentContradictNothing(seed: UInt64) throws {
    let world = try world(seed: seed, packetsPerSecond: 20) { world in
      world.control.loss = 100
      world.control.duplicates = 100
      var moment = seed &* 0x9E37_79B9_7F4A_7C15
      for _ in 0..<4 {
        moment = moment &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        let end: FlowWorld.Actor = moment >> 60 & 1 == 0 ? .enclave : .edge
        let after = Span.milliseconds(Int64(moment >> 20 % 8_000))
        world.at(FlowWorld.start + after) { world.crash(end, for: .milliseconds(Int64(moment >> 33 % 300))) }
      }
    }
    let record = try agreed(world)
    #expect(record.epochCounters.contested == 0)
    #expect(Set(world.records.map(\.epoch)).count == world.records.count, "one record per epoch")
  }

  @Test func anEarlyEndSettlesWithFewerEpochs() throws {
    let world = try FlowWorld(try Self.terms())
    try world.openService()
    try world.openSession()
    world.send()
    try world.run(until: FlowWorld.start + .milliseconds(2_500))
    let ending = SessionEnding(activation: world.activation, epochs: 3)
    try world.ask(.enclave, from: FlowWorld.Actor.enclave.customer, .endSession(ending))
    try world.ask(.edge, from: FlowWorld.controller, .endSession(ending))
    try world.run(until: FlowWorld.start + .seconds(10))
    let report = try #require(try world.report())
    #expect(report.isFinished)
    #expect(try world.status()?.isFinished == true)
    #expect(try report.record?.byEdge.decode(JointRecord.self).epochCounters.met == 3)
  }

  /// A Terminate may be counted from an epoch that both sides have recorded past: each then settles with the record of
  /// the last epoch that is counted, also after it was started anew.
  @Test func theRecordOfAnyEarlierEpochIsThereToSettleWith() throws {
    let world = try world(packetsPerSecond: 40)
    for end in [FlowWorld.Actor.enclave, .edge] { world.crash(end, for: .milliseconds(10)) }
    try world.run(until: world.now + .seconds(1))
    for epochs: UInt64 in 1...7 {
      let report = try #require(try world.report(epochs: epochs))
      let status = try #require(try world.status(epochs: epochs))
      let areFinished = (report.isFinished, status.phase)
      #expect(areFinished == (true, .finished))
      let record = try #require(report.record)
      let isSame = record == status.record
      #expect(isSame)
      #expect(try record.byEnclave.decode(JointRecord.self) == world.records[Int(min(epochs, 6)) - 1])
    }
    let nothing = (try world.report(epochs: 0), try world.status(epochs: 0))
    #expect(nothing.0?.record == nil && nothing.0?.isFinished == true)
    #expect(nothing.1?.record == nil && nothing.1?.isFinished == true)
  }

  @Test func whileItRunsAShorterCountIsFinishedEarlier() throws {
    let world = try FlowWorld(try Self.terms())
    try world.openService()
    try world.openSession(down: .silent)
    try world.run(until: FlowWorld.start + .milliseconds(3_500))
    let finished = try (1...6).map { epochs in
      [try world.report(epochs: epochs)?.isFinished, try world.status(epochs: epochs)?.isFinished]
    }
    #expect(
      finished == [[true, true], [true, true], [true, true], [false, false], [false, false], [false, false]])
    #expect(try world.status(epochs: 3)?.epoch == nil)
    #expect(try world.status(epochs: 4)?.epoch == 3)
    #expect(try world.report()?.isFinished == false)
  }

  @Test func aForgedRecordIsRefusedAsIfItHadNotCome() throws {
    let world = try world { world in
      world.tamper = { message in
        guard case .revealed(var revealed) = message, world.now < FlowWorld.start + .milliseconds(2_500),
          var record: JointRecord = try? revealed.record.decode(), let key = try? FlowWorld.key(2)
        else { return message }
        record.segments[0].amountDue += 1
        revealed.record = Envelope(signing: record, with: key, network: Digest(hashing: [1]))
        return .revealed(revealed)
      }
    }
    let record = try agreed(world)
    #expect(record.epochCounters.notServed >= 1, "the record of epoch 0 came too late for epoch 2")
    #expect(record.epochCounters.met == 6 - record.epochCounters.notServed)
    #expect(world.counted["enclave.exchange.refused", default: 0] > 0)
  }

  /// A customer that was started anew has another port; its session goes on there, also after the enclave's restart.
  @Test func theApplicationMayMove() throws {
    let world = try FlowWorld(try Self.terms())
    let down = Traffic(packetsPerSecond: 100, payloadBytes: 400)
    try world.openService()
    try world.openSession(down: down)
    world.send(packetsPerSecond: 100)
    world.at(FlowWorld.start + .milliseconds(1_500)) {
      world.hosts[.enclave] = .loopback(port: 9)
      world.delivered = [:]
      try world.openSession(down: down)
      guard case .success(.acknowledged)? = world.lastReply else {
        Issue.record("refused")
        return
      }
    }
    world.at(FlowWorld.start + .milliseconds(2_500)) { world.crash(.enclave, for: .milliseconds(50)) }
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try agreed(world)
    #expect(record.epochCounters.met == 6, "\(record.ruleCounters) \(world.notes)")
    #expect(world.delivered[.enclave, default: 0] >= 430, "of 450, less what the restart lost")
    try world.openSession(down: .silent)
    guard case .failure(let refusal)? = world.lastReply else {
      Issue.record("another session was taken for the same")
      return
    }
    #expect(refusal.code == .failedPrecondition)
  }

  /// The enclave's receipts name the evidence that its customer registered, renewed evidence from then on; the edge's
  /// name none.
  @Test func receiptsNameTheEvidence() throws {
    let world = try FlowWorld(try Self.terms())
    let evidence = [Digest(hashing: [21]), Digest(hashing: [22])]
    try world.openService()
    try world.openSession(down: .silent, attestation: evidence[0])
    world.at(FlowWorld.start + .milliseconds(2_500)) { world.crash(.enclave, for: .milliseconds(50)) }
    world.at(FlowWorld.start + .milliseconds(3_500)) {
      try world.openSession(down: .silent, attestation: evidence[1])
      try world.openSession(down: .silent)
    }
    try world.run(until: FlowWorld.start + .seconds(20))
    _ = try agreed(world)
    let named = try world.receipts(of: .enclave).map { ($0.epoch, $0.attestation) }
    #expect(named.count == 12)
    for (epoch, attestation) in named { #expect(attestation == evidence[epoch < 3 ? 0 : 1]) }
    #expect(try world.receipts(of: .edge).allSatisfy { $0.attestation == .zero })
  }

  @Test func strangersOrderNothing() throws {
    let world = try FlowWorld(try Self.terms())
    try world.ask(.edge, from: ActorAddress(.client, "stranger"), .closeService(world.activation))
    guard case .failure(let refusal)? = world.lastReply else {
      Issue.record("answered")
      return
    }
    #expect(refusal.code == .permissionDenied)
  }

  /// Waiting for an epoch to close, and reading what is past, are for those who must.
  @Test func strangersAreToldNothing() throws {
    let world = try FlowWorld(try Self.terms(), isForTwo: true)
    try world.openService()
    try world.openSession(down: .silent)
    try world.run(until: FlowWorld.start + .milliseconds(500))
    let receipts = Message.getReceipts(ReceiptsRequest(activation: world.activation, epoch: 0))
    let report = ReportRequest(world.activation, epochs: 1)
    for (actor, asker, message) in [
      (FlowWorld.Actor.farEdge, FlowWorld.Actor.newEdge.address, receipts),
      (.farEnclave, ActorAddress(.enclave, "stranger"), receipts),
      (.edge, FlowWorld.Actor.enclave.address, .getServiceReport(report)),
      (.enclave, FlowWorld.controller, .getEnclaveStatus(report)),
    ] {
      try world.ask(actor, from: asker, message)
      guard case .failure(let refusal)? = world.lastReply else {
        Issue.record("\(actor) answered")
        continue
      }
      #expect(refusal.code == .permissionDenied)
    }
  }

  /// Numbers that no honest customer or controller sends must not stop the process.
  @Test func nonsensicalOrdersAreRefused() throws {
    let world = try FlowWorld(try Self.terms())
    for epochs: UInt64 in [0, .max] {
      var session = world.session(.enclave, down: .silent)
      session.order.epochs = epochs
      var service = world.service(.near, at: .edge)
      service.order.epochs = epochs
      for (actor, asker, message) in [
        (FlowWorld.Actor.enclave, FlowWorld.Actor.enclave.customer, Message.openSession(session)),
        (.edge, FlowWorld.controller, .openService(service)),
      ] {
        try world.ask(actor, from: asker, message)
        guard case .failure(let refusal)? = world.lastReply else {
          Issue.record("\(epochs) epochs accepted at the \(actor)")
          continue
        }
        #expect(refusal.code == .invalidArgument)
      }
    }
  }
}
