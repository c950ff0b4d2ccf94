import Effects
import Messages
import Signing

/// Nonces for one sender: hashes of a seed and a counter. The seed is drawn by the shell anew for each life, so a
/// nonce is used twice only by accident of 64 bits, and then the ledger refuses the second transaction.
struct NonceSource: Sendable {
  private let seed: [UInt8]
  private var counter: UInt64 = 0

  init(seed: [UInt8]) { self.seed = seed }

  mutating func next() -> UInt64 {
    counter += 1
    let digest = Digest(label: "AJIT nonce", seed, counter.encoded).bytes
    return digest.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// An exponential pause between tries, bounded.
struct Backoff: Sendable {
  private(set) var failures: UInt64 = 0
  static let first = Span.milliseconds(100)
  static let longest = Span.seconds(5)

  mutating func succeeded() { failures = 0 }

  /// The pause before the next try.
  mutating func failed() -> Span {
    let pause = Span(nanoseconds: Self.first.nanoseconds << Int64(min(failures, 6)))
    failures += 1
    return min(pause, Self.longest)
  }
}

/// The members a party submits to, its own operator's first. One that does not answer is passed over.
struct MemberRotation: Sendable {
  let members: [ActorAddress]
  private var index = 0

  init(_ members: [ActorAddress]) { self.members = members }

  /// Whom to ask now.
  /// - Parameter repeats: how often the same was sent before. Each time it goes to another member: one that takes a
  ///   transaction and keeps it to itself costs one repetition, nothing else.
  func member(repeats: Int = 0) -> ActorAddress { members[(index + repeats) % members.count] }

  /// The member did not answer. Reported again by requests that were under way at the same time, it changes nothing.
  mutating func failed(_ member: ActorAddress) {
    if members[index] == member { index = (index + 1) % members.count }
  }
}

extension RemoteError {
  /// Somebody else may do better.
  var isOfThisReceiver: Bool {
    switch code {
    case .deadlineExceeded, .unavailable, .tooManyRequests, .unimplemented: true
    case .invalidArgument, .permissionDenied, .notFound, .failedPrecondition, .cancelled: false
    }
  }
}
