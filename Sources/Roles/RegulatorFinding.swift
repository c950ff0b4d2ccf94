import Messages
import Signing
import Wire

/// Something that a regulator saw and keeps, with the figures. Convictions are the ledger's; whatever is only flagged
/// has no consequence by itself: a person looks at it.
public struct RegulatorFinding: Hashable, Sendable, WireCodable {
  public enum Kind: UInt8, Sendable, CaseIterable, WireCodable {
    /// The ledger convicted a member.
    case convicted = 1
    /// Regulators ordered something together.
    case measureTaken = 2
    /// A regulator ordered something without enough others: refused.
    case actedAlone = 3
    /// A leader carries nothing of an organisation whose transactions the others carry (V3).
    case censorship = 4
    /// A member does not vote for one leader's blocks, and for the others' it does (V10).
    case votesAgainst = 5
    /// Two operators' offers follow each other's prices (V10).
    case alignedOffers = 6
    /// An operator rejects nearly everything that it offers (O12).
    case neverFeasible = 7

    public var name: String {
      switch self {
      case .convicted: "convicted"
      case .measureTaken: "measure taken"
      case .actedAlone: "acted alone"
      case .censorship: "flagged: censorship"
      case .votesAgainst: "flagged: votes against one leader"
      case .alignedOffers: "flagged: aligned offers"
      case .neverFeasible: "flagged: never feasible"
      }
    }
  }

  public let kind: Kind
  /// Of the block that showed it.
  public let height: Height
  public let time: Instant
  /// Whom it is about, by name.
  public let subject: String
  /// The figures, as a person reads them.
  public let text: String

  public static let maximumTextBytes = 512

  public init(kind: Kind, height: Height, time: Instant, subject: String, text: String) {
    self.kind = kind
    self.height = height
    self.time = time
    self.subject = subject
    self.text = text
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(kind)
    writer.write(height)
    writer.write(time)
    writer.write(subject)
    writer.write(text)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      RegulatorFinding(
        kind: try reader.value(), height: try reader.uint(), time: try reader.value(),
        subject: try reader.text(maximum: Self.maximumTextBytes), text: try reader.text(maximum: Self.maximumTextBytes))
    }
  }
}
