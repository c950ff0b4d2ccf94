import Bus
import Effects
import Messages
import Signing
import Wire

/// Turns deliveries into events: strict decoding first, then signatures. What fails has no effect beyond a count,
/// except that an asker is told why, and that a response which fails counts as one that never made sense. Remembers the
/// checks that held, so that what comes twice is verified once.
struct Admission: Sendable {
  private var verifier: Verifier
  /// By reason, in order of first occurrence.
  private var refusals: [(reason: String, count: UInt64)] = []

  init(context: VerificationContext) { verifier = Verifier(context: context) }

  /// Works off the caller's actor: signatures are the budget (a verification takes some 60 µs).
  @concurrent
  mutating func admit(_ batch: [Delivery], refusingOn bus: Bus) async -> [Event] {
    var events: [Event] = []
    events.reserveCapacity(batch.count)
    for delivery in batch {
      switch delivery {
      case .request(let ticket, let from, let body):
        switch verify(body) {
        case .success(let message): events.append(.request(ReplyToken(ticket.number), from: from, message))
        case .failure(let error): bus.reply(ticket, .failure(error))
        }
      case .response(let number, .success(let body)): events.append(.response(RequestID(number), verify(body)))
      case .response(let number, .failure(let error)): events.append(.response(RequestID(number), .failure(error)))
      case .publication(let publisher, let topic, let gap, let body):
        if case .success(let message) = verify(body) {
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

  private mutating func verify(_ body: [UInt8]) -> Result<Verified<Message>, RemoteError> {
    do throws(WireError) {
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
