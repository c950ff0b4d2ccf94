import Effects
import Messages

/// Word of the last record, from the anchor to the other serving edges: each holds a gate that waits for it. The
/// enclave's submission is acknowledged once all know of the record, or their patience is over, so an enclave that has
/// its acknowledgement in time may rely on every gate.
struct EdgeNotices: Sendable {
  /// One that does not know yet.
  struct Notice: Sendable {
    let edge: ActorAddress
    var askAt: Instant
    var isUnderWay = false
  }

  let epoch: EpochNumber
  private let until: Instant
  private var notices: [Notice]
  /// The enclave's submission, where it waits; the latest only.
  private(set) var token: ReplyToken?
  private var isAcknowledged = false

  init(of epoch: EpochNumber, to edges: [ActorAddress], patience: Span, at now: Instant) {
    self.epoch = epoch
    notices = edges.map { Notice(edge: $0, askAt: now) }
    until = now + (edges.isEmpty ? .zero : patience)
  }

  var nextDue: Instant? {
    let asking = notices.lazy.filter { !$0.isUnderWay }.map(\.askAt).min()
    return [asking, isAcknowledged ? nil : until].compactMap { $0 }.min()
  }

  /// The enclave waits for its record to be acknowledged.
  /// - Returns: false when it is acknowledged already.
  mutating func wait(_ token: ReplyToken) -> Bool {
    guard !isAcknowledged else { return false }
    self.token = token
    return true
  }

  /// Whether the record is to be acknowledged now; once.
  mutating func takeAcknowledgement(at now: Instant) -> Bool {
    guard !isAcknowledged, notices.isEmpty || until <= now else { return false }
    isAcknowledged = true
    return true
  }

  /// Whom to tell now.
  mutating func take(at now: Instant) -> [ActorAddress] {
    var due: [ActorAddress] = []
    for index in notices.indices where !notices[index].isUnderWay && notices[index].askAt <= now {
      notices[index].isUnderWay = true
      due.append(notices[index].edge)
    }
    return due
  }

  mutating func told(_ edge: ActorAddress) { notices.removeAll { $0.edge == edge } }

  mutating func notTold(_ edge: ActorAddress, askAt: Instant) {
    guard let index = notices.firstIndex(where: { $0.edge == edge }) else { return }
    notices[index].isUnderWay = false
    notices[index].askAt = askAt
  }
}
