import Bus
import Effects
import Messages
import Signing
import Wire

/// Turns deliveries into events, the cheapest refusal first: whether this role takes such a message from such a sender
/// (``Acceptance``), then strict decoding, then signatures. What fails has no effect beyond a count, except that an
/// asker is told why, and that a response which fails counts as one that never made sense. Remembers the checks that
/// held, so that what comes twice is verified once.
struct Admission: Sendable {
  private let role: ActorAddress.Role
  private var verifier: Verifier
  /// By reason, in order of first occurrence.
  private var refusals: [(reason: String, count: UInt64)] = []

  init(role: ActorAddress.Role, context: VerificationContext) {
    self.role = role
    verifier = Verifier(context: context)
  }

  /// Works off the caller's actor: signatures are the budget (a verification takes some 60 µs).
  @concurrent
  mutating func admit(_ batch: [Delivery], refusingOn bus: Bus) async -> [Event] {
    var events: [Event] = []
    events.reserveCapacity(batch.count)
    for delivery in batch {
      switch delivery {
      case .request(let ticket, let from, let body):
        let role = role
        let verified = verify(body) { head in Acceptance.refusalOfRequest(head, to: role, from: from.role) }
        switch verified {
        case .success(let message): events.append(.request(ReplyToken(ticket.number), from: from, message))
        case .failure(let error): bus.reply(ticket, .failure(error))
        }
      case .response(let number, .success(let body)):
        let verified = verify(body) { head in
          Acceptance.isAnswer(head) ? nil : RemoteError(.invalidArgument, "message \(head.number) answers nothing")
        }
        events.append(.response(RequestID(number), verified))
      case .response(let number, .failure(let error)): events.append(.response(RequestID(number), .failure(error)))
      case .publication(let publisher, let topic, let gap, let body):
        let role = role
        let verified = verify(body) { head in
          Acceptance.isPublication(head, under: topic, to: role, from: publisher.role)
            ? nil : RemoteError(.invalidArgument, "message \(head.number) under \(topic)")
        }
        if case .success(let message) = verified {
          events.append(.published(Subscription(publisher, topic), gap: gap, message))
        }
      }
    }
    return events
  }

  /// What was refused since the last call.
  mutating func takeRefusals() -> [(reason: String, count: UInt64)] {
    defer { refusals = [] }
    return refusals
  }

  private mutating func verify(
    _ body: [UInt8], _ refusal: (MessageHead) -> RemoteError?
  ) -> Result<Verified<Message>, RemoteError> {
    do throws(WireError) {
      if let refusal = refusal(try MessageHead(of: body)) {
        count("refused.unexpected")
        return .failure(refusal)
      }
      let message = try Message(decoding: body)
      do throws(VerificationError) {
        return .success(try verifier.verify(message))
      } catch {
        count("refused.unverified")
        return .failure(RemoteError(.permissionDenied, "\(error)"))
      }
    } catch {
      count("refused.malformed")
      return .failure(RemoteError(.invalidArgument, "\(error)"))
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
