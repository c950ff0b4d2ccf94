import Effects
import FixtureSupport
import Messages
import Testing

@testable import Hosting

/// Real sockets of one process.
@Suite(.limit(minutes: 1))
struct DataPlaneTests {
  @Test func `each of many ports gets what was sent to it, also those opened while others are read`() async throws {
    let plane = DataPlane()
    let sender = try plane.open().address
    var ports: [(address: DataAddress, arrivals: AsyncStream<[Datagram]>)] = []
    for number in 0..<200 {
      ports.append(try plane.open())
      plane.send([Datagram(from: sender, to: ports[number].address, bytes: [UInt8(number)])])
    }
    for (number, port) in ports.enumerated() {
      var arrivals = port.arrivals.makeAsyncIterator()
      let datagrams = try #require(await arrivals.next())
      #expect(datagrams.map(\.bytes) == [[UInt8(number)]])
      #expect(datagrams.first?.source == sender && datagrams.first?.destination == port.address)
    }
    plane.shutdown()
  }

  @Test func `after the end streams finish, and no port opens`() async throws {
    let plane = DataPlane()
    let (address, arrivals) = try plane.open()
    plane.shutdown()
    for await _ in arrivals { Issue.record("nothing was sent") }
    #expect(throws: DataPortError.self) { try plane.open() }
    plane.send([Datagram(from: address, to: address, bytes: [1])])
    #expect(plane.lost.notSent == 1)
  }

  @Test func `a port that is taken is refused with what to do`() throws {
    let (first, second) = (DataPlane(), DataPlane())
    let (address, _) = try first.open()
    #expect(throws: DataPortError.self) { try second.open(port: address.port) }
    first.shutdown()
    second.shutdown()
  }
}
