import Messages

/// Why the bus could not be set up as asked. Nothing was changed; a person must change the configuration or the system.
/// (What becomes of a single request is a `RemoteError`.)
public enum BusError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Another process, or this one, already serves this endpoint.
  case addressInUse(BusEndpoint)
  /// The system refused to bind: no such directory, no permission, no such interface. The text is its reason.
  case cannotBind(BusEndpoint, reason: String)
  case cannotConnect(BusEndpoint, reason: String)
  /// A path or host that the system cannot take (see ``BusEndpoint``).
  case illegalEndpoint(BusEndpoint)
  /// `tcp://` is only spoken with CURVE: configure a key pair, and name the server's key in the route.
  case needsKeys(BusEndpoint)
  case alreadyRegistered(ActorAddress)
  /// Only a registered actor has a mailbox to deliver to.
  case notRegistered(ActorAddress)
  /// A named limit of ``BusLimits`` is reached.
  case limitReached(String)
  /// A body above ``BusLimits/maximumBodyBytes``.
  case oversize(bytes: Int, maximum: Int)
  /// Out of descriptors, memory or threads. The text is the system's reason.
  case system(String)
  /// ``Bus/shutdown()`` has begun.
  case closed

  public var description: String {
    switch self {
    case .addressInUse(let endpoint): "\(endpoint) is in use by another process"
    case .cannotBind(let endpoint, let reason): "cannot listen on \(endpoint): \(reason)"
    case .cannotConnect(let endpoint, let reason): "cannot connect to \(endpoint): \(reason)"
    case .illegalEndpoint(let endpoint): "\(endpoint) is not an address this system can use"
    case .needsKeys(let endpoint): "\(endpoint) needs CURVE keys: tcp is never spoken in clear"
    case .alreadyRegistered(let address): "\(address) is already registered on this bus"
    case .notRegistered(let address): "\(address) is not registered on this bus"
    case .limitReached(let name): "the bus has reached its limit \(name)"
    case .oversize(let bytes, let maximum): "a message of \(bytes) bytes is above the limit of \(maximum)"
    case .system(let reason): "the bus got no resources from the system: \(reason)"
    case .closed: "the bus is shut down"
    }
  }
}
