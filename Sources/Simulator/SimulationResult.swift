import Effects
import Ledger
import Messages
import Signing
import Topology

/// What a simulation came to.
public struct SimulationResult: Sendable {
  public let seed: UInt64
  public let ending: World.Ending
  /// SHA-256 over everything that happened: equal for equal topology, seed, conditions, faults and code, in any build
  /// and process.
  public let traceHash: Digest
  /// Virtual time from the start.
  public let duration: Span
  public let events: UInt64
  /// The faults that came, in that order.
  public let struck: [StruckFault]
  /// In file order.
  public internal(set) var activations: [ActivationOutcome]
  /// Final height per member, in member order.
  public let heights: [Height]
  /// Whether no two members hold different final blocks at one height.
  public let membersAgree: Bool
  /// Of the longest chain, executed again from the genesis; nil if it does not execute.
  public let money: Money?
  /// Promises of the protocol that did not hold.
  public let violations: [Violation]
  /// Actors that stopped for good.
  public let halts: [Halt]
  /// Messages that a receiver's admission refused, by what was wrong, sorted.
  public let refusals: [(what: String, count: UInt64)]
  /// Lives begun after the first, of all actors.
  public let restarts: UInt64

  public struct Money: Hashable, Sendable {
    public let issued: Amount
    public let balances: Amount
    public let escrows: Amount
    public let bonds: Amount

    /// Nothing made or destroyed money.
    public var isConserved: Bool { UInt128(balances) + UInt128(escrows) + UInt128(bonds) == UInt128(issued) }

    init(_ totals: TotalsRecord) {
      (issued, balances, escrows, bonds) = (totals.issued, totals.balances, totals.escrows, totals.bonds)
    }
  }

  var endOfRun: Instant { World.start + duration }

  /// A promise that did not hold.
  public struct Failure: Hashable, Sendable, CustomStringConvertible {
    /// Of the check that found it: what two runs that fail in the same way have in common.
    public let name: String
    public let description: String
  }

  /// What can never be right: a check that did not hold, an actor that stopped, an activation that never ended. No
  /// fault but those that are held against the actor they strike excuses one.
  private var violated: [Failure] {
    var failures = violations.map { Failure(name: $0.check, description: $0.description) }
    failures += halts.map { Failure(name: "halt", description: "\($0.actor) stopped: \($0.reason)") }
    failures += refusals.map { Failure(name: "refusal", description: "refused \($0.count) times: \($0.what)") }
    if money?.isConserved != true { failures.append(Failure(name: "money", description: "money is not conserved")) }
    if ending != .satisfied {
      failures.append(Failure(name: "end", description: "ended by \(ending) before every activation was over"))
    }
    return failures
  }

  /// Everything that did not hold, what is worst first.
  public var failures: [Failure] { violated + surprises.map { Failure(name: "expect", description: $0) } }

  /// What no fault excuses, as sentences.
  public var defects: [String] { violated.map(\.description) }

  /// What differs from the topology's `expect:`, as sentences, unless it is excused.
  public var surprises: [String] {
    activations.flatMap { activation in
      activation.differences.map { "\(activation.customer)/\(activation.label): \($0)" }
    }
  }
}

/// What came of one activation of the topology.
public struct ActivationOutcome: Sendable {
  public enum End: Sendable {
    /// On the ledger, in a final state.
    case ended(ActivationResult)
    /// Never on the ledger: nothing was locked.
    case refused(String)
    /// Not over when the simulation ended; the state if it was on the ledger.
    case unfinished(ActivationState?)
  }

  public let customer: String
  /// The topology's name for it.
  public let label: String
  /// Nil when it was never ordered.
  public let id: ActivationID?
  public let end: End
  /// When its customer learnt that it was over.
  public let endedAt: Instant?
  /// Against the topology's `expect:`, as sentences.
  public internal(set) var differences: [String]
  /// Differences that faults are to blame for, see ``Simulation/judge(observer:)``.
  public internal(set) var excused: [String] = []
}
