import Effects
import Messages
import Testing

@testable import Roles
@testable import Signing

/// A regulator is a follower and little else.
@Suite struct FollowerTests {
  static func regulator(_ chain: Chain) throws -> Driver<RegulatorCore> {
    try Driver(at: Chain.start) {
      try RegulatorCore(
        RegulatorCore.Configuration(
          name: "watch", genesis: chain.genesis, validators: Chain.validators, key: Chain.key("watch")),
        recovering: $0)
    }
  }

  static func height(_ driver: inout Driver<RegulatorCore>) -> String? {
    let token = driver.ask(.getStatus)
    guard case .success(.status(let items))? = driver.replies[token] else { return nil }
    return items.first { $0.name == "height" }?.value
  }

  @Test func blocksComeOnceHoweverOftenTheyArePublished() throws {
    var chain = try Chain()
    var driver = try Self.regulator(chain)
    driver.start(chain)
    let segment = try chain.append()
    for publisher in Chain.validators { driver.publish(segment, by: publisher) }
    #expect(Self.height(&driver) == "1")
    #expect(driver.requests.isEmpty)
  }

  @Test func aGapIsFetched() throws {
    var chain = try Chain()
    var driver = try Self.regulator(chain)
    driver.start(chain)
    try chain.append()
    driver.publish(try chain.append())
    #expect(driver.count(\.isSegmentQuestion) == 1)
    driver.readLedger(chain)
    #expect(Self.height(&driver) == "2")
  }

  @Test func whoSaysThereIsNothingNewIsPassedOver() throws {
    var chain = try Chain()
    var driver = try Self.regulator(chain)
    driver.start(chain)
    try chain.append()
    driver.publish(try chain.append(), by: Chain.validators[2])
    driver.readLedger(chain, by: .success(.consensus(.segments([]))))
    driver.wait(.seconds(1))
    #expect(driver.requests.map(\.to) == [Chain.validators[1]])
    driver.readLedger(chain)
    #expect(Self.height(&driver) == "2")
  }

  @Test func whoDoesNotAnswerIsPassedOver() throws {
    let chain = try Chain()
    var driver = try Self.regulator(chain)
    driver.handle(.started)
    for expected in Chain.validators {
      #expect(driver.requests.map(\.to) == [expected])
      driver.readLedger(chain, by: .failure(RemoteError(.deadlineExceeded)))
      driver.wait(.seconds(5))
    }
  }

  @Test func aLedgerThatStandsStillIsLookedAtElsewhere() throws {
    var chain = try Chain()
    var driver = try Self.regulator(chain)
    driver.start(chain)
    // Every publication of this block is lost.
    try chain.append()
    driver.wait(.seconds(6))
    #expect(driver.requests.map(\.to) == [Chain.validators[1]])
    driver.readLedger(chain)
    #expect(Self.height(&driver) == "1")
  }

  @Test func anotherChainIsRefused() throws {
    var chain = try Chain()
    var other = try Chain()
    try other.append(after: .seconds(1))
    var driver = try Self.regulator(chain)
    driver.start(chain)
    driver.publish(try chain.append())
    driver.publish(try other.append())
    driver.readLedger(other)
    #expect(Self.height(&driver) == "1")
    try chain.append()
    driver.wait(.seconds(10))
    driver.readLedger(chain)
    #expect(Self.height(&driver) == "2")
  }

  @Test func aRegulatorKeepsItsCheckpointsWhenItReadsThePastAgain() throws {
    var chain = try Chain()
    var driver = try Self.regulator(chain)
    driver.start(chain)
    for _ in 0..<130 { driver.publish(try chain.append()) }
    let checkpoints = try #require(driver.disk[RegulatorCore.Stream.checkpoints])
    #expect(checkpoints.keys.sorted() == [64, 128])
    var short = try Chain()
    for _ in 0..<70 { try short.append() }
    try driver.restart(short)
    #expect(driver.disk[RegulatorCore.Stream.checkpoints] == checkpoints)
  }

  @Test func aRegulatorStopsAtAnotherHistory() throws {
    var chain = try Chain()
    var other = try Chain()
    var driver = try Self.regulator(chain)
    driver.start(chain)
    for _ in 0..<64 { driver.publish(try chain.append()) }
    for _ in 0..<64 { try other.append(after: .milliseconds(501)) }
    try driver.restart(other)
    #expect(driver.halts.count == 1)
  }
}
