import Messages

/// The table at the bottom of the screen while a scenario runs.
struct LiveTable {
  let scenario: Scenario
  let terminal: Terminal

  /// Characters of a full progress bar.
  private static let barWidth = 12

  /// - Parameter maximumRows: of the screen. What is over gives way first, and is counted.
  func lines(width: Int, maximumRows: Int, elapsed: Span) -> [String] {
    let outcomes = Self.outcomes.filter { outcome in
      outcome.isAlwaysShown || scenario.activations.contains { $0.count(outcome.counter) > 0 }
    }
    var table = Table(
      [.init("activation"), .init("phase"), .init("epochs", .right)] + outcomes.map { .init($0.title, .right) })
    let (shown, hidden) = visible(rows: maximumRows - Self.furniture)
    for progress in shown { table.add(row(progress, outcomes)) }
    var lines = [""] + table.lines(width: width - 1, terminal)
    if hidden > 0 { lines.append(terminal.styled("and \(hidden) more", .dim)) }
    return lines + [terminal.styled(VisibleText.cut(footer(elapsed), to: width - 1), .dim)]
  }

  /// Blank line, header, rule, "and n more", footer.
  private static let furniture = 5

  private func visible(rows: Int) -> (shown: [Scenario.Progress], hidden: Int) {
    let all = scenario.activations
    guard all.count > max(1, rows) else { return (all, 0) }
    // In file order, those under way first.
    let underWay = all.filter { !$0.phase.isOver && $0.phase != .planned }
    let others = all.filter { $0.phase.isOver || $0.phase == .planned }
    let shown = Array((underWay + others).prefix(max(1, rows)))
    return (shown, all.count - shown.count)
  }

  /// What epochs can come to. What has not happened takes no column, but for the first.
  private struct Outcome {
    let title: String
    let counter: KeyPath<EpochCounters, UInt64> & Sendable
    let style: Terminal.Style
    var isAlwaysShown = false
  }

  private static let outcomes = [
    Outcome(title: "MET", counter: \.met, style: .green, isAlwaysShown: true),
    Outcome(title: "VIOLATED", counter: \.violated, style: .red),
    Outcome(title: "INCONCLUSIVE", counter: \.inconclusive, style: .yellow),
    Outcome(title: "CONTESTED", counter: \.contested, style: .yellow),
    Outcome(title: "NOT_SERVED", counter: \.notServed, style: .yellow),
  ]

  private func row(_ progress: Scenario.Progress, _ outcomes: [Outcome]) -> [Table.Cell] {
    [Table.Cell(progress.label), phase(progress), bar(progress)]
      + outcomes.map { outcome in
        let count = progress.count(outcome.counter)
        return count > 0 ? Table.Cell(count, outcome.style) : ""
      }
  }

  private func phase(_ progress: Scenario.Progress) -> Table.Cell {
    if let change = progress.change { return Table.Cell(change.state.name, Wording.style(change.state)) }
    let style: Terminal.Style =
      switch progress.phase {
      case .planned: .dim
      case .refused, .rejected: .yellow
      case .ordered, .requested, .stitched, .reserved, .serving, .delivered, .settling, .ended: .cyan
      }
    return Table.Cell("\(progress.phase)", style)
  }

  /// `███████─────  5/8`
  private func bar(_ progress: Scenario.Progress) -> Table.Cell {
    guard let record = progress.lastRecord, progress.booked > 0 else {
      return Table.Cell(progress.phase == .planned || progress.phase.isOver ? "" : "0/\(progress.booked)", .dim)
    }
    let done = min(record.epoch + 1, progress.booked)
    let filled = Int(UInt64(Self.barWidth) * done / progress.booked)
    let bar = String(repeating: "█", count: filled) + String(repeating: "─", count: Self.barWidth - filled)
    return Table.Cell("\(bar) \(done)/\(progress.booked)")
  }

  private func footer(_ elapsed: Span) -> String {
    let over = scenario.activations.count { $0.phase.isOver }
    return [
      scenario.name, Wording.seconds(elapsed), "height \(scenario.height)",
      Wording.counted(scenario.transactions, "transaction"), "\(over) of \(scenario.activations.count) over",
    ].joined(separator: " · ")
  }
}

extension Scenario.Progress {
  /// Of the last record; 0 before the first.
  fileprivate func count(_ counter: KeyPath<EpochCounters, UInt64>) -> UInt64 {
    lastRecord?.epochCounters[keyPath: counter] ?? 0
  }
}

extension Scenario.Phase {
  var isOver: Bool { self == .ended || self == .refused }
}
