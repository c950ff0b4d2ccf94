import Messages

/// S12 over the events of final blocks: every activation moves along its life cycle, ends once, and its money adds up
/// (sla.md, "The activation"). Knows nothing of how the ledger decides.
struct LifeCycleCheck {
  private var activations: [ActivationID: ActivationChange] = [:]

  mutating func executed(_ block: Block, at now: Instant, _ violations: inout Violations) {
    for case .activationChanged(let change) in block.body.outcomes.events {
      let before = activations.updateValue(change, forKey: change.activation)
      if let defect = Self.defect(of: change, after: before) {
        violations.add(
          .lifeCycle, "activation \(change.activation) at height \(block.header.height): \(defect)", at: now)
      }
    }
  }

  private static func defect(of change: ActivationChange, after before: ActivationChange?) -> String? {
    guard let before else { return change.state == .requested ? money(change) : "begins as \(change.state.name)" }
    guard isLegal(before.state, change.state) else { return "\(change.state.name) after \(before.state.name)" }
    guard change.money.paid >= before.money.paid, change.money.penalty >= before.money.penalty,
      change.money.refunded >= before.money.refunded
    else { return "takes money back" }
    return money(change)
  }

  private static func isLegal(_ before: ActivationState, _ after: ActivationState) -> Bool {
    switch (before, after) {
    case (.requested, .requested), (.requested, .reserved), (.requested, .nullified): true
    case (.reserved, .reserved), (.reserved, .activated), (.reserved, .closing), (.reserved, .settled): true
    case (.reserved, .nullified): true
    case (.activated, .activated), (.activated, .closing), (.activated, .settled): true
    case (.closing, .closing), (.closing, .settled): true
    default: false
    }
  }

  /// Never more out than in; at the end, all of the escrow.
  private static func money(_ change: ActivationChange) -> String? {
    let money = change.money
    let out = UInt128(money.paid) + UInt128(money.refunded)
    if out > UInt128(money.escrow) { return "\(out) of an escrow of \(money.escrow)" }
    if money.penalty > money.bond { return "a penalty of \(money.penalty) from a bond of \(money.bond)" }
    if change.state.isFinal, out != UInt128(money.escrow) { return "\(out) of an escrow of \(money.escrow) at its end" }
    return nil
  }
}
