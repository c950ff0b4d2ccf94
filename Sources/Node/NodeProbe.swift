import Bus
import Effects
import Glibc
import Messages

/// Finds out when a node that was started is of use, as anybody else on the bus would: asks each of its actors how it
/// is until it answers, and, if it follows the ledger, has caught up.
actor NodeProbe {
  private static let address = ActorAddress(.client, "probe")
  /// One question; more than a reconnection takes.
  private static let deadline = Span.milliseconds(500)
  private static let pause = Duration.milliseconds(20)

  private let book: AddressBook
  private let bus: Bus
  private let heightKnown: @Sendable () async -> Height

  init(_ directory: NodeDirectory, over bus: Bus, heightKnown: @escaping @Sendable () async -> Height) throws(NodeError)
  {
    guard let book = directory.book else { throw .impossible(detail: "a spread has an address book") }
    self.book = book
    self.bus = bus
    self.heightKnown = heightKnown
  }

  /// - Returns: false when the process has ended before.
  func untilAnswering(_ event: NodeEvent) async -> Bool {
    let known = await heightKnown()
    for actor in book.places.filter({ $0.node == event.node }).flatMap(\.addresses) {
      while !(await answers(actor, knowing: known)) {
        guard kill(event.process, 0) == 0, (try? await Task.sleep(for: Self.pause)) != nil else { return false }
      }
    }
    return true
  }

  private func answers(_ actor: ActorAddress, knowing height: Height) async -> Bool {
    do {
      let answer = try await bus.request(
        from: Self.address, to: actor, body: Message.getStatus.encoded, deadline: Self.deadline)
      guard case .status(let items) = try Message(decoding: answer) else { return false }
      let reached = items.first { $0.name == "height" }.flatMap { Height($0.value) }
      return reached.map { $0 >= height } ?? true
    } catch {
      return false
    }
  }
}
