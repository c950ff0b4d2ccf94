import Effects
import Messages
import Signing

/// Reads the ledger for one party, or for all parties of a process at once: a block costs the process one reading, and
/// each of thousands only what the block says about it.
///
/// Like the follower in it a part of a core: of the one that reads. It hands the others their shares by
/// ``Effect/tell(_:)``.
struct LedgerFeed: Sendable {
  private var follower: LedgerFollower
  private var routes: NoticeRoutes
  private let readers: [ActorAddress]

  /// - Parameter readers: whoever reads first.
  init(genesis: Genesis, sources: [ActorAddress], readers: [LedgerReader]) {
    follower = LedgerFollower(genesis: genesis, sources: sources)
    routes = NoticeRoutes(readers)
    self.readers = readers.map(\.address)
  }

  var subscriptions: [Subscription] { follower.subscriptions }

  mutating func start(_ turn: inout Turn, _ numbers: inout RequestNumbers) { follower.start(&turn, &numbers) }

  mutating func timer(_ turn: inout Turn, _ numbers: inout RequestNumbers) { follower.timer(&turn, &numbers) }

  /// A published segment.
  mutating func published(
    _ segment: LedgerSegment, _ turn: inout Turn, _ numbers: inout RequestNumbers
  ) -> [LedgerNews] {
    take(follower.published(segment, &turn, &numbers), &turn)
  }

  /// The answer to a request; nil when it was not this feed's.
  mutating func response(
    _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>, _ turn: inout Turn,
    _ numbers: inout RequestNumbers
  ) -> [LedgerNews]? {
    let hadCaughtUp = follower.hasCaughtUp
    guard let blocks = follower.response(id, result, &turn, &numbers) else { return nil }
    var news = take(blocks, &turn)
    if follower.hasCaughtUp, !hadCaughtUp { news += tell(of: follower.tip, routes.shares(of: .caughtUp), &turn) }
    return news
  }

  private mutating func take(_ blocks: [Block], _ turn: inout Turn) -> [LedgerNews] {
    var news: [LedgerNews] = []
    for block in blocks {
      let tip = LedgerTip(height: block.header.height, hash: block.hash, time: block.header.time)
      news += tell(of: tip, routes.shares(of: block), &turn)
    }
    return news
  }

  private func tell(of tip: LedgerTip, _ shares: [LedgerNews.Share], _ turn: inout Turn) -> [LedgerNews] {
    let news = LedgerNews(tip: tip, readers: readers, shares: shares)
    if readers.count > 1 { turn.add(.tell(news)) }
    return [news]
  }
}

extension LedgerNews {
  /// What concerns the one who reads.
  var own: [LedgerNotice] { shares.first.flatMap { $0.reader == 0 ? $0.notices : nil } ?? [] }
}
