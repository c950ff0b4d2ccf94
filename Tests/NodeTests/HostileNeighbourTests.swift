import Bus
import Effects
import FixtureSupport
import Foundation
import Messages
import Testing

@testable import Node

/// Somebody on the same host and of the same user, at the socket of a running node.
@Suite(.serialized, .limit(minutes: 2))
struct HostileNeighbourTests {
  private static let member = ActorAddress(.validator, "alpha")

  @Test func `a neighbour is nobody but a client, and its flood of nonsense does not stop an operation`() async throws {
    try await withScratch { directory in
      let consortium = try await Consortium.start(try Surgery.configuration(directory))
      let neighbour = try Bus()
      try await neighbour.route(Self.member, to: SocketPaths(dataDirectory: directory).bus)

      // Asks in a member's name, in an operator's, in a customer's: the connection is none of theirs.
      for role in [ActorAddress.Role.validator, .controller, .customer] {
        #expect(
          await refusal(neighbour, from: ActorAddress(role, "bravo"), Message.getStatus.encoded) == .permissionDenied)
      }
      #expect(await refusal(neighbour, from: ActorAddress(.client, "me"), Message.getStatus.encoded) == nil)

      let flood = Task {
        var refused: UInt64 = 0
        let client = ActorAddress(.client, "me")
        let nonsense = [[0xFF], [0x82, 13] + Array(repeating: 0x81, count: 1 << 16), Message.acknowledged.encoded]
        while !Task.isCancelled {
          let body = nonsense[Int(refused % 3)]
          guard await refusal(neighbour, from: client, body) != nil else { break }
          refused += 1
        }
        return refused
      }
      try await consortium.untilSettled()
      flood.cancel()
      #expect(await flood.value > 100)
      let result = try #require(await consortium.summary().activations.first?.result)
      #expect(result.state == .settled && result.settlement == .agreed)
      await neighbour.shutdown()
      try await consortium.stop()
    }
  }

  /// - Returns: nil when the member answered.
  private func refusal(_ bus: Bus, from: ActorAddress, _ body: [UInt8]) async -> RemoteError.Code? {
    do throws(RemoteError) {
      _ = try await bus.request(from: from, to: Self.member, body: body, deadline: .seconds(10))
      return nil
    } catch {
      return error.code
    }
  }
}
