import Messages

/// Everything a bus is told before it starts.
public struct BusConfiguration: Sendable {
  /// This bus's own CURVE keys; needed for `tcp://` only.
  public var keys: CurveKeyPair?
  /// Who may connect over `tcp://`, and as whom, until ``Bus/admit(_:)`` or ``Bus/revoke(_:)`` says otherwise.
  public var admissions: [Admission]
  public var limits: BusLimits
  public var socketOptions: SocketOptions

  public init(
    keys: CurveKeyPair? = nil, admissions: [Admission] = [], limits: BusLimits = BusLimits(),
    socketOptions: SocketOptions = SocketOptions()
  ) {
    self.keys = keys
    self.admissions = admissions
    self.limits = limits
    self.socketOptions = socketOptions
  }
}

/// The actors somebody may speak for.
public struct Claims: Hashable, Sendable {
  public let addresses: Set<ActorAddress>
  /// Roles of which any name may be claimed: contracts come and go while their host stays.
  public let roles: Set<ActorAddress.Role>

  public static let anybody = Claims([], anyOf: Set(ActorAddress.Role.allCases))

  public init(_ addresses: Set<ActorAddress>, anyOf roles: Set<ActorAddress.Role> = []) {
    self.addresses = addresses
    self.roles = roles
  }

  func permit(_ address: ActorAddress) -> Bool { roles.contains(address.role) || addresses.contains(address) }
}

/// One enrolled CURVE key and the actors its holder may speak for. A connection with this key that claims another
/// actor's address is answered `.permissionDenied` and counted.
public struct Admission: Sendable {
  public let key: CurvePublicKey
  public let claims: Claims

  public init(_ key: CurvePublicKey, as addresses: Set<ActorAddress>, anyOf roles: Set<ActorAddress.Role> = []) {
    self.key = key
    claims = Claims(addresses, anyOf: roles)
  }
}

/// The bounds of one bus. Each names what happens when it is reached.
public struct BusLimits: Sendable {
  /// One message body. Longer: the sender gets `.invalidArgument`, a receiver refuses and counts.
  public var maximumBodyBytes = 16 << 20
  /// Own requests waiting for an answer, over all actors. More: `.tooManyRequests`.
  public var maximumPendingRequests = 16_384
  /// Requests being served by local actors, over all. More: the asker gets `.tooManyRequests`.
  public var maximumOpenTickets = 16_384
  /// The same for one connection from another process, over all local actors: whoever floods fills neither the tickets
  /// nor any mailbox for the others. More: the asker gets `.tooManyRequests`.
  public var maximumTicketsPerConnection = 4_096
  /// Requests waiting for one peer's connection. More: `.unavailable`.
  public var maximumQueuedPerPeer = 4_096
  /// Requests and publications handed over and not yet taken by the socket thread. More: `.tooManyRequests`, or
  /// ``BusError/limitReached(_:)`` for a publication.
  public var maximumQueuedCommands = 65_536
  /// Nobody waits longer for an answer; longer deadlines are cut to this.
  public var maximumDeadline = Span.seconds(3600)
  public var maximumActors = 16_384
  /// Enrolled CURVE keys. More: ``BusError/limitReached(_:)``.
  public var maximumAdmissions = 65_536
  public var maximumPeers = 256
  public var maximumSubscriptions = 65_536
  /// Recent messages a publisher keeps per topic for subscribers that missed some; the oldest leave first.
  public var keptMessages = 1_024
  /// The same in bytes; the newest message is always kept.
  public var keptBytes = 32 << 20
  /// Messages a subscription holds while an earlier one is being fetched. More are dropped and fetched later.
  public var heldMessages = 512
  /// The same in bytes.
  public var heldBytes = 8 << 20
  /// Messages in one answer to a fetch.
  public var fetchedMessages = 128
  /// Bytes of bodies in one answer to a fetch; one message is always allowed.
  public var fetchedBytes = 1 << 20
  /// How long one fetch may take.
  public var fetchDeadline = Span.seconds(2)
  /// Failed fetches in a row after which the missing messages are given up and reported as a gap.
  public var fetchAttempts = 3
  /// A publisher announces itself at least every two seconds; one not heard for this long has died or moved, and is
  /// asked for its position.
  public var silence = Span.seconds(5)
  /// Messages read from one socket before the next one gets its turn.
  public var messagesPerTurn = 256

  public init() {}
}
