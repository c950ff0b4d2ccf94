import Consensus
import Effects
import Messages

/// What a person asks first when a ledger is slow: who is missing, and why views pass without a block. Figures of one
/// life, for `ajit ledger status`; nothing depends on them.
struct ViewWatch: Sendable {
  /// Views this member gave up, by reason.
  private var timeouts = [UInt64](repeating: 0, count: ConsensusObservation.TimeoutReason.allCases.count)
  private var last: (view: View, leader: String, reason: ConsensusObservation.TimeoutReason)?
  private var refused: UInt64 = 0
  private var lastRefusal: String?
  /// Views in which a leader known to be silent was not waited for.
  private var skipped: UInt64 = 0
  /// When something was last heard of each validator. As many as there are publishers this member listens to.
  private var heard: [ActorAddress: Instant] = [:]

  /// Characters of a reason that are told.
  private static let maximumReason = 256
  /// A member of which nothing came in so many heartbeats is missing: every heartbeat has votes.
  static let heartbeatsUntilMissing: Int64 = 3

  mutating func heard(_ validator: ActorAddress, at now: Instant) { heard[validator] = now }

  mutating func timedOut(_ view: View, leader: String, _ reason: ConsensusObservation.TimeoutReason) {
    if let index = ConsensusObservation.TimeoutReason.allCases.firstIndex(of: reason) { timeouts[index] += 1 }
    last = (view, leader, reason)
  }

  mutating func refused(_ view: View, leader: String, _ reason: String) {
    refused += 1
    lastRefusal = "view \(view), \(leader): \(reason.prefix(Self.maximumReason))"
  }

  mutating func skippedLeader() { skipped += 1 }

  /// - Parameters:
  ///   - others: the members but this one.
  ///   - started: nobody is missing before it had the time to be heard.
  func items(others: [ActorAddress], started: Instant, at now: Instant, heartbeat: Span) -> [StatusItem] {
    let patience = heartbeat * Self.heartbeatsUntilMissing
    let missing = others.filter { (heard[$0] ?? started) + patience < now }.map(\.name)
    var items = [StatusItem("missing", missing.isEmpty ? "nobody" : missing.joined(separator: " "))]
    if let last {
      items.append(StatusItem("lastTimeout", "view \(last.view), \(last.leader): \(last.reason.rawValue)"))
    }
    for (reason, count) in zip(ConsensusObservation.TimeoutReason.allCases, timeouts) where count > 0 {
      items.append(StatusItem("timeouts.\(reason.rawValue)", count))
    }
    if skipped > 0 { items.append(StatusItem("skippedLeaders", skipped)) }
    if refused > 0 { items.append(StatusItem("refusedProposals", refused)) }
    if let lastRefusal { items.append(StatusItem("lastRefusal", lastRefusal)) }
    return items
  }
}
