import Assembly
import Effects
import Enclave
import Ledger
import Messages
import Roles
import Signing
import Topology

/// A topology in virtual time: every actor of it, enclaves included, in one ``World``, watched by the checkers, until
/// every planned activation is over.
///
/// A value that can be run again: the same topology, seed, conditions and faults give the same ``SimulationResult``.
public struct Simulation: Sendable {
  public let topology: Topology
  public let seed: UInt64
  public let conditions: NetworkConditions
  public internal(set) var faults: [Fault]
  /// Virtual time after which a run ends unsettled.
  public let timeLimit: Span
  /// Events after which a run ends unsettled.
  public let eventLimit: UInt64
  /// Whether a run takes all of its time, whatever is over by then, and is not held against it what is not.
  public let runsFullTime: Bool
  /// What each core is put into, for tests of actors that lie.
  var disguise: @Sendable (any RoleCore) -> any RoleCore = { $0 }

  public static let standardTimeLimit = Span.seconds(600)
  public static let standardEventLimit: UInt64 = 20_000_000

  /// - Parameter faults: the topology's own when nil.
  public init(
    topology: Topology, seed: UInt64, conditions: NetworkConditions = .calm, faults: [Fault]? = nil,
    timeLimit: Span = Simulation.standardTimeLimit, eventLimit: UInt64 = Simulation.standardEventLimit,
    runsFullTime: Bool = false
  ) {
    self.topology = topology
    self.seed = seed
    self.conditions = conditions
    self.faults = faults ?? topology.faults
    self.timeLimit = timeLimit
    self.eventLimit = eventLimit
    self.runsFullTime = runsFullTime
  }

  /// - Parameter observer: told what actors observe, as it happens; the instant counts from ``World/start``.
  /// - Throws: when the topology cannot be made into actors, or a fault names none of them.
  public func run(
    observer: @escaping (Span, ActorAddress, Observation) -> Void = { _, _, _ in }
  ) throws -> SimulationResult {
    let places = try SimulatedPlaces(topology, seed: seed)
    let deployment = try deployment(places)
    let seats = try seats(deployment, places)
    for pattern in faults.flatMap(\.patterns) where !seats.contains(where: { pattern.fits($0.address) }) {
      throw UnknownActor(pattern: pattern)
    }
    let world = World(
      seed: seed, conditions: conditions, context: deployment.genesis.verificationContext, seats: seats,
      faults: faults)
    let planned = topology.customers.map(\.activations.count).reduce(0, +)
    let progress = Progress(deployment.genesis, faulty: Set(deployment.cheatingMembers), planned: planned)
    progress.monitor.clockError = faults.clockError(within: timeLimit)
    world.distruster = { progress.monitor.excuse($0) }
    world.observer = { instant, actor, observation in
      progress.observed(observation, by: actor, at: instant)
      observer(instant - World.start, actor, observation)
    }
    world.inspector = { [unowned world] instant, actor, effect, disk in
      progress.monitor.inspect(effect, by: actor, life: world.lives(actor), disk: disk, at: instant)
    }
    let ending = world.run(
      until: { [unowned world] in !runsFullTime && progress.isSettled(world) }, timeLimit: timeLimit,
      eventLimit: eventLimit)
    return result(world, deployment, progress, ending)
  }

  /// A fault was planned for somebody who does not take part.
  public struct UnknownActor: Error, Hashable, Sendable, CustomStringConvertible {
    public let pattern: Topology.ActorPattern
    public var description: String { "there is no \(pattern) in this topology" }
  }

  // MARK: Actors

  func deployment(_ places: SimulatedPlaces) throws -> Deployment {
    let keys = try KeyDirectory(topology, places.keyring)
    let salt = Digest(label: "AJIT simulated salt", seed.encoded).bytes.prefix(Genesis.saltBytes)
    let genesis = Genesis(topology, keys: keys, salt: Array(salt), scheme: .simulated, time: World.start - .seconds(1))
    return Deployment(topology: topology, genesis: genesis, keys: keys, measurement: SimulatedPlaces.measurement)
  }

  private func seats(_ deployment: Deployment, _ places: SimulatedPlaces) throws -> [ActorSeat] {
    let first = try deployment.actors(places.inputs(life: 1))
    let actors = first.map { plan in
      ActorSeat(plan.address, ports: plan.ports) { life, records in
        // A later life gets randomness of its own: plans are made anew.
        guard life > 1 else { return disguise(try plan.make(records)) }
        let plans = try deployment.actors(places.inputs(life: life))
        return disguise(try (plans.first { $0.address == plan.address } ?? plan).make(records))
      }
    }
    let enclaves = places.enclaves.map { enclave in
      let configuration = EnclaveCore.Configuration(
        name: enclave.name, network: deployment.genesis.networkID, customer: ActorAddress(.customer, enclave.customer),
        receiptKey: enclave.receiptKey, agreementKey: enclave.agreementKey, applicationPort: enclave.applicationPort,
        networkPort: enclave.networkPort, clock: SimulatedPlaces.clock)
      return ActorSeat(
        ActorAddress(.enclave, enclave.name), ports: [enclave.applicationPort, enclave.networkPort]
      ) { _, records in deployment.behaving(try EnclaveCore(configuration, recovering: records)) }
    }
    return actors + enclaves
  }

  // MARK: Result

  private func result(
    _ world: World, _ deployment: Deployment, _ progress: Progress, _ ending: World.Ending
  ) -> SimulationResult {
    let disks = deployment.genesis.members.compactMap { world.disk(ActorAddress(.validator, $0.name)) }
    let unreliable = deployment.genesis.members.indices.filter {
      world.unreliable.contains(ActorAddress(.validator, deployment.genesis.members[$0].name))
    }
    let faulty = Set(deployment.cheatingMembers + unreliable.map { MemberIndex($0) })
    let agreement = LedgerAgreement(genesis: deployment.genesis, disks: disks, faulty: faulty, at: world.now)
    // Whoever cheats may say what nobody understands, and stop.
    let cheats = deployment.topology.behaviours.map(\.actor)
    let settlements = SettlementCheck(deployment, faults: faults, ended: agreement.archived, at: world.now)
    return SimulationResult(
      seed: seed, ending: runsFullTime && ending == .timeLimit ? .satisfied : ending, traceHash: world.traceHash,
      duration: world.now - World.start, events: world.eventCount, struck: world.struck,
      activations: activations(world, deployment, agreement, progress),
      heights: agreement.heights,
      membersAgree: agreement.membersAgree, money: (agreement.state?.totals).map { SimulationResult.Money($0) },
      violations: progress.monitor.violations + agreement.violations + settlements.violations,
      halts: world.halts.filter { !cheats.contains($0.actor) && !world.unreliable.contains($0.actor) },
      refusals: world.refusals.filter { refusal in !cheats.contains { refusal.key.hasPrefix("\($0): ") } }
        .sorted { $0.key < $1.key }.map { (what: $0.key, count: $0.value) },
      restarts: world.addresses.reduce(0) { $0 + max(1, world.lives($1)) - 1 })
  }

  private func activations(
    _ world: World, _ deployment: Deployment, _ agreement: LedgerAgreement, _ progress: Progress
  ) -> [ActivationOutcome] {
    topology.customers.flatMap { customer in
      let orders = world.disk(ActorAddress(.customer, customer.name))?.records(of: CustomerCore.Stream.orders) ?? []
      return customer.activations.enumerated().map { index, planned in
        // The signed order is the customer's record under the plan's position; its hash is the activation's id.
        let id = orders.first { $0.key == UInt64(index) }.map { ActivationID(Digest(hashing: $0.bytes)) }
        let end = end(of: id, deployment, agreement, progress)
        return ActivationOutcome(
          customer: customer.name, label: planned.name, id: id, end: end, endedAt: id.flatMap { progress.over[$0] },
          differences: differences(planned, end))
      }
    }
  }

  private func end(
    of id: ActivationID?, _ deployment: Deployment, _ agreement: LedgerAgreement, _ progress: Progress
  ) -> ActivationOutcome.End {
    guard let id else { return .unfinished(nil) }
    if let record = agreement.archived.first(where: { $0.id == id }) {
      return .ended(deployment.result(record, droppedByPolicy: progress.droppedByPolicy(id)))
    }
    if let reason = progress.refused[id] { return .refused(reason) }
    return .unfinished(agreement.state?.state(of: id))
  }

  private func differences(_ planned: Topology.Activation, _ end: ActivationOutcome.End) -> [String] {
    switch end {
    case .ended(let result):
      return planned.expectation?.differences(from: result, in: topology) ?? []
    case .refused(let reason): return planned.expectation == nil ? [] : ["refused: \(reason)"]
    case .unfinished(let state):
      return runsFullTime ? [] : ["not over: \(state?.name ?? "not on the ledger")"]
    }
  }
}
