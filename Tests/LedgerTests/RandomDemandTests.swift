import FixtureSupport
import Ledger
import Messages
import Metering
import Signing
import Testing

/// One side answers whatever is asked of it in time; the other does as it pleases. Whatever that is, who answers never
/// loses a demand, nothing is paid twice, and it ends.
@Suite struct RandomDemandTests {
  @Test(arguments: 1...40) func whoAnswersNeverLoses(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let honest: AccountingSide = seed.isMultiple(of: 2) ? .customer : .networkOperator
    var story = try DemandStory(epochsOver: 0)
    for _ in 0..<10 { try story.close(lost: random.below(2) * 50) }

    // Of ten moments the other side answers honestly in so many.
    let goodwill = random.below(3) * 3

    for _ in 0..<400 where story.world.ended(story.id) == nil {
      try answer(honest, isHonest: true, &story)
      if random.below(10) < goodwill { try answer(honest.other, isHonest: false, &story) }
      if random.below(3) == 0 { try misbehave(honest.other, &story, &random) }
      if random.below(6) == 0 {
        let epoch = story.proceedings?.posted.map { $0.record.epoch + 1 } ?? 0
        if epoch < 10 { _ = try story.send(.demandRecord(try story.demand(honest, epoch)), by: honest) }
      }
      if story.world.state.activation(story.id) == nil { break }
      if isOver(story), random.below(8) == 0 { _ = try story.send(.settleByRecord(story.id, nil), by: honest) }
      try story.world.block(after: .milliseconds(Int64(100 + random.below(2500))))
    }
    let end = try #require(story.world.ended(story.id), "seed \(seed): it never ended")
    switch honest {
    case .networkOperator:
      #expect(end.statusInfo != .networkTerminated && end.statusInfo != .serviceWithheld, "seed \(seed)")
      #expect(end.money.paid >= DemandStory.fee, "seed \(seed): nobody took its fee")
    case .customer:
      #expect(end.statusInfo != .receiptWithheld, "seed \(seed)")
      #expect(
        end.money.paid <= DemandStory.fee + violationsSpared(story), "seed \(seed): it paid for what was not kept")
    }
    #expect(end.money.paid + end.money.refunded == end.money.escrow, "seed \(seed)")
  }

  /// The price of all epochs that the receipts call MET.
  private func violationsSpared(_ story: DemandStory) -> Amount {
    let counters = story.accounts.last?.last?.segments[0].epochCounters ?? EpochCounters()
    return counters.met * DemandStory.price
  }

  private func isOver(_ story: DemandStory) -> Bool {
    guard let endsAt = story.world.state.activation(story.id)?.reservation?.endsAt else { return false }
    return story.world.state.time >= endsAt
  }

  /// Does everything that is asked of it.
  private func answer(_ side: AccountingSide, isHonest: Bool, _ story: inout DemandStory) throws {
    for demand in story.proceedings?.demands ?? [] where demand.turn == side {
      let result = try story.send(.postRecord(story.post(side, demand.epoch)), by: side)
      // A post that answers two demands at once leaves nothing to answer, and one's own false commitment opens nothing.
      #expect(!isHonest || result == .accepted || story.proceedings?.demands.contains(demand) == false)
    }
    if side == .networkOperator, case .open? = story.proceedings?.service {
      let proof = ServiceProof(activation: story.id, receipts: story.receipts(.networkOperator, 0), record: nil)
      let startAt = story.accounts[0].parties.startAt
      guard story.world.state.time >= startAt + story.terms.metering.epoch else { return }
      #expect(try story.send(.startService(proof), by: side) == .accepted)
    }
  }

  /// Anything at all, most of it refused.
  private func misbehave(
    _ side: AccountingSide, _ story: inout DemandStory, _ random: inout SeededGenerator
  ) throws {
    let epoch = random.below(10)
    switch random.below(9) {
    case 0: _ = try story.send(.demandService(story.id), by: side)
    case 1, 2: _ = try story.send(.demandRecord(try story.demand(side, epoch)), by: side)
    case 3:
      // A commitment that nothing opens.
      var demand = try story.demand(side, epoch)
      demand.commitment = try story.commitment(side, epoch, to: Digest(hashing: [1]))
      _ = try story.send(.demandRecord(demand), by: side)
    case 4:
      guard let open = story.proceedings?.demands.first else { return }
      _ = try story.send(.postRecord(story.post(side, open.epoch)), by: side)
    case 5:
      guard let open = story.proceedings?.demands.first else { return }
      let stale = story.receipts(side, open.epoch == 0 ? 9 : open.epoch - 1)
      let post = RecordPost(
        activation: story.id, epoch: open.epoch, commitment: try story.commitment(side, open.epoch, to: stale.digest),
        receipts: stale)
      #expect(try story.send(.postRecord(post), by: side) != .accepted)
    case 6: _ = try story.send(.settleByRecord(story.id, nil), by: side)
    case 7:
      let first = try story.commitment(side.other, 0)
      let again = Dispute(activation: story.id, grounds: .contradiction(first, first))
      #expect(try story.send(.dispute(again), by: side) != .accepted)
    default:
      guard side == .customer, random.below(10) == 0 else { return }
      _ = try story.send(.terminate(story.id), by: side)
    }
  }
}

extension SeededGenerator {
  fileprivate mutating func below(_ limit: UInt64) -> UInt64 { .random(in: 0..<limit, using: &self) }
}
