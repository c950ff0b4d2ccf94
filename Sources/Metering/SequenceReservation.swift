/// The sequence numbers that a sender may use. No number is used twice, in whatever life of the sender: the second
/// packet would count as a duplicate of the first (epoch rule 4). So a range is durable before any number of it is
/// used.
///
/// Packets must not wait for a disk either: what they would wait is delay that the path never caused. So the next range
/// is asked for while an epoch's numbers are left, and counts as reserved when it was *read back*, which is how a core
/// knows that it is durable. A packet for which no number is reserved is not sent.
public struct SequenceReservation: Sendable {
  /// Where the numbers of this life begin: those below may have been used in an earlier one.
  public let first: UInt64
  /// Numbers below this are reserved.
  public private(set) var limit: UInt64
  /// The limit that is being made durable; equal to `limit` when none is.
  private var asked: UInt64
  private let packetsPerEpoch: UInt64

  /// - Parameters:
  ///   - recovered: the limit that an earlier life made durable; 0 for none.
  ///   - packetsPerEpoch: at most.
  public init(recovered: UInt64 = 0, packetsPerEpoch: Int) {
    first = recovered
    limit = recovered
    asked = recovered
    self.packetsPerEpoch = UInt64(max(1, packetsPerEpoch))
  }

  public func permits(_ sequence: UInt64) -> Bool { sequence < limit }

  /// - Parameter next: the number that is used next.
  /// - Returns: the limit to make durable and read back now; nil while enough is reserved, or one is under way.
  public mutating func extend(next: UInt64) -> UInt64? {
    guard asked == limit, next + packetsPerEpoch >= limit else { return nil }
    asked = next + 2 * packetsPerEpoch
    return asked
  }

  public mutating func readBack(_ durable: UInt64) {
    guard durable == asked else { return }
    limit = durable
  }
}
