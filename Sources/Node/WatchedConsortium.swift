import Assembly
import Bus
import Effects
import Hosting
import Logging
import Messages
import ServiceLifecycle
import Synchronization
import Topology

/// A consortium whose nodes somebody else started, on whatever hosts: followed over the bus with the key of a set's
/// client bundle, which may ask what anybody may ask. The ledger is executed again, block by block; which activation
/// became of which order the customers say.
public actor WatchedConsortium: RunningConsortium {
  public nonisolated let observations: AsyncStream<(ActorAddress, Observation)>
  public nonisolated let genesis: Genesis
  public nonisolated let isNew = true

  private let deployment: Deployment
  private let auditor: LedgerAuditor
  private let inquiry: CustomerInquiry
  private let changes: Changes
  private let run: ServiceRun

  /// - Parameter keys: the client bundle.
  public static func start(
    _ topology: Topology, keys: String, handlesSignals: Bool = true, logger: Logger
  ) async throws(NodeError) -> WatchedConsortium {
    let bundle = try KeyBundle(keys, of: KeyBundles.client, topology)
    let bus = try await BusClient.connect(bundle)
    do throws(NodeError) {
      let watched = try WatchedConsortium(bundle, bus, handlesSignals: handlesSignals, logger: logger)
      await watched.run.start()
      return watched
    } catch {
      await bus.shutdown()
      throw error
    }
  }

  private init(_ bundle: KeyBundle, _ bus: Bus, handlesSignals: Bool, logger: Logger) throws(NodeError) {
    genesis = bundle.genesis
    deployment = try bundle.deployment()
    let changes = Changes()
    let (observations, stream) = AsyncStream.makeStream(
      of: (ActorAddress, Observation).self, bufferingPolicy: .bufferingOldest(Consortium.maximumBufferedObservations))
    let auditor = try LedgerAuditor.following(
      bundle.genesis, deployment.validators(), over: bus
    ) { changes.tell() }
    let tell = auditor.tell
    let inquiry = CustomerInquiry(deployment, over: bus) { actor, observation in
      stream.yield((actor, observation))
    } news: {
      // Whatever height there is: a client hears of none until it asks.
      tell.yield(.max)
      changes.tell()
    }
    self.observations = observations
    self.auditor = auditor
    self.inquiry = inquiry
    self.changes = changes
    run = ServiceRun([auditor, inquiry], handlesSignals: handlesSignals, logger: logger) {
      await bus.shutdown()
      stream.finish()
      changes.finish()
    }
  }

  public func untilSettled() async throws {
    var watch = SettlementWatch(deployment.topology.customers)
    for await _ in changes.stream() {
      if await watch.isSettled(auditor, plans: { await inquiry.progress(of: $0) }) { return }
    }
    if !Task.isCancelled { try await untilStopped() }
    throw CancellationError()
  }

  public func untilStopped() async throws(NodeError) { try await run.untilStopped() }
  public func stop() async throws(NodeError) { try await run.stop() }

  public func summary() async -> ConsortiumSummary {
    // What edges drop they tell their own nodes only.
    await ConsortiumSummary(deployment, auditor, await inquiry.progress, nil)
  }

  public func traffic() async -> CarriedTraffic? { nil }
}

/// Asks every customer, again and again, how far its plan has come.
private actor CustomerInquiry: Service {
  private static let address = ActorAddress(.client, "watch")
  private static let interval = Duration.milliseconds(500)
  private static let deadline = Span.seconds(2)

  private let deployment: Deployment
  private let bus: Bus
  private let observe: @Sendable (ActorAddress, Observation) -> Void
  private let news: @Sendable () -> Void
  private var plans: [String: [PlanProgress]] = [:]

  init(
    _ deployment: Deployment, over bus: Bus, observe: @escaping @Sendable (ActorAddress, Observation) -> Void,
    news: @escaping @Sendable () -> Void
  ) {
    self.deployment = deployment
    self.bus = bus
    self.observe = observe
    self.news = news
  }

  func progress(of customer: String) -> [PlanProgress] { plans[customer] ?? [] }

  /// In file order.
  var progress: [(customer: String, plans: [PlanProgress])] {
    deployment.topology.customers.map { ($0.name, plans[$0.name] ?? []) }
  }

  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      while true {
        await withTaskGroup(of: Void.self) { group in
          for customer in self.deployment.topology.customers where !customer.activations.isEmpty {
            group.addTask { await self.ask(customer) }
          }
        }
        self.news()
        try await Task.sleep(for: Self.interval)
      }
    }
  }

  /// Who does not answer is asked again.
  private func ask(_ customer: Topology.Customer) async {
    let address = ActorAddress(.customer, customer.name)
    guard
      let answer = try? await bus.request(
        from: Self.address, to: address, body: Message.getStatus.encoded, deadline: Self.deadline),
      case .status(let items) = try? Message(decoding: answer)
    else { return }
    let values = Dictionary(items.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    let told = customer.activations.map { planned in
      PlanProgress(
        activation: values["activation.\(planned.name)"].flatMap { ActivationID(hexadecimal: $0) },
        stage: values["purchase.\(planned.name)"] ?? "not ordered", refusal: values["refusal.\(planned.name)"])
    }
    for (index, (planned, plan)) in zip(customer.activations, told).enumerated() {
      guard let id = plan.activation, plans[customer.name]?[index].activation == nil else { continue }
      let contract = planned.contract.flatMap { deployment.terms($0)?.id } ?? ContractID(value: .zero)
      observe(address, .activation(id, .submitted(label: planned.name, contract: contract, customer: customer.name)))
    }
    plans[customer.name] = told
  }
}
