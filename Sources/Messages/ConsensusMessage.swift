import Signing
import Wire

/// Everything members say to each other about consensus. On the wire `[number, body]`. Votes, proposals, reproposals
/// and certificates are published; the others ask one member and answer one member.
public enum ConsensusMessage: Hashable, Sendable {
  /// Counts only when it comes from the member that signed it.
  case vote(Vote)
  case proposal(Proposal)
  case certificate(Certificate)
  /// Asks for a block that a certificate names. Answered with ``block(_:)``, or with the finalization that shows the
  /// asker is behind.
  case getBlock(Digest)
  case block(Block)
  /// Asks for what closed the views `from…through`, and for whatever shows that the asker is behind.
  case getCertificates(from: View, through: View)
  case certificates([Certificate])
  /// Asks for finalized blocks from this height on.
  case getSegments(from: Height)
  /// In order of height; empty when the member asked has none.
  case segments([LedgerSegment])
  /// Published by a leader instead of a proposal, at the end of an era.
  case reproposal(Reproposal)

  /// Views asked for, and certificates answered with, at a time.
  public static let maximumCertificates = 256
  /// Segments in one answer.
  public static let maximumSegments = 256
  /// Canonical bytes of blocks in one answer, at least one segment whatever its size: half of what the wire takes.
  public static let maximumSegmentBytes = 8 << 20

  /// The number that it begins with on the wire.
  public enum Kind: UInt8, CaseIterable, Sendable {
    case vote = 1
    case proposal = 2
    case certificate = 3
    case getBlock = 4
    case block = 5
    case getCertificates = 6
    case certificates = 7
    case getSegments = 8
    case segments = 9
    case reproposal = 10
  }

  public var kind: Kind {
    switch self {
    case .vote: .vote
    case .proposal: .proposal
    case .certificate: .certificate
    case .getBlock: .getBlock
    case .block: .block
    case .getCertificates: .getCertificates
    case .certificates: .certificates
    case .getSegments: .getSegments
    case .segments: .segments
    case .reproposal: .reproposal
    }
  }
}

extension ConsensusMessage: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(UInt64(kind.rawValue))
    switch self {
    case .vote(let vote): writer.write(vote)
    case .proposal(let proposal): writer.write(proposal)
    case .certificate(let certificate): writer.write(certificate)
    case .getBlock(let hash): writer.write(hash)
    case .block(let block): writer.write(block)
    case .getCertificates(let from, let through):
      writer.array(2)
      writer.write(from)
      writer.write(through)
    case .certificates(let certificates): writer.write(list: certificates)
    case .getSegments(let from): writer.write(from)
    case .segments(let segments): writer.write(list: segments)
    case .reproposal(let reproposal): writer.write(reproposal)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      let number = try reader.uint()
      guard let kind = UInt8(exactly: number).flatMap({ Kind(rawValue: $0) }) else {
        throw .invalidValue(field: "number of a consensus message")
      }
      switch kind {
      case .vote: return .vote(try reader.value())
      case .proposal: return .proposal(try reader.value())
      case .certificate: return .certificate(try reader.value())
      case .getBlock: return .getBlock(try reader.value())
      case .block: return .block(try reader.value())
      case .getCertificates:
        let (from, through) = try reader.record(2) { (reader) throws(WireError) in
          (try reader.uint(), try reader.uint())
        }
        guard from <= through, through - from < UInt64(Self.maximumCertificates) else {
          throw .invalidValue(field: "range of views")
        }
        return .getCertificates(from: from, through: through)
      case .certificates: return .certificates(try reader.list(maximum: Self.maximumCertificates))
      case .getSegments: return .getSegments(from: try reader.uint())
      case .segments: return .segments(try reader.list(maximum: Self.maximumSegments))
      case .reproposal: return .reproposal(try reader.value())
      }
    }
  }
}

extension ConsensusMessage: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    switch self {
    case .vote(let vote): return try vote.signatureChecks(in: context)
    case .proposal(let proposal): return try proposal.signatureChecks(in: context)
    case .certificate(let certificate): return try certificate.signatureChecks(in: context)
    case .block(let block): return try block.signatureChecks(in: context)
    case .certificates(let certificates):
      var checks: [SignatureCheck] = []
      for certificate in certificates { checks += try certificate.signatureChecks(in: context) }
      return checks
    case .segments(let segments):
      var checks: [SignatureCheck] = []
      // All of it holds or nothing is accepted, so an era that begins inside the answer may be relied on behind it.
      var context = context
      for segment in segments {
        checks += try segment.signatureChecks(in: context)
        if let next = segment.nextEra { context.learn(next) }
      }
      return checks
    case .reproposal(let reproposal): return try reproposal.signatureChecks(in: context)
    case .getBlock, .getCertificates, .getSegments: return []
    }
  }
}
