import Messages
import Signing
import Wire

/// A role's whole behaviour: a synchronous value. An event and a time in, effects out. It has no clock, no
/// randomness, no I/O and no log; the node and the simulator are the two interpreters of what it returns.
public protocol RoleCore: Sendable {
  var address: ActorAddress { get }
  /// Whose publications this role needs, fixed for its life.
  var subscriptions: [Subscription] { get }
  /// The one way in. `now` never goes back within one life.
  mutating func handle(_ event: Event, at now: Instant) -> [Effect]
}

public struct Subscription: Hashable, Sendable {
  public let publisher: ActorAddress
  public let topic: Topic
  public init(_ publisher: ActorAddress, _ topic: Topic) {
    self.publisher = publisher
    self.topic = topic
  }
}

/// Identifies a request that this role made; chosen by the role, unused before in its life.
public struct RequestID: Hashable, Sendable {
  public let number: UInt64
  public init(_ number: UInt64) { self.number = number }
}

/// Identifies a request that this role was asked; chosen by the shell. Answered at most once, or never (the asker's
/// deadline then passes).
public struct ReplyToken: Hashable, Sendable {
  public let number: UInt64
  public init(_ number: UInt64) { self.number = number }
}

/// A timer of one role. Setting a timer that is set moves it.
public struct TimerID: Hashable, Sendable {
  /// What the timer is for: each role numbers its own.
  public let purpose: UInt16
  public let index: UInt64
  public init(_ purpose: UInt16, _ index: UInt64 = 0) {
    self.purpose = purpose
    self.index = index
  }
}

/// One UDP datagram of the data plane.
public struct Datagram: Hashable, Sendable {
  /// As an effect: the local port to send from. As an event: who sent it.
  public let source: DataAddress
  /// As an effect: where to. As an event: the local port it came in on.
  public let destination: DataAddress
  /// As an event: when the shell received it. As an effect: ignored.
  public let at: Instant
  public let bytes: [UInt8]

  public static let maximumBytes = 2048

  public init(from source: DataAddress, to destination: DataAddress, at: Instant = .zero, bytes: [UInt8]) {
    self.source = source
    self.destination = destination
    self.at = at
    self.bytes = bytes
  }
}

public enum Event: Sendable {
  /// Once, first, after the core was made from its configuration and its durable records.
  case started
  /// Somebody asks. Answer with `.reply` or `.refuse` and the token, now or later.
  /// `from` is who the connection says is asking.
  case request(ReplyToken, from: ActorAddress, Verified<Message>)
  /// The answer to an own request, or why there is none (`.deadlineExceeded`, `.unavailable` …).
  case response(RequestID, Result<Verified<Message>, RemoteError>)
  /// A publication of a subscribed topic. `gap` counts the messages lost just before this one.
  case published(Subscription, gap: UInt64, Verified<Message>)
  case timer(TimerID)
  /// Datagrams in order of arrival.
  case datagrams([Datagram])
  /// The answer to a `.recall`, keys ascending.
  case recalled(RequestID, [StoredRecord])
  /// What the ledger says, read by another role of this process (``Effect/tell(_:)``): everything that concerns this
  /// role up to there has been told. Without notices the ledger has only moved on.
  case ledger(LedgerTip, [LedgerNotice])
}

/// What a core wants done, in this order. The order is a promise: everything persisted before a message in the list
/// is durable before that message leaves. The records of one list are one commit: a crash leaves all of them or none.
/// A persist that fails stops the node.
///
/// Datagrams alone keep no such order: they are measured to fractions of a millisecond, and a disk may take a second.
/// They leave at once, whatever is being made durable. So a core transmits only what depends on no record, or on
/// records that it has read back (`.recall`): nothing signed goes by datagram.
public enum Effect: Sendable {
  case persist(Record)
  /// Read own durable records back: those of the stream with keys from `from` on, at most `limit`. For what is too
  /// much to keep in memory (old blocks); never needed to decide.
  case recall(RequestID, stream: UInt16, from: UInt64, limit: Int)
  case publish(Topic, Message)
  case request(RequestID, to: ActorAddress, Message, deadline: Span)
  case reply(ReplyToken, Message)
  case refuse(ReplyToken, RemoteError)
  case setTimer(TimerID, at: Instant)
  case cancelTimer(TimerID)
  /// Leaves at once and waits for no record.
  case transmit([Datagram])
  /// Votes of this era's members count as verified from now on: a final block says who they are. What a message itself
  /// proves of eras, the shell learns by verifying it.
  case recognise(EraRecord)
  /// To the other readers of this process, as `.ledger`: whom it concerns in order and at once, all others before their
  /// next event. Waits for no record, as it says nothing of this role's own.
  case tell(LedgerNews)
  /// Something a person or a metric wants to know. Never needed for correctness.
  case observe(Observation)
  /// Stop this node: going on would break a promise.
  case halt(HaltReason)
}

/// A durable record: put or replaced under (stream, key), or a stream cut off below a key. Recovery hands a role all
/// its records but the retired ones, streams ascending and keys ascending within each.
public enum Record: Hashable, Sendable {
  case put(stream: UInt16, key: UInt64, bytes: [UInt8])
  /// Deletes every record of the stream with a smaller key: nobody needs it any more.
  case prune(stream: UInt16, below: UInt64)
  /// Every record of the stream with a smaller key, there or yet to come, is no longer needed for recovery, which may
  /// leave it out; `.recall` still finds it. So a long history costs a start nothing.
  case retire(stream: UInt16, below: UInt64)
}

/// One record as recovery sees it.
public struct StoredRecord: Hashable, Sendable {
  public let stream: UInt16
  public let key: UInt64
  public let bytes: [UInt8]
  public init(stream: UInt16, key: UInt64, bytes: [UInt8]) {
    self.stream = stream
    self.key = key
    self.bytes = bytes
  }
}

/// Why a node must stop. The text says what was found and what a person must do.
public struct HaltReason: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
