import Messages
import Wire

/// What is counted as which kind of traffic, the same at both ends.
extension Switchboard {
  func kind(
    of form: CallHeader.Kind, _ body: [UInt8], from asker: ActorAddress, isInside: Bool
  ) -> TrafficKind {
    let isForClient = asker.role == .client
    switch form {
    case .call: return TrafficKind(.call, .init(of: body), isInside: isInside, isForClient: isForClient)
    case .fetch:
      let topic = (try? FetchQuery(decoding: body))?.topic
      return TrafficKind(.fetch, topic.map { .topic($0) } ?? .nothing, isInside: isInside, isForClient: isForClient)
    }
  }

  func countUnreadable(_ message: Socket.Incoming, isInside: Bool) {
    counters.malformed += 1
    counters.traffic.received(TrafficKind(.unreadable, isInside: isInside), bytes: message.bytes)
  }
}

extension TrafficKind {
  /// - Parameter asked: nil for an answer that nobody waits for any more.
  static func answer(
    to asked: TrafficKind?, _ header: AnswerHeader, _ body: [UInt8], isInside: Bool
  ) -> TrafficKind {
    let isForClient = asked?.isForClient ?? false
    if header.isError { return TrafficKind(.refusal, isInside: isInside, isForClient: isForClient) }
    if let asked, asked.form == .fetch {
      return TrafficKind(.fetched, asked.subject, isInside: isInside, isForClient: isForClient)
    }
    return TrafficKind(.answer, Subject(of: body), isInside: isInside, isForClient: isForClient)
  }
}
