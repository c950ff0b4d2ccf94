import Bus
import Effects
import FixtureSupport
import Messages
import Testing

@testable import Hosting

/// What waits at a port of the data plane.
@Suite(.limit(minutes: 1))
struct DatagramQueueTests {
  private let port = DataAddress.loopback(port: 1)

  private func datagrams(_ count: Int, bytes: Int = 1) -> [Datagram] {
    (0..<count).map { Datagram(from: port, to: port, bytes: Array(repeating: UInt8($0 % 256), count: bytes)) }
  }

  @Test func `a flood costs no more memory than the limit, and the oldest stay`() async {
    let queue = DatagramQueue()
    let size = Datagram.maximumBytes
    let room = DatagramQueue.maximumBytes / (size + DatagramQueue.overheadBytes)
    var dropped = 0
    for _ in 0..<(2 * room / 256) { dropped += queue.add(datagrams(256, bytes: size)) }
    let waiting = await queue.next()
    #expect(waiting?.count == room)
    #expect(dropped == 2 * room / 256 * 256 - room)
    #expect(waiting?.first?.bytes.first == 0)
    // There is room again.
    #expect(queue.add(datagrams(1)) == 0)
    #expect(await queue.next()?.count == 1)
  }

  @Test func `a reader that waits is woken by arrival, by the end and by cancellation`() async {
    let queue = DatagramQueue()
    async let first = queue.next()
    _ = queue.add(datagrams(3))
    #expect(await first?.count == 3)
    let cancelled = Task { await queue.next() }
    cancelled.cancel()
    #expect(await cancelled.value == nil)
    async let last = queue.next()
    queue.finish()
    #expect(await last == nil)
    #expect(queue.add(datagrams(2)) == 2)
  }

  @Test func `what waited before the end is still read`() async {
    let queue = DatagramQueue()
    _ = queue.add(datagrams(2))
    queue.finish()
    var read: [Int] = []
    for await batch in queue.stream { read.append(batch.count) }
    #expect(read == [2])
  }

  @Test func `a count crosses a log as a line, and nothing else passes for one`() {
    let line = CountLine(name: "refused.malformed", amount: 7)
    #expect(CountLine(line.text) == line)
    let ofEnclave = CountLine(name: "refused.malformed", amount: 7, enclave: "console-1")
    #expect(CountLine(ofEnclave.text) == ofEnclave)
    for text in [
      "counted x refused", "counted 1", "counted 1 a b c", "counted 1 ", "counted 1 a ", "counted 1 a B/c",
      "counted -1 a", "counted 1 a\u{1B}[",
    ] {
      #expect(CountLine(text) == nil, "\(text)")
    }
    var sums = CountSums()
    for number in 0..<(CountSums.maximumNames + 5) { sums.add("name\(number)", 1) }
    let taken = sums.take()
    #expect(taken.count == CountSums.maximumNames + 1)
    #expect(taken.contains { $0.name == "counts.others" && $0.amount == 5 })
    #expect(sums.take().isEmpty)
  }

  @Test func `what a process of enclaves carried comes back from its line`() throws {
    let kind = try #require(TrafficKind("between.call.openFlow"))
    let flow = CarriedTraffic.Flow(
      sent: CarriedTraffic.Volume(messages: 1, bytes: 251), received: CarriedTraffic.Volume(messages: 2, bytes: 0))
    let line = TrafficLine(kind: kind, flow: flow)
    #expect(TrafficLine(line.text) == line)
    #expect(line.text == "carried between.call.openFlow 1 251 2 0")
    for text in [
      "carried", "carried between.call.openFlow 1 2 3", "carried between.call.openFlow 1 2 3 x",
      "carried between.call.opened 1 2 3 4", "counted 1 between.call.openFlow",
      "carried between.call.openFlow 1 2 3 -4",
    ] {
      #expect(TrafficLine(text) == nil, "\(text)")
    }
  }
}
