import Messages

/// An own request on its way out.
struct OutgoingRequest: Sendable {
  let kind: CallHeader.Kind
  let from: ActorAddress
  let to: ActorAddress
  let body: [UInt8]
  let deadline: MonotonicInstant
}

/// Who is told what became of an own request.
enum Completion: Sendable {
  case caller(CheckedContinuation<Result<[UInt8], RemoteError>, Never>)
  case mailbox(Mailbox, number: UInt64)
  /// The bus itself: a fetch for a subscription.
  case subscription(Int)
}

/// An own request that waits for its answer.
struct PendingRequest {
  let from: ActorAddress
  let to: ActorAddress
  /// Answers are accepted from this peer only.
  let peer: Int
  let deadline: MonotonicInstant
  let completion: Completion
  let traffic: TrafficKind
  /// False while it waits for a connection: then its deadline means `.unavailable`.
  var hasLeft: Bool
}

/// One connection to one of our listeners.
struct Connection: Hashable {
  let listener: Int
  /// The ROUTER's name for it.
  let identity: [UInt8]
}

/// A request that a local actor was asked and has not answered.
struct OpenTicket {
  let connection: Connection
  let id: UInt64
  let servedBy: ActorAddress
  let asked: TrafficKind
}

/// Where a peer's bus listens, and the key that proves it is that bus.
struct PeerRoute: Hashable, Sendable {
  let endpoint: BusEndpoint
  let serverKey: CurvePublicKey?
}
