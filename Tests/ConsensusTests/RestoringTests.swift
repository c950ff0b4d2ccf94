import Consensus
import FixtureSupport
import Messages
import Signing
import Testing

/// A member put back from an old copy: what it said since is forgotten, and must not be contradicted (S7).
struct RestoringTests {
  /// Crashes, losses and delays; one member is put back from a copy some seconds old, in the middle of a view.
  private func restored(seed: UInt64, operators: Int, regulators: Int, as recollection: Recollection) throws
    -> (network: TestNetwork, progressed: Bool)
  {
    let consortium = try TestConsortium(operators: operators, regulators: regulators, salt: seed)
    let network = TestNetwork(consortium, seed: seed, weather: .init(delayMilliseconds: 1...60, lossPercent: 3))
    network.start()
    network.submitEvery(.milliseconds(50))
    let member = MemberIndex(seed % UInt64(operators))
    network.run(for: .milliseconds(Int64(200 + seed * 37 % 400)))
    let copy = network.members[Int(member)]
    network.run(for: .milliseconds(Int64(20 + seed * 91 % 900)))
    network.putBack(copy, as: recollection)
    network.run(for: .seconds(1))
    network.weather = .calm
    let height = network.greatestHeight
    return (network, network.run(atMost: .seconds(20)) { network.leastHeight >= height + 3 })
  }

  @Test(arguments: UInt64(1)...16)
  func aRestoredMemberContradictsNothingItSaid(seed: UInt64) throws {
    let (network, progressed) = try restored(
      seed: seed, operators: 4, regulators: seed.isMultiple(of: 2) ? 2 : 0, as: .lost)
    #expect(network.checker.violations.isEmpty, "seed \(seed): \(network.checker.violations.prefix(3))")
    #expect(progressed)
    let member = network.members[Int(seed % 4)]
    #expect(member.core?.isRestoring == false)
    // It is a member again: it votes above the mark.
    #expect(
      member.records.values.contains { if case .vote(let vote) = $0 { vote.member == member.index } else { false } })
  }

  /// What the rule is for: the same members, believing that their old copies are all there is.
  @Test func withoutTheRuleItWould() throws {
    let seeds = try (UInt64(1)...16).filter { seed in
      let (network, _) = try restored(seed: seed, operators: 4, regulators: 0, as: .complete)
      return network.checker.violations.contains { $0.hasPrefix("S7") }
        || network.members.contains { $0.halted?.contains("contradicting votes") == true }
    }
    #expect(!seeds.isEmpty)
  }

  @Test func nothingIsSignedUntilEnoughHaveAnswered() throws {
    let six = try TestConsortium(operators: 4, regulators: 2)
    var configuration = six.configuration(of: 0)
    configuration.recollection = .lost
    var core = ConsensusCore(configuration: configuration, finalized: nil, replaying: [])
    let now = six.genesisTime + .seconds(1)
    var verifier = Verifier(context: six.context)
    let started = core.handle(.start, at: now)
    let asked = started.compactMap { effect -> MemberIndex? in
      guard case .send(.getCertificates(1, 1), let member) = effect else { return nil }
      return member
    }
    #expect(Set(asked).isSuperset(of: [1, 2, 3, 4, 5]))
    // n − q + f + 1 = 4 of the five others; one of them twice is one.
    for (member, view) in [(1, 6), (2, 9), (2, 8), (3, 7)] as [(MemberIndex, View)] {
      let shown = six.certificate(.nullify(era: 0, view: view), by: [1, 2, 3, 4])
      _ = core.handle(.received(try verifier.verify(.certificates([shown])), from: member), at: now)
      #expect(core.isRestoring)
      #expect(core.signingMark == .max)
    }
    let last = six.certificate(.nullify(era: 0, view: 5), by: [1, 2, 3, 4])
    let effects = core.handle(.received(try verifier.verify(.certificates([last])), from: 4), at: now)
    #expect(effects.contains { if case .recollected(.completeAbove(era: 0, view: 11)) = $0 { true } else { false } })
    #expect(core.signingMark == 11)
    #expect(core.handle(.timer(.leader), at: now + .seconds(60)).spoken.isEmpty)
  }

  /// A snapshot takes a member from nothing to where the others are, and it votes from there on.
  @Test(arguments: UInt64(1)...5)
  func aMemberWithoutAHistoryGoesOnFromASnapshot(seed: UInt64) throws {
    let consortium = try TestConsortium(operators: 4, regulators: 2, salt: seed)
    let network = TestNetwork(consortium, seed: seed)
    network.passes = { _, sender, receiver in sender != 5 && receiver != 5 }
    network.start()
    network.submitEvery(.milliseconds(20))
    network.run(for: .milliseconds(Int64(700 + seed * 17)))
    #expect(network.members[5].height == 0)
    try network.adopt(5, from: MemberIndex(seed % 4))
    var segments = 0
    network.passes = { message, sender, _ in
      if sender == 5, case .getSegments = message { segments += 1 }
      return true
    }
    let height = network.greatestHeight
    #expect(network.run(atMost: .seconds(5)) { network.leastHeight >= height + 5 })
    #expect(segments <= 4)
    #expect(network.checker.violations.isEmpty)
    #expect(
      network.members[5].records.values.contains { if case .vote(let vote) = $0 { vote.member == 5 } else { false } })
  }
}
