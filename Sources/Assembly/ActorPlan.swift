import Effects
import Messages

/// One actor of a deployment, ready to be made from whatever its store holds.
public struct ActorPlan: Sendable {
  public enum Store: Sendable, Hashable {
    /// The role keeps nothing.
    case none
    case records
    /// Slices and reservations are rows of the controller's database.
    case controller
  }

  public let address: ActorAddress
  public let store: Store
  /// Local ports whose datagrams this actor gets.
  public let ports: [DataAddress]
  /// Another actor here reads the ledger for this one (``RuntimeInputs/sharesReading``).
  public let isToldOfLedger: Bool
  /// - Throws: when the records cannot be this actor's; the text says what to do.
  public let make: @Sendable (_ recovering: [StoredRecord]) throws -> any RoleCore

  init(
    _ address: ActorAddress, store: Store, ports: [DataAddress] = [], isToldOfLedger: Bool = false,
    make: @escaping @Sendable (_ recovering: [StoredRecord]) throws -> any RoleCore
  ) {
    self.address = address
    self.store = store
    self.ports = ports
    self.isToldOfLedger = isToldOfLedger
    self.make = make
  }
}
