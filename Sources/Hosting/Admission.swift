import Bus
import Effects
import Messages
import Signing
import Wire

extension RoleHost {
  /// What admission leaves behind: the verifier with what it now remembers, and what was refused, by reason in order.
  struct Admission: Sendable {
    var verifier: Verifier
    var refusals: [(String, UInt64)]
  }

  /// Turns deliveries into events: strict decoding first, then signatures, off the actor. What fails has no effect
  /// beyond a count, except that an asker is told its request was malformed and a response that fails counts as one
  /// that never made sense.
  @concurrent
  static func admit(_ batch: [Delivery], _ verifier: Verifier, bus: Bus) async -> ([Event], Admission) {
    var admission = Admission(verifier: verifier, refusals: [])
    var events: [Event] = []
    events.reserveCapacity(batch.count)
    for delivery in batch {
      switch delivery {
      case .request(let ticket, let from, let body):
        switch admission.verify(body) {
        case .success(let message): events.append(.request(ReplyToken(ticket.number), from: from, message))
        case .failure(let error): bus.reply(ticket, .failure(error))
        }
      case .response(let number, .success(let body)):
        events.append(.response(RequestID(number), admission.verify(body)))
      case .response(let number, .failure(let error)):
        events.append(.response(RequestID(number), .failure(error)))
      case .publication(let publisher, let topic, let gap, let body):
        if case .success(let message) = admission.verify(body) {
          events.append(.published(Subscription(publisher, topic), gap: gap, message))
        }
      }
    }
    return (events, admission)
  }
}

extension RoleHost.Admission {
  mutating func verify(_ body: [UInt8]) -> Result<Verified<Message>, RemoteError> {
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
    if let index = refusals.firstIndex(where: { $0.0 == reason }) {
      refusals[index].1 += 1
    } else {
      refusals.append((reason, 1))
    }
  }
}
