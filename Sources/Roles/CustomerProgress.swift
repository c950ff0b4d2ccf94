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
    purchases.filter(\.part.isPayer).map { purchase in
      let refusal: String? = if case .refused(let reason) = purchase.stage { reason } else { nil }
      return Progress(
        label: purchase.part.label, activation: refusal == nil ? purchase.activation : nil,
        stage: purchase.stage.name, refusal: refusal)
    }
  }
}

/// A session as CAMARA's Quality-on-Demand and QoS Booking APIs show it to a user.
enum Availability: String, CustomStringConvertible {
  case requested = "REQUESTED"
  case scheduled = "SCHEDULED"
  case available = "AVAILABLE"
  case unavailable = "UNAVAILABLE"

  var description: String { rawValue }
}

extension CustomerCore.Purchase {
  func availability(at now: Instant) -> Availability {
    switch stage {
    case .planned, .choosing, .inviting, .consented, .ordered, .requested: .requested
    case .settling, .ended, .refused: .unavailable
    case .opening(let service), .serving(let service):
      if isClosing || now >= service.start(of: epochs) {
        .unavailable
      } else {
        now < service.confirmation.startAt ? .scheduled : .available
      }
    }
  }
}

extension CustomerCore.Stage {
  /// For people; of an activation that ended the ledger's state.
  var name: String {
    switch self {
    case .planned: "planned"
    case .choosing: "choosing"
    case .inviting: "inviting"
    case .ordered: "ordered"
    case .consented: "consented"
    case .requested: "requested"
    case .opening: "opening"
    case .serving: "serving"
    case .settling: "settling"
    case .ended(let change): change.state.name
    case .refused(let reason): "refused: \(reason)"
    }
  }
}
