import Effects
import Messages
import Signing
import Wire

/// A message under way: what its author's value became as bytes, and what every receiver makes of those bytes. All
/// receivers run the same decoder and the same checks, so a world does both once per message that anybody receives.
final class Parcel {
  /// Of the bytes.
  let digest: Digest
  let byteCount: Int
  private enum Content {
    case sealed(Message, bytes: [UInt8])
    case admitted(Result<Verified<Message>, RemoteError>)
  }
  private var content: Content

  /// One message body at most, as on the bus.
  static let maximumBytes = 16 << 20

  init(_ message: Message) {
    let bytes = message.encoded
    digest = Digest(hashing: bytes)
    byteCount = bytes.count
    content = .sealed(message, bytes: bytes)
  }

  /// What admission lets through: strict decoding first, then signatures, as a real host does. `refused` is told once,
  /// by the first receiver.
  func admitted(
    by verifier: inout Verifier, refused: (RemoteError) -> Void
  ) -> Result<Verified<Message>, RemoteError> {
    switch content {
    case .admitted(let result): return result
    case .sealed(let message, let bytes):
      let result = Self.admit(bytes, as: message, &verifier)
      content = .admitted(result)
      if case .failure(let error) = result { refused(error) }
      return result
    }
  }

  /// - Parameter original: what was encoded, which is what must come out (R2).
  private static func admit(
    _ bytes: [UInt8], as original: Message, _ verifier: inout Verifier
  ) -> Result<Verified<Message>, RemoteError> {
    guard bytes.count <= maximumBytes else {
      return .failure(RemoteError(.invalidArgument, "\(bytes.count) bytes are more than the bus carries"))
    }
    do throws(WireError) {
      let message = try Message(decoding: bytes)
      guard message == original else {
        return .failure(RemoteError(.invalidArgument, "R2: it decodes to something else"))
      }
      do throws(VerificationError) {
        return .success(try verifier.verify(message))
      } catch {
        return .failure(RemoteError(.permissionDenied, "\(error)"))
      }
    } catch {
      return .failure(RemoteError(.invalidArgument, "\(error)"))
    }
  }
}
