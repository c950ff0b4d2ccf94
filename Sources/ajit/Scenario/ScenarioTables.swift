import Messages
import Topology

/// The end of `up` and `simulate`, for people.
struct ScenarioTables {
  let report: ScenarioReport
  let terminal: Terminal

  func lines() -> [String] {
    var lines = [""]
    lines += courses() + [""] + money()
    for activation in report.activations {
      let verdicts = verdicts(of: activation)
      if !verdicts.isEmpty { lines += [""] + verdicts }
    }
    let offers = report.activations.compactMap(counterOffer)
    if !offers.isEmpty { lines += [""] + offers.flatMap { VisibleText.wrapped($0, to: terminal.tableWidth) } }
    lines += [""] + report.remarks
    lines.append(
      report.isConserved
        ? terminal.styled("money conserved", .green) + " at height \(report.height)"
        : terminal.styled("money NOT conserved", .red))
    let complaints = report.complaints
    if complaints.isEmpty, !report.isSettled {
      let over = report.activations.count { !$0.isUnderWay }
      lines.append("as expected so far: \(over) of \(report.activations.count) activations are over")
    } else if complaints.isEmpty {
      lines.append(terminal.styled("as expected", .green) + ": every activation ended as the topology says")
    } else {
      lines.append(terminal.styled("not as expected:", .red))
      lines += complaints.map { "  \($0)" }
    }
    return lines
  }

  // MARK: Tables

  private func courses() -> [String] {
    var table = Table([
      .init("activation"), .init("state"), .init("statusInfo"), .init("ordered", .right), .init("confirmed", .right),
      .init("started", .right), .init("ended", .right),
    ])
    for activation in report.activations {
      let milestones = activation.milestones
      let result = activation.result
      let ordered = milestones.requestedAt
      func since(_ instant: Instant?) -> Table.Cell {
        guard let instant, let ordered else { return "–" }
        return "+\(Wording.clock(instant - ordered)) s"
      }
      table.add([
        Table.Cell(activation.label), state(activation),
        Table.Cell(result?.statusInfo?.name ?? "–"),
        Table.Cell(ordered.map { "\(Wording.clock($0 - report.origin)) s" } ?? "–"),
        milestones.startAt == nil ? "–" : since(milestones.answeredAt), since(milestones.startAt),
        since(milestones.endedAt),
      ])
    }
    return table.lines(width: terminal.tableWidth, terminal)
  }

  private func state(_ activation: ScenarioReport.Activation) -> Table.Cell {
    switch activation.end {
    case .ended(let result):
      let kind = result.settlement.map { " \($0.name.lowercased())" } ?? ""
      return Table.Cell(result.state.name + kind, Wording.style(result.state))
    case .refused(let reason): return Table.Cell("refused: \(reason)", .red)
    case .underWay(let phase): return Table.Cell(phase, .cyan)
    }
  }

  private func money() -> [String] {
    var table = Table([
      .init("activation"), .init("epochs"), .init("escrow", .right), .init("bond", .right), .init("paid", .right),
      .init("refunded", .right), .init("penalty", .right),
    ])
    for activation in report.activations {
      let result = activation.result
      let money = result?.money
      func amount(_ amount: Amount?) -> Table.Cell { amount.map { Table.Cell($0) } ?? "–" }
      table.add([
        Table.Cell(activation.label), Table.Cell(result.map { Wording.epochs($0.epochs) } ?? "–"),
        amount(money?.escrow), amount(money?.bond), amount(money?.paid), amount(money?.refunded),
        money.map { Table.Cell($0.penalty, $0.penalty > 0 ? .red : .plain) } ?? "–",
      ])
    }
    return table.lines(width: terminal.tableWidth, terminal)
  }

  private func verdicts(of activation: ScenarioReport.Activation) -> [String] {
    guard let result = activation.result, !result.rules.isEmpty, let contract = activation.contract else { return [] }
    var table = Table([
      .init("verdicts of \(activation.label)"), .init("MET", .right), .init("VIOLATED", .right),
      .init("INCONCLUSIVE", .right), .init("CONTESTED", .right), .init(""),
    ])
    func cell(_ count: UInt64, _ verdict: Verdict) -> Table.Cell {
      Table.Cell(count, count == 0 ? .dim : Wording.style(verdict))
    }
    for (rule, counters) in zip(contract.rules, result.rules) {
      table.add([
        Table.Cell(rule.name), cell(counters.met, .met), cell(counters.violated, .violated),
        cell(counters.inconclusive, .inconclusive), cell(counters.contested, .contested),
        Table.Cell(activation.remark(on: rule, counters), .yellow),
      ])
    }
    return table.lines(width: terminal.tableWidth, terminal)
  }

  private func counterOffer(_ activation: ScenarioReport.Activation) -> String? {
    guard let reason = activation.milestones.rejection else { return nil }
    let offer = activation.milestones.counterOffer
    return "\(activation.label): NULLIFIED for \(Wording.reason(reason)); \(Wording.counterOffer(offer))"
  }
}
