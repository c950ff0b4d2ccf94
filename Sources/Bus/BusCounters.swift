/// What a bus has seen since it was made. All counts of events, never reset.
public struct BusCounters: Hashable, Sendable {
  // Requests
  /// Own requests that left.
  public var requestsSent: UInt64 = 0
  /// Requests put into a local mailbox.
  public var requestsDelivered: UInt64 = 0
  /// Answers to own requests, errors included.
  public var answersReceived: UInt64 = 0
  public var answersSent: UInt64 = 0
  /// Answers that came after the deadline or cancellation, or that nobody asked for. Dropped.
  public var lateReplies: UInt64 = 0
  /// Replies of local actors after the asker's deadline, or given twice. Dropped.
  public var repliesWithoutTicket: UInt64 = 0
  /// Tickets whose deadline passed without a reply.
  public var unanswered: UInt64 = 0
  /// Answers whose asker is gone (`ROUTER_MANDATORY`) or whose connection is full.
  public var answersDropped: UInt64 = 0
  public var deadlinesExceeded: UInt64 = 0
  public var cancelled: UInt64 = 0
  /// Own requests that ended without ever leaving: no connection, no route, a full queue.
  public var unavailable: UInt64 = 0

  // Publications
  /// Messages numbered and handed to libzmq.
  public var published: UInt64 = 0
  /// Messages received, per subscriber.
  public var publicationsDelivered: UInt64 = 0
  /// Messages received twice, or of a publisher's earlier life.
  public var publicationsRepeated: UInt64 = 0
  /// Publications that found the subscriber's mailbox full. They are fetched when there is room.
  public var publicationsDeferred: UInt64 = 0
  /// Messages reported to subscribers as lost.
  public var gaps: UInt64 = 0
  /// Messages got by fetching instead of by broadcast.
  public var fetched: UInt64 = 0
  public var fetchesSent: UInt64 = 0
  public var fetchesServed: UInt64 = 0
  public var fetchesFailed: UInt64 = 0
  /// Times a publisher was found to have a new life.
  public var publisherRestarts: UInt64 = 0

  // Refused on arrival
  /// Requests to an actor that is not here.
  public var refusedUnknownActor: UInt64 = 0
  public var refusedMailboxFull: UInt64 = 0
  /// Requests under an address the connection's key may not claim, and publications of an actor that is not routed
  /// to the peer they came from.
  public var refusedClaims: UInt64 = 0
  /// CURVE connections with a key that is not enrolled.
  public var refusedKeys: UInt64 = 0
  /// Frames that do not follow the grammar. No effect, no answer.
  public var malformed: UInt64 = 0
  public var oversize: UInt64 = 0

  /// Everything that went through libzmq, whatever became of it, by kind.
  public var traffic = CarriedTraffic()

  public init() {}
}
