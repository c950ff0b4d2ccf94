import Effects
import Messages
import Topology

/// Shows a scenario while it happens, in one of three ways: a table that is drawn again in place under scrolling
/// lines, plain lines with the time since the start, or JSON lines. Never says anything that an actor has not observed.
actor ScenarioScreen {
  enum Mode: Sendable {
    case live, plain, json

    init(json: Bool, _ terminal: Terminal) { self = json ? .json : terminal.isInteractive ? .live : .plain }
  }

  let mode: Mode
  private let terminal: Terminal
  private let start: Instant
  private(set) var scenario: Scenario
  private var region = LiveRegion()
  /// Lines that the next frame prints for good.
  private var pending: [String] = []
  private var isClosed = false

  init(_ topology: Topology, mode: Mode, terminal: Terminal, start: Instant) {
    scenario = Scenario(topology)
    self.mode = mode
    self.terminal = terminal
    self.start = start
  }

  /// Takes over activations that an earlier run on the same data directory ordered.
  func resume(_ orders: [(label: String, customer: String, id: ActivationID)]) {
    for order in orders { scenario.resume(label: order.label, customer: order.customer, id: order.id) }
  }

  func take(_ actor: ActorAddress, _ observation: Observation, at now: Instant) {
    if let news = scenario.take(actor, observation, at: now) { tell(news, at: now) }
  }

  func tell(_ news: News, at now: Instant) {
    let elapsed = now - start
    switch mode {
    case .json:
      // A closed stdout ends the process by its signal; what cannot be encoded does not exist here.
      try? JSONLine.print(NewsLine(news, elapsed: elapsed))
    case .plain, .live:
      guard news.isForPeople else { return }
      let lines = news.lines(elapsed: elapsed, terminal)
      if mode == .live, !isClosed { pending += lines } else { Terminal.write(lines: lines) }
    }
  }

  /// Draws the live table as it is now, with whatever was told since the last frame above it.
  func draw(at now: Instant) {
    guard mode == .live, !isClosed else { return }
    let (width, height) = terminal.size
    let table = LiveTable(scenario: scenario, terminal: terminal)
    let lines = table.lines(width: width, maximumRows: height - 1, elapsed: now - start)
    Terminal.write(region.frame(lines, above: pending, width: width))
    pending = []
  }

  /// Removes the live table: what comes next is the end.
  func close(at now: Instant) {
    guard mode == .live, !isClosed else { return }
    Terminal.write(region.frame([], above: pending, width: terminal.size.width))
    pending = []
    isClosed = true
  }
}
