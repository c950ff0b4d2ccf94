import Hosting
import Logging
import Messages
import Node
import Topology

/// One run of `ajit up` or `ajit watch`: starts the consortium, or finds it, shows it, waits for the end that was asked
/// for, stops what it started, and reports.
struct UpRun {
  let topology: Topology
  let subject: Subject
  let terminal: Terminal
  let isJSON: Bool
  let log: AsyncStream<ScreenLog.Line>
  let endOfLog: @Sendable () -> Void
  /// Between two lines about what was carried so far; nil for none.
  var trafficInterval: Span?

  enum Subject {
    case started(ConsortiumConfiguration)
    /// By others; with the client bundle in this directory.
    case watched(keys: String, Logger)

    var text: String {
      switch self {
      case .started(let configuration): "starting in \(configuration.dataDirectory)"
      case .watched(let keys, _): "watching with \(keys)"
      }
    }

    /// Customers with plans that nobody here waits for.
    var plansElsewhere: [(customer: String, node: String)] {
      if case .started(let configuration) = self { configuration.plansElsewhere } else { [] }
    }

    var dataDirectory: String? {
      if case .started(let configuration) = self { configuration.dataDirectory } else { nil }
    }

    /// Faults of the file that nobody here can show.
    func faultsNotPlayed(_ topology: Topology) -> Int {
      guard case .started(let configuration) = self else { return 0 }
      return topology.faults.filter { configuration.extent != .spread || $0.places == .simulated }.count
    }
  }

  enum StopCondition: Equatable {
    case settled
    case after(Span)
    /// By a signal.
    case told
  }

  private enum Ending {
    case asPlanned
    /// By a signal, before what was waited for.
    case interrupted
  }

  /// Between two frames of the live table.
  private static let frameInterval = Duration.milliseconds(200)

  func go(stoppingWhen condition: StopCondition) async throws -> CommandStatus {
    if condition == .settled { try requireOwnPlans() }
    let screen = ScenarioScreen(
      topology, mode: .init(json: isJSON, terminal), terminal: terminal, start: WallClock.now())
    let logging = Task {
      for await line in log {
        await screen.tell(News(line.level >= .warning ? .warning : .log, line.text), at: WallClock.now())
      }
    }
    await tell("\(topology.name): \(subject.text)", screen)
    let ending: Ending
    let report: ScenarioReport
    do {
      (ending, report) = try await run(condition, screen)
    } catch {
      await screen.close(at: WallClock.now())
      endOfLog()
      await logging.value
      throw error
    }
    await screen.close(at: WallClock.now())
    endOfLog()
    await logging.value
    return try finish(ending, report, condition)
  }

  private func run(
    _ condition: StopCondition, _ screen: ScenarioScreen
  ) async throws -> (Ending, ScenarioReport) {
    let start = WallClock.now()
    let consortium = try await begin()
    let listening = Task {
      for await (actor, observation) in consortium.observations {
        // The node's log has it already, with what its supervisors have to say.
        if case .note = observation { continue }
        await screen.take(actor, observation, at: WallClock.now())
      }
    }
    let watching = Task {
      guard let spread = consortium as? SpreadConsortium else { return }
      for await event in spread.nodeEvents { await screen.tell(News(event), at: WallClock.now()) }
    }
    let drawing = Task {
      while !Task.isCancelled {
        await screen.draw(at: WallClock.now())
        try? await Task.sleep(for: Self.frameInterval)
      }
    }
    let metering = Task {
      guard let trafficInterval else { return }
      while (try? await Task.sleep(for: .nanoseconds(trafficInterval.nanoseconds))) != nil {
        if let traffic = await consortium.traffic() { await screen.tell(News(traffic), at: WallClock.now()) }
      }
    }
    defer {
      drawing.cancel()
      metering.cancel()
    }
    await announce(try await resumed(consortium, screen), screen)
    let ending = try await wait(condition, consortium)
    await tell(ending == .interrupted ? "stopping, as told" : "stopping", screen)
    try await consortium.stop()
    await listening.value
    await watching.value
    var report = try await report(consortium)
    report.traffic = await consortium.traffic()
    let isStruck = await (consortium as? SpreadConsortium)?.hasBeenStruck ?? false
    report.isInterrupted = isStruck || !consortium.isNew && report.foundUnfinished(at: start)
    return (ending, report)
  }

  // MARK: Starting and stopping

  /// Waiting for what only others know would never end, and ending at once is not what was meant.
  private func requireOwnPlans() throws {
    let elsewhere = subject.plansElsewhere
    let own = topology.customers.filter { customer in
      !customer.activations.isEmpty && !elsewhere.contains { $0.customer == customer.name }
    }
    guard let first = elsewhere.first, own.isEmpty else { return }
    throw CommandFailure(
      .usage,
      "--until-settled: every activation is planned for a customer whose node somebody else starts "
        + "(\(first.customer) in \(first.node)): use --for, or stop it with Ctrl-C, and see the end with `ajit watch`")
  }

  private func begin() async throws -> any RunningConsortium {
    switch subject {
    case .started(let configuration) where configuration.extent == .spread:
      try await SpreadConsortium.start(configuration)
    case .started(let configuration): try await Consortium.start(configuration)
    case .watched(let keys, let logger): try await WatchedConsortium.start(topology, keys: keys, logger: logger)
    }
  }

  /// Tells the screen what an earlier run had ordered.
  private func resumed(_ consortium: any RunningConsortium, _ screen: ScenarioScreen) async throws -> Int {
    let orders = await consortium.summary().activations.compactMap { activation in
      activation.id.map { (label: activation.label, customer: activation.customer, id: $0) }
    }
    await screen.resume(orders)
    return orders.count
  }

  private func announce(_ resumed: Int, _ screen: ScenarioScreen) async {
    let who = [
      Wording.counted(topology.operators.count, "operator"), Wording.counted(topology.regulators.count, "regulator"),
      Wording.counted(topology.customers.count, "customer"),
      Wording.counted(topology.customers.reduce(0) { $0 + $1.enclaves.count }, "enclave"),
    ].joined(separator: ", ")
    await tell("running: \(who)", screen)
    for (customer, node) in subject.plansElsewhere {
      await tell("not waited for: what \(customer) plans, because its node \(node) is started by somebody else", screen)
    }
    let idle = subject.faultsNotPlayed(topology)
    if idle > 0 {
      await tell("not played here: \(Wording.counted(idle, "fault")) of the file; `ajit simulate` plays all", screen)
    }
    if resumed > 0 { await tell("resuming: \(Wording.counted(resumed, "activation")) ordered before", screen) }
  }

  private func wait(_ condition: StopCondition, _ consortium: any RunningConsortium) async throws -> Ending {
    switch condition {
    case .settled:
      do { try await consortium.untilSettled() } catch is CancellationError { return .interrupted }
      return .asPlanned
    case .told:
      try await consortium.untilStopped()
      return .asPlanned
    case .after(let span):
      return try await withThrowingTaskGroup(of: Ending.self) { group in
        group.addTask {
          try await consortium.untilStopped()
          return .interrupted
        }
        group.addTask {
          try await Task.sleep(for: .nanoseconds(span.nanoseconds))
          return .asPlanned
        }
        let ending = try await group.next() ?? .asPlanned
        // The other one ends with the consortium, or by the cancellation of its sleep.
        try await consortium.stop()
        group.cancelAll()
        return ending
      }
    }
  }

  private func tell(_ text: String, _ screen: ScenarioScreen) async {
    await screen.tell(News(.phase, text), at: WallClock.now())
  }

  // MARK: Reporting

  private func report(_ consortium: any RunningConsortium) async throws -> ScenarioReport {
    let summary = await consortium.summary()
    guard let directory = subject.dataDirectory else {
      let genesis = (consortium as? WatchedConsortium)?.genesis
      return ScenarioReport(topology, summary, start: genesis?.time ?? .zero, milestones: [:])
    }
    let stored = try StoredConsortium.read(directory)
    return ScenarioReport(
      topology, summary, start: stored.genesis.time, milestones: try milestones(stored, through: summary.height))
  }

  /// Times and counter-offers as the ledger has them, so that a resumed scenario reports the same as an undisturbed
  /// one. From the first member that has all of it: one that was down at the end has not.
  private func milestones(
    _ stored: StoredConsortium, through height: Height
  ) throws -> [ActivationID: ScenarioReport.Milestones] {
    var best: (height: Height, milestones: [ActivationID: ScenarioReport.Milestones])?
    for (member, path) in stored.blockLogs {
      guard let replay = try? LedgerReplay(stored, BlockLog(member: member, path: path)) else { continue }
      if best.map({ replay.state.height > $0.height }) ?? true { best = (replay.state.height, replay.milestones) }
      if replay.state.height >= height { break }
    }
    return best?.milestones ?? [:]
  }

  private func finish(
    _ ending: Ending, _ report: ScenarioReport, _ condition: StopCondition
  ) throws -> CommandStatus {
    var report = report
    let goesOn = ending == .interrupted || condition == .told
    report.isPartial = goesOn && !report.isSettled
    if isJSON {
      try JSONLine.print(ResultLine(report, data: subject.dataDirectory))
    } else {
      Terminal.write(lines: ScenarioTables(report: report, terminal: terminal).lines())
    }
    guard report.isPartial else { return report.status }
    if subject.dataDirectory != nil {
      Terminal.printError(
        "stopped before the end: `ajit up` with the same file and data directory, without --fresh, goes on from here")
    }
    // Who asked for no end has got what was asked for.
    return !report.complaints.isEmpty ? .notAsExpected : condition == .told ? .asExpected : .interrupted
  }
}

extension ScenarioReport {
  init(
    _ topology: Topology, _ summary: ConsortiumSummary, start: Instant, milestones: [ActivationID: Milestones]
  ) {
    let planned = topology.customers.flatMap { customer in customer.activations.map { (customer.name, $0) } }
    let activations = zip(planned, summary.activations).map { planned, activation in
      let end: End =
        switch activation.outcome {
        case .underWay(let stage): .underWay(stage)
        case .refused(let reason): .refused(reason)
        case .elsewhere(let node): .elsewhere(node: node)
        case .ended(let result): .ended(result)
        }
      return Activation(
        planned: planned.1, customer: planned.0, topology: topology, id: activation.id,
        end: end, milestones: activation.id.flatMap { milestones[$0] } ?? .init())
    }
    self.init(
      name: topology.name, activations: activations, height: summary.height, isConserved: summary.isConserved,
      problems: summary.discrepancy.map { ["the ledger does not hold: \($0)"] } ?? [], origin: start)
  }
}
