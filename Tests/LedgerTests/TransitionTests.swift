import FixtureSupport
import Ledger
import Messages
import Signing
import Testing

/// sla.md, "The activation": every state × every event, as a text that a person can read and a change of behaviour
/// cannot miss.
@Suite struct TransitionTests {
  @Test func everyStateMeetsEveryEvent() throws {
    var lines: [String] = []
    for situation in TransitionSituation.allCases {
      let (world, id) = try situation.world()
      for event in TransitionEvent.allCases {
        lines.append("\(situation.rawValue) · \(event.rawValue) → \(try outcome(of: event, on: id, world))")
      }
    }
    // Every way to end is among the outcomes, by its name.
    for name in StatusInfo.allCases.map(\.name) + SettlementKind.allCases.map(\.name) {
      #expect(lines.contains { $0.contains(" \(name) ") }, "nothing ends \(name)")
    }
    try Fixtures.check(
      "ledger-transitions",
      about: "sla.md, the activation: situation · event → code and what became of it. E = 107, B = 70: 10 epochs at"
        + " 10, fee 7; one rule at 3, termination penalty 40. The dearer contract takes 20 for an epoch.",
      lines)
  }

  private func outcome(of event: TransitionEvent, on id: ActivationID, _ before: World) throws -> String {
    var world = before
    var result: TransactionResult?
    if let (action, author) = try event.action(on: id, world) {
      result = try world.send(action, by: author, after: .milliseconds(2))
    } else {
      try world.passDeadlines(to: world.state.time + .seconds(200))
    }
    let after = world.state.activation(id)
    if let result, result != .accepted {
      // The block took a nonce and moved the clock; nothing else may have changed.
      #expect(after == before.state.activation(id), "a refused transaction left something behind")
      #expect(world.state.totals == before.state.totals)
      #expect(world.last?.outcomes.events == [])
      #expect(world.state.freeze(of: id) == before.state.freeze(of: id))
    }
    if after == before.state.activation(id) { return result?.name ?? "unchanged" }
    let frozen = world.state.freeze(of: id).map { $0 != before.state.freeze(of: id) } ?? false
    return Self.describe(after?.change ?? world.ended(id), after) + (frozen ? ", frozen" : "")
  }

  /// Nothing is missing in the table: all actions that name an activation are among the events.
  @Test func allActionsAreAmongTheEvents() throws {
    let (world, id) = try TransitionSituation.activated.world()
    let numbers = Set(try TransitionEvent.allCases.compactMap { try $0.action(on: id, world)?.0.number })
    #expect(numbers.sorted() == [10, 11, 12, 13, 14, 15, 16, 18, 21, 22, 23, 24, 25, 33])
  }

  private static func describe(_ change: ActivationChange?, _ live: ActivationRecord?) -> String {
    guard let change else { return "gone without a trace" }
    var words = [change.state.name]
    if let end = change.endsAt, let start = live?.reservation?.startAt {
      words.append("until \((end - start).nanoseconds / 1_000_000) ms")
    }
    if let info = change.statusInfo { words.append(info.name) }
    if let settlement = change.settlement { words.append(settlement.name) }
    words.append("\(change.epochs) epochs")
    if change.segmentFrom > 0 { words.append("(a segment from \(change.segmentFrom) on)") }
    if let handover = live?.reservation?.handovers.last { words.append("\(handover.cell) from \(handover.from) on") }
    if change.answerBy != nil { words.append("a demand waits") }
    if let posted = change.posted { words.append("epoch \(posted) posted") }
    let money = change.money
    if change.state.isFinal {
      words.append("paid \(money.paid), refunded \(money.refunded), penalty \(money.penalty)")
    } else {
      words.append("E \(money.escrow), B \(money.bond)")
    }
    return words.joined(separator: " ")
  }
}
