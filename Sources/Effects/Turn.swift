import Messages

/// One call of a core's `handle`: the time it runs at and the effects so far, in order.
///
/// Datagrams leave first. A packet depends on nothing that the same turn makes durable: its sequence number was
/// reserved before, and what is counted is signed later. So it never waits for a disk, which would be delay that the
/// path did not cause.
public struct Turn: Sendable {
  public let now: Instant
  private var later: [Effect] = []
  private var leaving: [Datagram] = []

  public init(at now: Instant) { self.now = now }

  public var effects: [Effect] { leaving.isEmpty ? later : [.transmit(leaving)] + later }

  public mutating func add(_ effect: Effect) { later.append(effect) }

  public mutating func transmit(_ datagram: Datagram) { leaving.append(datagram) }

  public mutating func refuse(_ token: ReplyToken, _ code: RemoteError.Code, _ text: String) {
    later.append(.refuse(token, RemoteError(code, text)))
  }

  public mutating func note(_ text: String, _ severity: Observation.Severity = .information) {
    later.append(.observe(.note(severity, text)))
  }

  public mutating func count(_ name: String, by amount: UInt64 = 1) {
    later.append(.observe(.counted(name, by: amount)))
  }
}

/// Numbers for a role's requests: unused before in its life.
public struct RequestNumbers: Sendable {
  private var last: UInt64 = 0

  public init() {}

  public mutating func next() -> RequestID {
    last += 1
    return RequestID(last)
  }
}
