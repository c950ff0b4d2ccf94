import Consensus
import FixtureSupport
import Messages
import Signing
import Testing

/// Member sets that change while the network does its worst.
struct EraTests {
  private static let change = TestConsortium.firstChange

  @Test func aJoinerObservesAndThenVotes() throws {
    let network = TestNetwork(try TestConsortium(operators: 4, later: [[0, 1, 2, 3, 4]]))
    network.start()
    network.submitEvery(.milliseconds(50))
    #expect(network.run(atMost: .seconds(2)) { network.members[4].height >= 5 }, "it follows before it votes")
    #expect(network.members[4].core?.membership.identity == nil)
    network.submit(Self.change)
    #expect(network.run(atMost: .seconds(2)) { network.members.allSatisfy { $0.era.era == 1 } })
    // Five members, f = 1, q = 4: with one of the first four away, the newcomer's vote is needed.
    network.crash(0)
    let height = network.greatestHeight
    #expect(network.run(atMost: .seconds(10)) { network.members[4].height >= height + 10 })
    #expect(network.checker.violations.isEmpty, "\(network.checker.violations)")
  }

  @Test func aMemberThatLeavesFollowsOn() throws {
    let network = TestNetwork(try TestConsortium(operators: 5, later: [[0, 1, 2, 3]]))
    network.start()
    network.submitEvery(.milliseconds(50))
    network.submit(Self.change)
    #expect(network.run(atMost: .seconds(2)) { network.members.allSatisfy { $0.era.era == 1 } })
    let height = network.greatestHeight
    #expect(network.run(atMost: .seconds(5)) { network.leastHeight >= height + 5 })
    #expect(network.members[4].core?.membership.identity == nil)
    #expect(network.checker.violations.isEmpty, "\(network.checker.violations)")
  }

  @Test func aRotatedKeyVotesFromTheNextEraOn() throws {
    let rotated = 2 + TestConsortium.keysApart
    let consortium = try TestConsortium(operators: 4, later: [[0, 1, rotated, 3]])
    let network = TestNetwork(consortium)
    network.start()
    network.submit(Self.change)
    #expect(network.run(atMost: .seconds(2)) { network.members.allSatisfy { $0.era.era == 1 } })
    #expect(network.members[2].core?.membership.identity?.key.publicKey == consortium.era(1).members[2].key)
    network.crash(0)
    network.submitEvery(.milliseconds(50))
    #expect(network.run(atMost: .seconds(10)) { network.members[2].height >= 10 })
    #expect(network.checker.violations.isEmpty, "\(network.checker.violations)")
  }

  /// Trap 13, by hand: the boundary block of view 1 is final through view 1 for some and through view 2 for others.
  @Test func twoFinalizationsOfOneBoundaryBeginOneEra() throws {
    let consortium = try TestConsortium(operators: 4, later: [[0, 1, 2, 3]])
    let block = consortium.proposal(
      view: 1, on: consortium.genesis, certificate: nil, notes: [TestConsortium.firstChange])
    let notarization = consortium.certificate(.notarize(block.proposition), by: [0, 1, 2])
    let again = Proposition(era: 0, view: 2, parentView: 1, blockHash: block.hash)
    let finalizations = [
      consortium.certificate(.finalize(block.proposition), by: [0, 1, 2]),
      consortium.certificate(.finalize(again), by: [1, 2, 3]),
    ]
    for finalization in finalizations {
      var script = ScriptedCore(consortium, 0)
      _ = script.tell(.start)
      _ = try script.hear(.proposal(block), from: 1)
      _ = try script.hear(.certificate(notarization), from: 1)
      let effects = try script.hear(.certificate(finalization), from: 1)
      #expect(effects.contains { if case .finalized(let segment) = $0 { segment.nextEra?.era == 1 } else { false } })
      #expect(script.core.membership.era == 1)
      #expect(script.core.view == 2, "one above the view in the block's own header, however it became final")
      // A first block of the era that carries either finalization has the same place in the chain.
      for carried in finalizations {
        let first = consortium.proposal(
          view: 2, on: block.reference, certificate: carried, time: script.now, era: 1)
        #expect(first.block.header.isWellFormed)
        #expect(first.block.header.parentView == 1)
      }
      let child = consortium.proposal(
        view: 2, on: block.reference, certificate: finalizations[0], time: script.now, era: 1)
      #expect(try script.hear(.proposal(child), from: 2).spoken == [.notarize(child.proposition)])
    }
  }

  @Test func theLastBlockOfAnEraIsOfferedAgainAndNeverExtended() throws {
    let consortium = try TestConsortium(operators: 4, later: [[0, 1, 2, 3]])
    let block = consortium.proposal(
      view: 1, on: consortium.genesis, certificate: nil, notes: [TestConsortium.firstChange])
    var script = ScriptedCore(consortium, 2)
    _ = script.tell(.start)
    _ = try script.hear(.proposal(block), from: 1)
    _ = try script.hear(.certificate(consortium.certificate(.notarize(block.proposition), by: [0, 1, 3])), from: 1)
    // Member 2 leads view 2. Nothing is final: after a grace it offers the same bytes.
    _ = script.tell(.transactionsWaiting(true))
    let effects = script.pass(.milliseconds(100))
    let again = Proposition(era: 0, view: 2, parentView: 1, blockHash: block.hash)
    #expect(effects.spoken == [.notarize(again)])
    #expect(!effects.contains { if case .build = $0 { true } else { false } })

    // A child of it is refused, and its leader stated to be wrong.
    var other = ScriptedCore(consortium, 0)
    _ = other.tell(.start)
    _ = try other.hear(.proposal(block), from: 1)
    let notarization = consortium.certificate(.notarize(block.proposition), by: [0, 1, 3])
    _ = try other.hear(.certificate(notarization), from: 1)
    let child = consortium.proposal(view: 2, on: block.reference, certificate: notarization, time: other.now)
    let refused = try other.hear(.proposal(child), from: 2)
    #expect(refused.spoken == [.nullify(era: 0, view: 2)])
    #expect(refused.refuted == [child])
  }

  @Test(arguments: UInt64(1)...8)
  func membersComeAndGoInAStorm(seed: UInt64) throws {
    let plan = Self.plan(seed)
    let consortium = try TestConsortium(operators: 4, regulators: 2, salt: seed, later: plan)
    let network = TestNetwork(consortium, seed: seed, weather: .storm)
    network.start()
    network.submitEvery(.milliseconds(100))
    for era in 0..<UInt64(plan.count) {
      network.run(for: .milliseconds(Int64(300 + seed * 37 % 400)))
      network.submit(Self.change + era)
    }
    network.run(for: .seconds(2))
    network.weather = .calm
    let last = Era(plan.count)
    let changed = network.run(atMost: .seconds(120)) { network.members.allSatisfy { $0.isUp && $0.era.era == last } }
    #expect(changed, "seed \(seed): eras \(network.members.map(\.era.era)), \(network.members.map(\.height))")
    let height = network.greatestHeight
    #expect(
      network.run(atMost: .seconds(30)) { network.leastHeight >= height + 3 },
      "seed \(seed): \(network.members.map { ($0.height, $0.core?.membership.era ?? 0, $0.core?.view ?? 0) })")
    #expect(network.checker.violations.isEmpty, "seed \(seed): \(network.checker.violations.prefix(5))")
  }

  /// Four changes, each a joiner, a leaver or a new key; the operators among the members stay a quorum.
  private static func plan(_ seed: UInt64) -> [[Int]] {
    var random = SeededGenerator(seed: seed ^ 0xe7a)
    var members = Array(0..<6)
    var next = 6
    var keys: [Int: Int] = [:]
    return (0..<4).map { _ in
      switch random.next() % 3 {
      case 0 where next < 9:
        members.append(next)
        next += 1
      case 1 where members.count > 5:
        // Never one of the first four, so that operators always are a quorum.
        let newest = members.map { $0 % TestConsortium.keysApart }.max()
        members.removeAll { $0 % TestConsortium.keysApart == newest }
      default:
        let index = Int(random.next() % UInt64(members.count))
        let participant = members[index] % TestConsortium.keysApart
        keys[participant, default: 0] += 1
        members[index] = participant + TestConsortium.keysApart * keys[participant, default: 0]
      }
      return members
    }
  }
}
