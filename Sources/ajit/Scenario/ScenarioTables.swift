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
    if let traffic = report.traffic { lines.append(terminal.styled(Wording.carried(traffic), .dim)) }
    lines += report.notes.flatMap { VisibleText.wrapped($0, to: terminal.tableWidth) }
    lines.append(
      report.isConserved
        ? terminal.styled("money conserved", .green) + " at height \(report.height)"
        : terminal.styled("money NOT conserved", .red))
    let complaints = report.complaints
    if complaints.isEmpty, !report.isSettled {
      let over = report.activations.count { !$0.isUnderWay }
      lines.append("as expected so far: \(over) of \(report.activations.count) activations are over")
    } else if complaints.isEmpty, !report.notes.isEmpty {
      lines.append(terminal.styled("settled", .green) + " after an interruption: every activation is over")
    } else if complaints.isEmpty {
      let whose = report.activations.contains(where: \.isElsewhere) ? "every activation of ours" : "every activation"
      lines.append(terminal.styled("as expected", .green) + ": \(whose) ended as the topology says")
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
        return "+\(Wording.clock(instant - ordered))"
      }
      table.add([
        Table.Cell(activation.label), state(activation),
        Table.Cell(result?.statusInfo?.name ?? "–"),
        Table.Cell(ordered.map { Wording.clock($0 - report.origin) } ?? "–"),
        milestones.startAt == nil ? "–" : since(milestones.answeredAt), since(milestones.startAt),
        since(milestones.endedAt),
      ])
    }
    let legend = "times in seconds: ordered since the network began, the others since the order"
    return table.lines(width: terminal.tableWidth, terminal) + [terminal.styled(legend, .dim)]
  }

  /// How it was settled is said when it is not the usual way.
  private func state(_ activation: ScenarioReport.Activation) -> Table.Cell {
    switch activation.end {
    case .ended(let result):
      let kind = result.settlement.flatMap { $0 == .agreed ? nil : " \($0.name.lowercased())" } ?? ""
      return Table.Cell(result.state.name + kind, Wording.style(result.state))
    case .refused(let reason): return Table.Cell("refused: \(reason)", .red)
    case .elsewhere(let node): return Table.Cell("in \(node), not ours", .dim)
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

  /// Epochs by outcome, then every rule's verdicts, then why some could not be given; a table for each segment.
  private func verdicts(of activation: ScenarioReport.Activation) -> [String] {
    let judged = activation.judged
    return judged.enumerated().flatMap { index, judged in
      let title = index == 0 ? activation.label : "\(activation.label), segment \(index + 1)"
      return (index == 0 ? [] : [""]) + verdicts(of: activation, judged.segment, judged.contract, title)
    }
  }

  private func verdicts(
    of activation: ScenarioReport.Activation, _ segment: ActivationResult.Segment, _ contract: Topology.Contract,
    _ title: String
  ) -> [String] {
    let epochs = segment.epochs
    let hasNotServed = epochs.notServed > 0
    var table = Table(
      [
        .init(title), .init("MET", .right), .init("VIOLATED", .right), .init("INCONCLUSIVE", .right),
        .init("CONTESTED", .right),
      ] + (hasNotServed ? [.init("NOT_SERVED", .right)] : []))
    func cells(_ met: UInt64, _ violated: UInt64, _ inconclusive: UInt64, _ contested: UInt64) -> [Table.Cell] {
      [(met, Verdict.met), (violated, .violated), (inconclusive, .inconclusive), (contested, .contested)].map {
        Table.Cell($0.0, $0.0 == 0 ? .dim : Wording.style($0.1))
      }
    }
    table.add(
      [Table.Cell("epochs", .bold)]
        + cells(epochs.met, epochs.violated, epochs.inconclusive, epochs.contested)
        + (hasNotServed ? [Table.Cell(epochs.notServed, .yellow)] : []))
    var remarks: [(text: String, rules: [String])] = []
    for (rule, counters) in zip(contract.rules, segment.rules) {
      table.add(
        [Table.Cell(rule.name)]
          + cells(counters.met, counters.violated, counters.inconclusive, counters.contested))
      guard let text = activation.remark(on: rule, counters, of: contract) else { continue }
      if let index = remarks.firstIndex(where: { $0.text == text }) {
        remarks[index].rules.append(rule.name)
      } else {
        remarks.append((text, [rule.name]))
      }
    }
    return table.lines(width: terminal.tableWidth, terminal)
      + remarks.flatMap { remark in
        VisibleText.wrapped(
          "\(remark.rules.joined(separator: ", ")): \(remark.text)", to: terminal.tableWidth
        ).map { terminal.styled($0, .yellow) }
      }
  }

  private func counterOffer(_ activation: ScenarioReport.Activation) -> String? {
    guard let reason = activation.milestones.rejection else { return nil }
    let offer = activation.milestones.counterOffer
    return "\(activation.label): NULLIFIED for \(Wording.reason(reason)); \(Wording.counterOffer(offer))"
  }
}
