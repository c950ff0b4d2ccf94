import Effects
import Messages
import Synchronization

/// Where the roles of one process that read the ledger through one of them are told of it. Whom a block concerns is
/// woken; the others find the ledger's height here when they handle something else: a block costs them nothing.
///
/// What waits for a reader is what the ledger says about it alone, so nobody can fill another's place here.
public final class LedgerDesk: Sendable {
  private struct State {
    var tip: LedgerTip?
    var waiting: [ActorAddress: [(tip: LedgerTip, notices: [LedgerNotice])]] = [:]
    var bells: [ActorAddress: AsyncStream<Void>.Continuation] = [:]
  }

  private let state = Mutex(State())

  public init() {}

  /// One element whenever something may wait for this reader; ends with the task that iterates it.
  func bell(for reader: ActorAddress) -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    state.withLock { $0.bells[reader] = continuation }
    continuation.onTermination = { [weak self] _ in
      self?.state.withLock { $0.bells[reader] = nil }
    }
    // What came before.
    continuation.yield()
    return stream
  }

  /// In one step: no reader finds a height and misses what was said below it.
  func tell(_ news: LedgerNews) {
    let bells = state.withLock { state in
      var bells: [AsyncStream<Void>.Continuation] = []
      for share in news.shares where share.reader > 0 && share.reader < news.readers.count {
        let reader = news.readers[share.reader]
        state.waiting[reader, default: []].append((news.tip, share.notices))
        if let bell = state.bells[reader] { bells.append(bell) }
      }
      state.tip = news.tip
      return bells
    }
    for bell in bells { bell.yield() }
  }

  /// What has been told since, as events in order; the last is of the newest block.
  /// - Parameter height: what the reader knows of; as high as it gets afterwards.
  func take(for reader: ActorAddress, above height: inout Height) -> [Event] {
    let (waiting, tip) = state.withLock { ($0.waiting.removeValue(forKey: reader) ?? [], $0.tip) }
    var events = waiting.map { Event.ledger($0.tip, $0.notices) }
    let told = waiting.last?.tip.height ?? height
    if let tip, tip.height > told { events.append(.ledger(tip, [])) }
    height = max(height, told, tip?.height ?? 0)
    return events
  }
}
