import Messages
import Signing
import Wire

/// What the followers of one process have read: a publication that hundreds of them subscribe to is decoded and
/// verified once for all, not once for each. They share an operator of one machine and believe no more of it than they
/// would of their own reading.
///
/// A member never shares: that every validator and every regulator verifies for itself is what a quorum is worth.
///
/// Keyed by the bytes received, compared whole: whether a message is accepted depends on nothing else but the context,
/// which is fixed here. Bounded in number and bytes; the oldest leave first, so a follower that lags reads again what
/// was forgotten. Refusals are kept as well: garbage costs one reading, too.
public actor SharedPublications {
  /// Publications remembered: more than one block's from every member a process listens to.
  static let maximumPublications = 64
  /// The same in bytes received.
  static let maximumBytes = 32 << 20

  public nonisolated let context: VerificationContext
  private var reader: MessageReader
  /// Newest last.
  private var entries: [(body: [UInt8], reading: MessageReader.Reading)] = []
  private var bytes = 0
  /// Bodies that were decoded and verified, over this object's life.
  private(set) var readings: UInt64 = 0
  var remembered: Int { entries.count }

  public init(context: VerificationContext) {
    self.context = context
    reader = MessageReader(context: context)
  }

  /// Whether a role may rely on what others have read.
  static func serves(_ role: ActorAddress.Role) -> Bool {
    switch role {
    case .validator, .regulator: false
    default: true
    }
  }

  func learn(_ era: EraRecord) { reader.learn(era) }

  func read(_ body: [UInt8]) -> MessageReader.Reading {
    // Comparing is cheap: the copies of one delivery are one buffer, and others mostly differ in length.
    if let known = entries.last(where: { $0.body == body }) { return known.reading }
    let reading = reader.read(body)
    readings += 1
    // The era may be known before the message comes again.
    if case .failure(.unknownEra) = reading { return reading }
    entries.append((body, reading))
    bytes += body.count
    while entries.count > Self.maximumPublications || bytes > Self.maximumBytes && entries.count > 1 {
      bytes -= entries.removeFirst().body.count
    }
    return reading
  }
}

/// Strict decoding, then signatures. Remembers the checks that held, so that what comes twice is verified once.
struct MessageReader: Sendable {
  enum Refusal: Error, Hashable, Sendable {
    case malformed(String)
    case unverified(String)
    /// This reader is behind: nobody did anything wrong.
    case unknownEra

    /// The counter.
    var name: String {
      switch self {
      case .malformed: "refused.malformed"
      case .unverified: "refused.unverified"
      case .unknownEra: "refused.unknownEra"
      }
    }

    var answer: RemoteError {
      switch self {
      case .malformed(let text): RemoteError(.invalidArgument, text)
      case .unverified(let text): RemoteError(.permissionDenied, text)
      case .unknownEra: RemoteError(.failedPrecondition, "signed by members of an era not known here yet")
      }
    }
  }

  typealias Reading = Result<Verified<Message>, Refusal>

  private var verifier: Verifier

  init(context: VerificationContext) { verifier = Verifier(context: context) }

  mutating func learn(_ era: EraRecord) { verifier.learn(era) }

  mutating func read(_ body: [UInt8]) -> Reading {
    let message: Message
    do throws(WireError) { message = try Message(decoding: body) } catch { return .failure(.malformed("\(error)")) }
    do throws(VerificationError) {
      let verified = try verifier.verify(message)
      for era in message.erasBegun { verifier.learn(era) }
      return .success(verified)
    } catch .unknownEra {
      return .failure(.unknownEra)
    } catch {
      return .failure(.unverified("\(error)"))
    }
  }
}
