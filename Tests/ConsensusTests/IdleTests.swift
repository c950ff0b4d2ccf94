import Consensus
import Messages
import Testing

/// An idle ledger rests, and a waiting transaction does not.
struct IdleTests {
  @Test func anIdleLedgerSaysNothingBetweenHeartbeats() throws {
    let consortium = try TestConsortium(operators: 4, regulators: 2)
    let network = TestNetwork(consortium)
    network.start()
    network.run(for: .milliseconds(500))
    for _ in 0..<4 {
      // The block of a heartbeat, and then silence until shortly before the next.
      let height = network.leastHeight
      #expect(network.run(atMost: .milliseconds(2100)) { network.leastHeight > height })
      network.run(for: .milliseconds(100))
      let sent = network.messagesSent
      network.run(for: .milliseconds(1700))
      #expect(network.messagesSent == sent)
      #expect(network.leastHeight == height + 1)
    }
    #expect(network.view(0) == 5)
    #expect(!network.observations.contains { if case .timedOut = $0.1 { true } else { false } })
  }

  @Test func aTransactionOnAnIdleLedgerIsFinalInThreeDelays() throws {
    let consortium = try TestConsortium(operators: 4, regulators: 2)
    let network = TestNetwork(consortium, weather: .init(delayMilliseconds: 10...10))
    network.start()
    network.run(for: .milliseconds(500))
    let before = network.now
    network.submit(7)
    #expect(network.run(atMost: .seconds(1)) { network.leastHeight == 1 })
    #expect(network.now - before <= .milliseconds(31))
  }

  /// Under load, blocks come at a bounded rate, and nobody is blamed for what is left to gather.
  @Test func aBusyLedgerIsPaced() throws {
    let consortium = try TestConsortium(operators: 4, regulators: 2)
    let network = TestNetwork(consortium)
    network.start()
    network.run(for: .milliseconds(500))
    network.submitEvery(.milliseconds(2))
    network.run(for: .seconds(1))
    let height = network.leastHeight
    network.run(for: .seconds(2))
    #expect((60...84).contains(network.leastHeight - height))
    #expect(!network.observations.contains { if case .timedOut = $0.1 { true } else { false } })
    #expect(network.checker.violations.isEmpty)
  }

  @Test func aDeadLeaderCostsOneTimeoutThenNothing() throws {
    let consortium = try TestConsortium(operators: 4, regulators: 2)
    let network = TestNetwork(consortium)
    network.start()
    network.run(for: .milliseconds(100))
    network.crash(2)
    network.submitEvery(.milliseconds(25))
    #expect(network.run(atMost: .seconds(30)) { network.members[0].height >= 40 })
    let timeouts = network.observations.filter { if case .timedOut = $0.1, $0.0 == 0 { true } else { false } }
    let skips = network.observations.filter { if case .skipped = $0.1, $0.0 == 0 { true } else { false } }
    #expect(timeouts.count <= 1)
    #expect(skips.count >= 5)
    // One valid vote ends it.
    network.boot(2)
    network.run(for: .seconds(1))
    let skipped = network.observations.count
    network.run(for: .seconds(2))
    #expect(!network.observations.dropFirst(skipped).contains { if case .skipped = $0.1 { true } else { false } })
    #expect(network.checker.violations.isEmpty)
  }

  @Test func aSingleMemberIsItsOwnQuorum() throws {
    let network = TestNetwork(try TestConsortium(operators: 1))
    network.start()
    network.submit(1)
    #expect(network.leastHeight == 1)
    network.run(for: .seconds(5))
    #expect(network.leastHeight == 3)
  }
}
