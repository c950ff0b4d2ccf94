import Effects
import Messages
import Roles
import Testing
import Topology

@testable import Simulator

/// Members that do not keep their word to customers, regulators that act, and what everybody else sees of it.
@Suite struct OversightTests {
  /// What one run came to, and what was noted and counted on the way.
  private struct Run {
    let result: SimulationResult
    let notes: [String]
    let counts: [String: UInt64]

    func isNoted(_ text: String) -> Bool { notes.contains { $0.contains(text) } }
  }

  private final class Book {
    var notes: [String] = []
    var counts: [String: UInt64] = [:]
  }

  private func run(
    seed: UInt64, behaviours: [Topology.Behaviour] = [], conditions: NetworkConditions = .calm,
    _ change: (inout Topology) -> Void = { _ in }
  ) throws -> Run {
    var topology = try Topologies.quiet("remote-surgery")
    topology.behaviours = behaviours
    change(&topology)
    let book = Book()
    let result = try Simulation(topology: topology, seed: seed, conditions: conditions).run { _, actor, observation in
      switch observation {
      case .note(_, let text): book.notes.append("\(actor): \(text)")
      case .counted(let name, let amount): book.counts[name, default: 0] += amount
      default: break
      }
    }
    return Run(result: result, notes: book.notes, counts: book.counts)
  }

  private func expectServed(_ run: Run) {
    #expect(run.result.membersAgree && run.result.money?.isConserved == true)
    for activation in run.result.activations {
      guard case .ended(let end) = activation.end else {
        Issue.record("\(activation.label) is not over: \(run.result.summary)")
        continue
      }
      #expect(end.state == .settled)
    }
  }

  /// V8, V3, X3: acknowledges what it is given and drops it.
  @Test(arguments: Seeds.few(2)) func aMemberThatDropsWhatItPromisedIsConvicted(seed: UInt64) throws {
    let run = try run(
      seed: seed,
      behaviours: [Topology.Behaviour(actor: ActorAddress(.validator, "alpha"), cheat: .forgetSubmissions)]
    ) { topology in
      // It leads while the customer waits, which then asks somebody else and makes everybody a witness.
      topology.network.heartbeat = .milliseconds(400)
      topology.customers[0].activations[0].startWithin = .seconds(60)
    }
    // Whom it costs something is its own operator, whose controller asks it first.
    #expect(run.result.membersAgree && run.result.money?.escrows == 0 && run.result.money?.bonds == 0)
    #expect(run.isNoted("regulator/ofcom: convicted: alpha: BrokenAcknowledgement"), "\(run.notes.suffix(20))")
    // By four of the five others it is suspended; one regulator steps back, so that operators remain a quorum.
    #expect(run.isNoted("validator/bravo: era 1 began"), "\(run.notes.suffix(20))")
    // Nobody else.
    for name in ["bravo", "charlie", "delta", "ofcom", "ceer"] { #expect(!run.isNoted("convicted: \(name)")) }
  }

  /// Its honest twin: on a bad day nobody is convicted of breaking a promise, whatever is lost, late or twice.
  @Test(arguments: Seeds.few(2)) func nobodyHonestBreaksAPromise(seed: UInt64) throws {
    let run = try run(seed: seed, conditions: .lossy)
    #expect(run.result.defects == [])
    #expect(!run.isNoted("convicted: ") && !run.isNoted("evidence against"))
  }

  /// V9: shows less than the ledger holds, and acknowledges something else than what it was given.
  @Test(arguments: Seeds.few(2)) func aMemberThatAnswersFalselyIsCaughtAndPassedOver(seed: UInt64) throws {
    let run = try run(
      seed: seed, behaviours: [Topology.Behaviour(actor: ActorAddress(.validator, "alpha"), cheat: .answerFalsely)])
    expectServed(run)
    #expect(run.counts["customer.acknowledgementRefused", default: 0] > 0)
    #expect(run.isNoted("customer/hospital: validator/alpha acknowledged something else"))
  }

  // MARK: Regulators

  private func ordering(_ names: [String], _ measure: Topology.Measure) -> (inout Topology) -> Void {
    { topology in
      for index in topology.regulators.indices where names.contains(topology.regulators[index].name) {
        topology.regulators[index].measures = [measure]
      }
    }
  }

  private var suspension: Topology.Measure {
    Topology.Measure(
      kind: .suspendContract, at: .seconds(3), reason: "complaint 17",
      contract: Topology.ContractReference(operatorName: "charlie", contractName: "telemedicine"))
  }

  @Test func regulatorsThatAreToldTheSameOrderItTogether() throws {
    let run = try run(seed: 1, ordering(["ofcom", "ceer"], suspension))
    #expect(run.result.defects == [])
    for name in ["ofcom", "ceer"] {
      #expect(run.isNoted("regulator/\(name): measure taken: "), "\(run.notes.suffix(9))")
    }
  }

  /// R1
  @Test func aRegulatorThatActsAloneIsRefusedAndTheOthersRecordIt() throws {
    let run = try run(
      seed: 1, behaviours: [Topology.Behaviour(actor: ActorAddress(.regulator, "ofcom"), cheat: .actAlone)],
      ordering(["ofcom"], suspension))
    #expect(run.result.defects == [])
    #expect(run.isNoted("regulator/ceer: acted alone: ofcom: refused with 1 approvals"), "\(run.notes.suffix(9))")
    #expect(!run.isNoted("measure taken"))
  }

  /// One that is told and the other is not: nothing happens, and nobody is refused.
  @Test func aRegulatorThatIsToldAloneWaits() throws {
    let run = try run(seed: 1, ordering(["ofcom"], suspension))
    #expect(run.result.defects == [])
    #expect(!run.isNoted("measure taken") && !run.isNoted("acted alone"))
  }
}
