import Consensus
import FixtureSupport
import Messages
import Testing

/// Safety under everything the network and the disks can do, and progress once they behave.
struct NetworkTests {
  @Test(arguments: UInt64(1)...30)
  func fourOperatorsSurviveAStorm(seed: UInt64) throws {
    try storm(TestConsortium(operators: 4, salt: seed), seed: seed)
  }

  @Test(arguments: UInt64(1)...30)
  func sixMembersSurviveAStorm(seed: UInt64) throws {
    try storm(TestConsortium(operators: 4, regulators: 2, salt: seed), seed: seed)
  }

  /// With every even seed one member lies as well as it can, another one from seed to seed.
  private func storm(_ consortium: TestConsortium, seed: UInt64) throws {
    let faulty = seed.isMultiple(of: 2) ? MemberIndex(seed / 2 % UInt64(consortium.count)) : nil
    let network = TestNetwork(consortium, seed: seed, weather: .storm, faulty: faulty)
    network.start()
    network.submitEvery(.milliseconds(100))
    network.run(for: .seconds(3))
    // Healing: nothing is lost any more, everybody comes back.
    network.weather = .calm
    let height = network.greatestHeight
    let progressed = network.run(atMost: .seconds(20)) { network.leastHeight >= height + 3 }
    #expect(network.checker.violations.isEmpty, "seed \(seed): \(network.checker.violations.prefix(5))")
    #expect(progressed, "seed \(seed): \(network.members.map { ($0.height, $0.core?.view ?? 0) })")
    for member in network.honest {
      for block in member.log.flatMap(\.blocks) { #expect(Int(block.header.leader) < consortium.leaders.count) }
    }
  }

  @Test(arguments: UInt64(1)...5)
  func everybodyCrashesAndComesBack(seed: UInt64) throws {
    let consortium = try TestConsortium(operators: 4, regulators: 2, salt: seed)
    let network = TestNetwork(consortium, seed: seed, weather: .init(delayMilliseconds: 1...40))
    network.start()
    network.submitEvery(.milliseconds(30))
    for round in 0..<10 {
      network.run(for: .milliseconds(Int64(100 + seed * 13 + UInt64(round) * 7)))
      for member in network.members { network.crash(member.index) }
      for member in network.members { network.boot(member.index) }
    }
    let height = network.greatestHeight
    #expect(network.run(atMost: .seconds(5)) { network.leastHeight > height + 2 })
    #expect(network.checker.violations.isEmpty)
  }

  @Test func aMemberBackFromALongAbsenceCatchesUpInBoundedRequests() throws {
    let consortium = try TestConsortium(operators: 4, regulators: 2)
    let network = TestNetwork(consortium)
    network.start()
    network.submitEvery(.milliseconds(20))
    network.run(for: .milliseconds(100))
    network.crash(5)
    #expect(network.run(atMost: .seconds(60)) { network.greatestHeight >= 80 })
    let height = network.greatestHeight
    var requests = 0
    network.passes = { message, sender, _ in
      if sender == 5, case .getSegments = message { requests += 1 }
      if sender == 5, case .getBlock = message { requests += 1 }
      return true
    }
    network.boot(5)
    #expect(network.run(atMost: .seconds(5)) { network.members[5].height >= height })
    // Eight segments to an answer.
    #expect(requests <= Int(height) / 8 + 20)
    #expect(network.checker.violations.isEmpty)
  }
}
