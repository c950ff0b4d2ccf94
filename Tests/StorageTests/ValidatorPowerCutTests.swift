import Effects
import Ledger
import Messages
import Roles
import Signing
import Testing

@testable import Storage

/// A network of one validator whose disk loses its power again and again, in the middle of votes, blocks, snapshots and
/// prunes. What it said it goes by, and what it made final is there.
private struct Life {
  static let key: SigningKey? = try? SigningKey(seed: Digest(hashing: [1]).bytes, scheme: .simulated)
  static let start = Instant(nanoseconds: 1_700_000_000_000_000_000)

  static func genesis(_ key: SigningKey) throws -> Genesis {
    let owner = try SigningKey(seed: Digest(hashing: [2]).bytes, scheme: .simulated)
    let organisation = OrganisationID(owner.publicKey)
    return Genesis(
      salt: [UInt8](repeating: 9, count: Genesis.saltBytes), scheme: .simulated, time: start, parameters: .standard,
      members: [Member(name: "alpha", key: key.publicKey, organisation: organisation, leads: true)],
      organisations: [
        Organisation(id: organisation, name: "alpha", kind: .networkOperator, credit: 5, keys: [])
      ], platformKeys: [])
  }

  /// What the world has heard, over all lives.
  struct Heard {
    var votes: [View: Set<Ballot>] = [:]
    var blocks: [Height: Digest] = [:]
    var contradictions: [String] = []

    mutating func hear(_ message: Message) {
      switch message {
      case .consensus(.vote(let vote)): hear(vote)
      case .consensus(.proposal(let proposal)): hear(proposal.vote)
      case .ledger(let segment):
        for block in segment.blocks {
          if let known = blocks.updateValue(block.hash, forKey: block.header.height), known != block.hash {
            contradictions.append("two final blocks of height \(block.header.height)")
          }
        }
      default: break
      }
    }

    private mutating func hear(_ vote: Vote) {
      let said = votes[vote.ballot.view, default: []]
      if said.contains(where: { $0.kind == vote.ballot.kind && $0 != vote.ballot }) {
        contradictions.append("two votes of kind \(vote.ballot.kind) in view \(vote.ballot.view)")
      }
      votes[vote.ballot.view] = said.union([vote.ballot])
    }
  }

  var core: ValidatorCore
  let store: SQLiteRecordStore
  private var timers: [TimerID: Instant] = [:]

  init(_ path: String, _ key: SigningKey) throws {
    store = try SQLiteRecordStore(path: path, checkpointPages: 64)
    var configuration = ValidatorCore.Configuration(genesis: try Self.genesis(key), member: 0, key: key)
    configuration.history = HistoryPolicy(snapshotInterval: 8, pieceEntries: 3, evidenceHorizon: 8)
    core = try ValidatorCore(configuration, recovering: try store.recover())
  }

  /// Goes on until the disk refuses, or for so many turns.
  mutating func run(from now: inout Instant, turns: Int, _ heard: inout Heard) throws(StorageError) {
    try turn(core.handle(.started, at: now), &heard)
    for _ in 0..<turns {
      guard let next = timers.min(by: { ($0.value, $0.key.purpose) < ($1.value, $1.key.purpose) }) else { return }
      timers[next.key] = nil
      now = max(now, next.value)
      try turn(core.handle(.timer(next.key), at: now), &heard)
    }
  }

  /// Durable first, then said.
  private mutating func turn(_ effects: [Effect], _ heard: inout Heard) throws(StorageError) {
    var records: [Record] = []
    for effect in effects {
      switch effect {
      case .persist(let record): records.append(record)
      case .setTimer(let timer, let at): timers[timer] = at
      case .cancelTimer(let timer): timers[timer] = nil
      default: break
      }
    }
    try store.commit(records)
    for case .publish(_, let message) in effects { heard.hear(message) }
    for case .halt(let reason) in effects { heard.contradictions.append(reason.description) }
  }
}

@Suite struct ValidatorPowerCutTests {
  @Test(arguments: 1...6 as ClosedRange<UInt64>)
  func aValidatorGoesByWhatItSaid(seed: UInt64) throws {
    let key = try #require(Life.key)
    let disk = try FaultyDisk()
    let path = disk.file("alpha.sqlite")
    var random = SplitMix(seed: seed)
    var heard = Life.Heard()
    var now = Life.start + .seconds(1)
    for round in 0..<25 as Range<UInt64> {
      disk.cut(after: 1 + random.below(250))
      var life: Life?
      do {
        life = try Life(path, key)
        try life?.run(from: &now, turns: 2_000, &heard)
      } catch {
        #expect(disk.isCut, "round \(round): \(error)")
      }
      disk.cut()
      try? life?.store.close()
      life = nil
      try disk.restore(seed: seed &* 1_000 &+ round)
      // Everything acknowledged is there, and it executes.
      let recovered = try Life(path, key)
      #expect(recovered.core.ledger.height >= heard.blocks.keys.max() ?? 0, "seed \(seed), round \(round)")
      try recovered.store.close()
    }
    #expect(heard.contradictions.isEmpty, "seed \(seed): \(heard.contradictions)")
    #expect(heard.blocks.count > 30)
    // It did not execute all that, life after life.
    let last = try SQLiteRecordStore(path: path)
    #expect(try last.lastKey(stream: ValidatorCore.Stream.snapshots) ?? 0 >= 8)
    #expect(try last.records(stream: ValidatorCore.Stream.segments, from: 0, limit: 1).first?.key ?? 0 > 1)
    try last.close()
  }
}
