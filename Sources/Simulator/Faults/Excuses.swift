import Effects
import Messages
import Topology

/// What `expect:` says is said of an undisturbed run. Which differences from it the faults of a run excuse:
///
/// - none, unless the honest twin (same topology, seed and network, no fault) meets the whole `expect:`;
/// - of an activation, those in which a fault that struck before it was over hit somebody it depends on: a member,
///   either end's customer or enclave, or an actor of an operator that may serve it;
/// - never that it is not over, and never a penalty above the expected one of an operator none of whose actors was hit.
///
/// Hit by a fault of links is who stands in `between` or `and`: who is only at the other end of "everybody else" can
/// still talk to everybody else.
struct Excuses {
  private let topology: Topology
  private let struck: [StruckFault]

  init(_ topology: Topology, struck: [StruckFault]) {
    self.topology = topology
    self.struck = struck
  }

  var isEmpty: Bool { struck.isEmpty }

  /// - Parameter end: when it was over.
  func cover(_ activation: Topology.Activation, of customer: Topology.Customer, until end: Instant) -> Bool {
    let names = topology.operators.map(\.name) + topology.regulators.map(\.name)
    var actors = names.map { ActorAddress(.validator, $0) } + ends(of: activation, customer)
    for networkOperator in operators(of: activation) { actors += self.actors(of: networkOperator) }
    return hit(actors, until: end)
  }

  /// Whether an operator that may serve the activation was hit itself.
  func reachOperator(of activation: Topology.Activation, until end: Instant) -> Bool {
    hit(operators(of: activation).flatMap { actors(of: $0) }, until: end)
  }

  private func hit(_ actors: [ActorAddress], until end: Instant) -> Bool {
    struck.contains { struck in
      struck.at <= end && struck.fault.patterns.contains { pattern in actors.contains(where: pattern.fits) }
    }
  }

  private func ends(of activation: Topology.Activation, _ customer: Topology.Customer) -> [ActorAddress] {
    var actors = [ActorAddress(.customer, customer.name), ActorAddress(.enclave, activation.enclave)]
    if let (peer, acceptance) = topology.acceptance(of: activation) {
      actors += [ActorAddress(.customer, peer.name), ActorAddress(.enclave, acceptance.enclave)]
    }
    return actors + actors.filter { $0.role == .enclave }.map { ActorAddress(.platform, $0.name) }
  }

  /// All of them where the cheapest offer is bought.
  private func operators(of activation: Topology.Activation) -> [Topology.Operator] {
    guard let reference = activation.contract else { return topology.operators }
    return topology.operators.filter { $0.name == reference.operatorName }
  }

  private func actors(of networkOperator: Topology.Operator) -> [ActorAddress] {
    [ActorAddress(.controller, networkOperator.name)] + networkOperator.edges.map { ActorAddress(.edge, $0.name) }
      + networkOperator.domains.map { ActorAddress(.domain, networkOperator.managerName(of: $0)) }
  }
}

/// A fault that came, and when.
public struct StruckFault: Hashable, Sendable {
  public let fault: Fault
  public let at: Instant
}

extension Simulation {
  /// Runs it, and where it differs from its `expect:` runs the honest twin too, to say what the faults excuse.
  public func judge(
    observer: @escaping (Span, ActorAddress, Observation) -> Void = { _, _, _ in }
  ) throws -> SimulationResult {
    var result = try run(observer: observer)
    let excuses = Excuses(topology, struck: result.struck)
    guard !excuses.isEmpty, result.activations.contains(where: { !$0.differences.isEmpty }) else { return result }
    var twin = self
    twin.faults = []
    let honest = try twin.run()
    let planned = topology.customers.flatMap { customer in customer.activations.map { (customer, $0) } }
    for (index, (customer, activation)) in planned.enumerated() {
      result.activations[index].excuse(
        by: excuses, activation, of: customer, twin: honest.activations[index], at: result.endOfRun)
    }
    return result
  }
}

extension ActivationOutcome {
  mutating func excuse(
    by excuses: Excuses, _ activation: Topology.Activation, of customer: Topology.Customer, twin: ActivationOutcome,
    at endOfRun: Instant
  ) {
    let end = endedAt ?? endOfRun
    guard !differences.isEmpty, twin.differences.isEmpty else { return }
    if case .unfinished = self.end { return }
    guard excuses.cover(activation, of: customer, until: end) else { return }
    (excused, differences) = (differences, [])
    if case .ended(let result) = self.end, let most = activation.expectation?.penalty?.most,
      result.money.penalty > most, !excuses.reachOperator(of: activation, until: end)
    {
      differences = ["penalty: no fault hit the operator, and it pays \(result.money.penalty) of at most \(most)"]
    }
  }
}
