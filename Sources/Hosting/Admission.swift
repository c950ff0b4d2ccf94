import Bus
import Effects
import Messages
import Signing
import Wire

/// Turns deliveries into events, the cheapest refusal first: whether this role takes such a message from such a sender
/// (``Acceptance``), then strict decoding, then signatures (``MessageReader``). What fails has no effect beyond a
/// count, except that an asker is told why, and that a response which fails counts as one that never made sense.
/// Publications are read together with the other followers of this process, where there is a ``SharedPublications``.
struct Admission: Sendable {
  private let role: ActorAddress.Role
  private var reader: MessageReader
  private let publications: SharedPublications?
  /// By reason, in order of first occurrence.
  private var refusals: [(reason: String, count: UInt64)] = []

  init(role: ActorAddress.Role, context: VerificationContext, publications: SharedPublications? = nil) {
    self.role = role
    reader = MessageReader(context: context)
    // What was verified for another network, or other members, says nothing here.
    let isOurs = publications.map { $0.context == context && SharedPublications.serves(role) } ?? false
    self.publications = isOurs ? publications : nil
  }

  /// Votes of this era's members count from now on.
  mutating func learn(_ era: EraRecord) { reader.learn(era) }

  /// Works off the caller's actor: signatures are the budget (a verification takes some 60 µs).
  @concurrent
  mutating func admit(_ batch: [Delivery], refusingOn bus: Bus) async -> [Event] {
    var events: [Event] = []
    events.reserveCapacity(batch.count)
    for delivery in batch {
      switch delivery {
      case .request(let ticket, let from, let body):
        switch admit(request: body, from: from) {
        case .success(let message): events.append(.request(ReplyToken(ticket.number), from: from, message))
        case .failure(let error): bus.reply(ticket, .failure(error))
        }
      case .response(let number, let result):
        let response = result.flatMap { admit(response: $0) }
        // What this one asked for others may not have heard of.
        if let publications, case .success(let message) = response {
          for era in message.value.erasBegun { await publications.learn(era) }
        }
        events.append(.response(RequestID(number), response))
      case .publication(let publisher, let topic, let gap, let body):
        guard let message = await admit(publication: body, Subscription(publisher, topic)) else { continue }
        events.append(.published(Subscription(publisher, topic), gap: gap, message))
      }
    }
    return events
  }

  /// What was refused since the last call.
  mutating func takeRefusals() -> [(reason: String, count: UInt64)] {
    defer { refusals = [] }
    return refusals
  }

  private mutating func admit(request body: [UInt8], from asker: ActorAddress) -> Result<Verified<Message>, RemoteError>
  {
    guard let head = head(of: body) else { return .failure(RemoteError(.invalidArgument, "no message")) }
    if let refusal = Acceptance.refusalOfRequest(head, to: role, from: asker.role) { return unexpected(refusal) }
    return take(reader.read(body))
  }

  private mutating func admit(response body: [UInt8]) -> Result<Verified<Message>, RemoteError> {
    guard let head = head(of: body) else { return .failure(RemoteError(.invalidArgument, "no message")) }
    guard Acceptance.isAnswer(head) else {
      return unexpected(RemoteError(.invalidArgument, "message \(head.number) answers nothing"))
    }
    return take(reader.read(body))
  }

  private mutating func admit(publication body: [UInt8], _ subscription: Subscription) async -> Verified<Message>? {
    guard let head = head(of: body) else { return nil }
    guard Acceptance.isPublication(head, under: subscription.topic, to: role, from: subscription.publisher.role) else {
      count("refused.unexpected")
      return nil
    }
    if let publications {
      let message = try? take(await publications.read(body)).get()
      for era in message?.value.erasBegun ?? [] { reader.learn(era) }
      return message
    }
    return try? take(reader.read(body)).get()
  }

  private mutating func head(of body: [UInt8]) -> MessageHead? {
    let head = try? MessageHead(of: body)
    if head == nil { count("refused.malformed") }
    return head
  }

  private mutating func unexpected(_ error: RemoteError) -> Result<Verified<Message>, RemoteError> {
    count("refused.unexpected")
    return .failure(error)
  }

  private mutating func take(_ reading: MessageReader.Reading) -> Result<Verified<Message>, RemoteError> {
    reading.mapError { refusal in
      count(refusal.name)
      return refusal.answer
    }
  }

  private mutating func count(_ reason: String) {
    if let index = refusals.firstIndex(where: { $0.reason == reason }) {
      refusals[index].count += 1
    } else {
      refusals.append((reason, 1))
    }
  }
}
