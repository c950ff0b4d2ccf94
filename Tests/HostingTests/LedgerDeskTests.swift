import Effects
import Messages
import Signing
import Testing

@testable import Hosting

/// One role reads the ledger, others of its process are told.
@Suite(.timeLimit(.minutes(1))) struct LedgerDeskTests {
  static let reader = ActorAddress(.customer, "reader")
  static let told = ActorAddress(.customer, "told")

  static func news(_ height: Height, to shares: [Int]) -> LedgerNews {
    LedgerNews(
      tip: LedgerTip(height: height, hash: Digest(hashing: height.encoded), time: .zero), readers: [reader, told],
      shares: shares.map { LedgerNews.Share(reader: $0, notices: [.caughtUp]) })
  }

  static func heights(_ events: [Event]) -> [(Height, Int)] {
    events.compactMap { if case .ledger(let tip, let notices) = $0 { (tip.height, notices.count) } else { nil } }
  }

  @Test func whatConcernsAReaderComesInOrderAndTheRestAsOneHeight() {
    let desk = LedgerDesk()
    var height: Height = 0
    #expect(desk.take(for: Self.told, above: &height).isEmpty)
    for news in [Self.news(1, to: []), Self.news(2, to: [0, 1]), Self.news(3, to: [0]), Self.news(4, to: [])] {
      desk.tell(news)
    }
    let told = Self.heights(desk.take(for: Self.told, above: &height))
    #expect(told.map(\.0) == [2, 4] && told.map(\.1) == [1, 0])
    #expect(height == 4)
    #expect(desk.take(for: Self.told, above: &height).isEmpty)
  }

  @Test func theBellRingsForWhomItConcernsAlone() async {
    let desk = LedgerDesk()
    var bell = desk.bell(for: Self.told).makeAsyncIterator()
    await bell.next()  // What came before.
    desk.tell(Self.news(1, to: [0]))
    desk.tell(Self.news(2, to: [1]))
    await bell.next()
    var height: Height = 0
    #expect(Self.heights(desk.take(for: Self.told, above: &height)).map(\.0) == [2])
  }
}
