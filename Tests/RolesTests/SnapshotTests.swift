import Consensus
import Effects
import Ledger
import Messages
import Testing

@testable import Roles
@testable import Signing

/// Snapshots as validators take, serve and begin from them.
@Suite struct SnapshotTests {
  static let policy = HistoryPolicy(snapshotInterval: 8, pieceEntries: 10, evidenceHorizon: 4)

  private func validator(
    _ member: MemberIndex, of chain: Chain, _ policy: HistoryPolicy = policy
  ) throws -> Driver<ValidatorCore> {
    var configuration = ValidatorCore.Configuration(
      genesis: chain.genesis, member: member, key: Chain.key("\(Chain.operators[Int(member)]) validator"))
    configuration.history = policy
    return try Driver(at: Chain.start) { [configuration] in try ValidatorCore(configuration, recovering: $0) }
  }

  private func chain(blocks: Int) throws -> Chain {
    var chain = try Chain()
    for number in 0..<blocks {
      let payment = chain.sign(
        .transfer(to: Chain.organisation("alpha"), amount: Amount(number + 1)), by: "hospital treasury")
      try chain.append([payment])
    }
    return chain
  }

  /// A member that has executed the whole chain and written its snapshots.
  private func server(_ member: MemberIndex, of chain: Chain) throws -> Driver<ValidatorCore> {
    var driver = try validator(member, of: chain)
    driver.handle(.started)
    for segment in chain.segments {
      _ = driver.ask(.consensus(.segments([segment])), by: Chain.validators[Int(member + 1) % 4])
      while driver.timers[TimerID(ValidatorCore.Purpose.snapshot)] != nil { writePiece(&driver) }
    }
    #expect(driver.core.ledger.root == chain.state.root)
    #expect(driver.halts.isEmpty)
    return driver
  }

  private func servers(of chain: Chain) throws -> [ActorAddress: Driver<ValidatorCore>] {
    var servers: [ActorAddress: Driver<ValidatorCore>] = [:]
    for member in 0..<3 as Range<MemberIndex> { servers[Chain.validators[Int(member)]] = try server(member, of: chain) }
    return servers
  }

  private func writePiece(_ driver: inout Driver<ValidatorCore>) {
    let timer = TimerID(ValidatorCore.Purpose.snapshot)
    driver.clear(timer)
    driver.handle(.timer(timer))
  }

  private func keys(_ stream: UInt16, of driver: Driver<ValidatorCore>) -> [UInt64] {
    (driver.disk[stream] ?? [:]).keys.sorted()
  }

  @Test func aRestartExecutesTheTailAlone() throws {
    let chain = try chain(blocks: 20)
    var driver = try server(0, of: chain)
    #expect(keys(ValidatorCore.Stream.snapshots, of: driver) == [16])
    #expect(keys(ValidatorCore.Stream.pieces, of: driver).count > 2)
    #expect(Set(keys(ValidatorCore.Stream.pieces, of: driver).map { $0 >> 20 }) == [16])
    // What is below the horizon is gone.
    #expect(keys(ValidatorCore.Stream.segments, of: driver) == Array(13...20))
    try driver.restart(chain)
    #expect(driver.core.ledger.root == chain.state.root)
    #expect(driver.core.executions.recent.entries.map(\.header.height) == [17, 18, 19, 20])
    let token = driver.ask(.getSnapshot(SnapshotRequest(height: 16)))
    guard case .success(.snapshot(let manifest))? = driver.replies[token] else {
      Issue.record("not served")
      return
    }
    #expect(manifest.header.stateRoot == chain.segments[15].blocks[0].header.stateRoot)
  }

  @Test func aCrashWhileASnapshotIsWrittenLeavesTheOneBefore() throws {
    let chain = try chain(blocks: 16)
    var driver = try validator(0, of: chain)
    driver.handle(.started)
    for segment in chain.segments {
      _ = driver.ask(.consensus(.segments([segment])), by: Chain.validators[1])
      let isLast = segment.blocks[0].header.height == 16
      while !isLast, driver.timers[TimerID(ValidatorCore.Purpose.snapshot)] != nil { writePiece(&driver) }
    }
    writePiece(&driver)
    #expect(driver.timers[TimerID(ValidatorCore.Purpose.snapshot)] != nil)
    try driver.restart(chain)
    #expect(keys(ValidatorCore.Stream.snapshots, of: driver) == [8])
    #expect(driver.core.ledger.root == chain.state.root)
  }

  /// What two servers and a joiner make of each other, until the joiner asks for nothing about snapshots any more.
  private func serve(
    _ joiner: inout Driver<ValidatorCore>, from servers: inout [ActorAddress: Driver<ValidatorCore>],
    distorting: (SnapshotChunk) -> SnapshotChunk = { $0 }, by liar: ActorAddress? = nil, atMost pieces: Int = .max
  ) throws -> (asked: [ActorAddress], from: [[UInt8]]) {
    var asked: [ActorAddress] = []
    var keys: [[UInt8]] = []
    for _ in 0..<400 {
      guard let request = joiner.takeRequest(where: { $0.isAboutSnapshots }) else {
        if joiner.timers[TimerID(ValidatorCore.Purpose.download)] == nil { break }
        joiner.clear(TimerID(ValidatorCore.Purpose.download))
        joiner.handle(.timer(TimerID(ValidatorCore.Purpose.download)))
        continue
      }
      if case .getSnapshotChunk(let piece) = request.message {
        guard asked.count < pieces else { break }
        asked.append(request.to)
        keys.append(piece.from)
      }
      guard var server = servers[request.to] else {
        joiner.deliver(.failure(RemoteError(.deadlineExceeded)), to: request)
        continue
      }
      let token = server.ask(request.message)
      var answer = try #require(server.replies[token])
      servers[request.to] = server
      if request.to == liar, case .success(.snapshotChunk(let piece)) = answer {
        answer = .success(.snapshotChunk(distorting(piece)))
      }
      joiner.deliver(answer, to: request)
    }
    return (asked, keys)
  }

  /// The joiner has looked for blocks, and was told of a snapshot.
  private func joiner(of chain: Chain, _ policy: HistoryPolicy = policy) throws -> Driver<ValidatorCore> {
    var driver = try validator(3, of: chain, policy)
    driver.handle(.started)
    driver.wait(.seconds(60))
    #expect(driver.requests.contains { if case .getSnapshot = $0.message { true } else { false } })
    return driver
  }

  @Test func aJoinerBeginsFromASnapshotAndALiarCostsOnePiece() throws {
    let chain = try chain(blocks: 20)
    var joiner = try joiner(of: chain)
    var servers = try servers(of: chain)
    // Whom it asks first sends values that nobody signed.
    let liar = try #require(joiner.requests.first { $0.message.isAboutSnapshots }).to
    let (asked, _) = try serve(
      &joiner, from: &servers,
      distorting: { piece in
        var steps = piece.proof.steps
        for (index, step) in steps.enumerated() {
          if case .leaf(let key, let value) = step { steps[index] = .leaf(key: key, value: value + [0]) }
        }
        return SnapshotChunk(
          height: piece.height, from: piece.from, before: piece.before, proof: KeyedMerkleProof(steps: steps))
      }, by: liar)
    #expect(joiner.core.ledger.height == 16)
    #expect(joiner.core.ledger.root == chain.segments[15].blocks[0].header.stateRoot)
    #expect(asked.first == liar)
    #expect(Set(asked).count == 2)
    #expect(joiner.counts["validator.snapshotPieceRefused"] == 1)
    // The rest comes as blocks, and the next life begins from the same place.
    _ = joiner.ask(.consensus(.segments(Array(chain.segments[16...]))), by: Chain.validators[0])
    #expect(joiner.core.ledger.root == chain.state.root)
    try joiner.restart(chain)
    #expect(joiner.core.ledger.root == chain.state.root)
    #expect(joiner.halts.isEmpty)
  }

  @Test func aDownloadThatACrashInterruptedGoesOn() throws {
    let chain = try chain(blocks: 20)
    var joiner = try joiner(of: chain)
    var servers = try servers(of: chain)
    let (_, before) = try serve(&joiner, from: &servers, atMost: 5)
    #expect(joiner.core.ledger.height == 0)
    try joiner.restart(chain)
    let (_, after) = try serve(&joiner, from: &servers)
    #expect(joiner.core.ledger.height == 16)
    try #require(after.first != [])
    #expect(try #require(before.last).lexicographicallyPrecedes(after[0]) || before.last == after[0])
  }

  @Test func aSnapshotThatDoesNotShowTheCheckpointIsNotUsed() throws {
    let chain = try chain(blocks: 20)
    var policy = Self.policy
    policy.checkpoint = .init(height: 16, hash: Digest(hashing: [1]))
    var joiner = try joiner(of: chain, policy)
    var servers = try servers(of: chain)
    _ = try serve(&joiner, from: &servers)
    #expect(joiner.core.ledger.height == 0)
    // Nor are the blocks: somebody's quorum signed another chain.
    _ = joiner.ask(.consensus(.segments(chain.segments)), by: Chain.validators[0])
    #expect(joiner.halts.count == 1)

    policy.checkpoint = .init(height: 16, hash: chain.segments[15].blocks[0].hash)
    var other = try self.joiner(of: chain, policy)
    _ = try serve(&other, from: &servers)
    #expect(other.core.ledger.height == 16)
  }
}

extension Message {
  fileprivate var isAboutSnapshots: Bool {
    switch self {
    case .getSnapshot, .getSnapshotChunk: true
    default: false
    }
  }
}
