import Foundation
import Messages
import Roles
import Signing
import Testing

@testable import Simulator

/// Six members, one of them a liar, crashes and isolation drawn from the seed: no rule is ever broken, and nobody
/// honest is named. `ops/soak simulate` runs twenty thousand of these.
@Suite struct MemberChaosTests {
  private static let members = Result { try Members(transfers: 400) }

  /// Views of one run: a hundred in a soak, fewer in a debug build, where each takes ten times as long.
  private static let views: View = ProcessInfo.processInfo.environment["AJIT_VIEWS"].flatMap { View($0) } ?? 15

  private struct Totals {
    var seeds = 0
    var views: View = 0
    var restarts: UInt64 = 0
    var events: UInt64 = 0
    var duration = Span.zero
    var liars: [String: Int] = [:]
    var convicted = 0
    /// Folded in the order of seeds.
    var hashes: [(seed: UInt64, hash: Digest)] = []
    var failures: [String] = []

    mutating func add(_ trial: MemberTrial, _ outcome: MemberTrial.Outcome) {
      seeds += 1
      views += outcome.views
      restarts += outcome.restarts
      events += outcome.events
      duration = duration + outcome.duration
      liars[trial.liar.name, default: 0] += 1
      convicted += outcome.named.isEmpty ? 0 : 1
      hashes.append((trial.seed, outcome.traceHash))
      guard !outcome.violations.isEmpty || outcome.ending != .satisfied else { return }
      failures.append(
        "seed \(trial.seed) (\(trial.liar.name)): \(outcome.ending), \(outcome.violations.prefix(3))"
          + "\n  replay: AJIT_FIRST_SEED=\(trial.seed) AJIT_SEEDS=1 AJIT_VIEWS=\(trial.views) ops/soak simulate")
    }

    mutating func add(_ other: Totals) {
      seeds += other.seeds
      views += other.views
      restarts += other.restarts
      events += other.events
      duration = duration + other.duration
      liars.merge(other.liars) { $0 + $1 }
      convicted += other.convicted
      hashes += other.hashes
      failures += other.failures
    }

    var traceHash: Digest {
      hashes.sorted { $0.seed < $1.seed }.reduce(Digest.zero) { Digest(label: "runs", $0.bytes, $1.hash.bytes) }
    }
  }

  @Test func noSeedBreaksARule() async throws {
    let members = try Self.members.get()
    let seeds = Seeds.few(16)
    let totals = await withTaskGroup(of: Totals.self) { group in
      let workers = UInt64(max(1, ProcessInfo.processInfo.activeProcessorCount))
      for worker in 0..<workers {
        group.addTask {
          var totals = Totals()
          for seed in seeds where seed % workers == worker {
            let trial = MemberTrial.chaos(seed: seed, members, views: Self.views)
            totals.add(trial, trial.run())
          }
          return totals
        }
      }
      return await group.reduce(into: Totals()) { $0.add($1) }
    }
    let liars = totals.liars.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    print(
      "chaos: \(totals.seeds) seeds from \(seeds.lowerBound), \(totals.views) views, \(totals.restarts) restarts,"
        + " \(totals.events) events, \(totals.duration) of virtual time, evidence in \(totals.convicted) runs; liars:"
        + " \(liars); trace \(totals.traceHash)")
    #expect(totals.failures == [])
  }

  @Test func oneSeedIsOneRun() throws {
    let members = try Self.members.get()
    for seed in [3, 11] as [UInt64] {
      let trial = MemberTrial.chaos(seed: seed, members, views: 10)
      #expect(trial.run().traceHash == trial.run().traceHash)
    }
  }
}
