import Messages

/// What must hold in every run, one name for each rule. S: safety, at every step, for honest members. A: who may be
/// named, and who must be. L: what must happen once enough is healthy. R: one seed, one history. M: money.
///
/// An honest member is one that no topology lets cheat and whose disk kept what it acknowledged.
public enum Check: String, Hashable, Sendable, CaseIterable {
  /// No two different final blocks at one height or in one view; every chain is a prefix of the longest.
  case oneChain = "S1"
  /// No nullification of a view that is finalized.
  case nullifiedOrFinalized = "S2"
  /// No two notarizations in one view while at most f members are faulty.
  case oneNotarization = "S3"
  /// What is finalized was notarized.
  case notarizedFirst = "S4"
  /// Views between a final block and its parent are nullified; the parent's view, height and time are lower.
  case gapsNullified = "S5"
  /// A certificate has valid votes of at least q distinct members.
  case quorums = "S6"
  /// One key, across restarts: one notarize and one finalize per view, never nullify and finalize, never a notarize and
  /// a finalize of different blocks.
  case votesAgree = "S7"
  /// Nothing leaves before the record it depends on is durable.
  case durableFirst = "S8"
  /// A member's view, final height and prune mark never go back, and nothing is signed at or below the final view.
  case neverBack = "S9"
  /// One height, one state root; executing the chain again from the genesis gives the same.
  case oneState = "S10"
  /// A transaction is executed once.
  case executedOnce = "S11"
  /// Activations move along their life cycle, are settled once, and money is conserved.
  case lifeCycle = "S12"
  /// A member notarizes no block further ahead of its clock than the network allows.
  case blockTime = "T1"

  /// Evidence is true, and names nobody honest.
  case honestNeverNamed = "A1"
  /// What one member saw of an equivocation it can prove after a restart.
  case equivocationKept = "A2"
  /// Two chains that both end in a finalization name at least 2q − n members, all of them guilty.
  case forkNamesCulprits = "A3"

  /// After healing, a new block is final within a bounded number of views, from any mix of held certificates.
  case progress = "L1"
  /// The same after every member crashed.
  case progressAfterCrash = "L2"
  /// A member that was away catches up in a bounded number of requests.
  case catchingUp = "L3"
  /// A transaction at an honest member is final within a bounded number of views.
  case inclusion = "L4"
  /// A dead leader costs a timeout at each of its turns until it is skipped, then nothing.
  case deadLeaderSkipped = "L5"

  /// Nobody honest stops, and nobody honest says what others refuse.
  case keepsRunning = "L6"

  /// The same seed gives the same trace.
  case reproducible = "R1"
  /// What is decoded is what was encoded; other bytes are refused.
  case encodings = "R2"

  /// An activation ends once.
  case endsOnce = "M1"
  /// Escrow and bond are what the contract says, and divided without rest.
  case money = "M2"
  /// Nobody who answers loses a demand.
  case answersCount = "M3"
}

/// A promise of the protocol that did not hold: a defect of this program, never of the simulated network.
public struct Violation: Hashable, Sendable, CustomStringConvertible {
  public let rule: Check
  public let at: Instant
  public let text: String

  public init(_ rule: Check, _ text: String, at instant: Instant) {
    self.rule = rule
    at = instant
    self.text = text
  }

  public var check: String { rule.rawValue }
  public var description: String { "\(check) \(text)" }
}

/// What checkers found. The first ones tell; more are not kept.
struct Violations {
  static let maximum = 64

  private(set) var all: [Violation] = []

  mutating func add(_ rule: Check, _ text: @autoclosure () -> String, at now: Instant) {
    guard all.count < Self.maximum else { return }
    all.append(Violation(rule, text(), at: now))
  }

  mutating func add(_ others: [Violation]) { all += others.prefix(max(0, Self.maximum - all.count)) }
}
