import Messages

extension CustomerCore {
  /// How far one planned activation has come, for whoever reports on it.
  public struct Progress: Hashable, Sendable {
    public let label: String
    /// Nil before it was ordered, and for an order that was refused before it had an id.
    public let activation: ActivationID?
    /// For people.
    public let stage: String
    /// Why it never became an activation of the ledger, if it did not.
    public let refusal: String?
  }

  /// Of every planned activation, in the order of the plan.
  public var progress: [Progress] {
    purchases.map { purchase in
      let refusal: String? = if case .refused(let reason) = purchase.stage { reason } else { nil }
      return Progress(
        label: purchase.plan.label, activation: purchase.stage.activation, stage: purchase.stage.name, refusal: refusal)
    }
  }
}
