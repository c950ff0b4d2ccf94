import Messages
import Wire

/// What a member must not forget. The stream of these is owned by the core, and replaying it is the only recovery.
/// On the wire `[number, body]`.
public enum ConsensusRecord: Hashable, Sendable {
  /// The first proposal of a view that this member voted for or made. Of its own maker it is the vote too.
  case proposal(Proposal)
  /// An own vote.
  case vote(Vote)
  case certificate(Certificate)
  /// What ``proposal(_:)`` is, where the leader offered the last block of an era again.
  case reproposal(Reproposal)

  public var view: View {
    switch self {
    case .proposal(let proposal): proposal.block.header.view
    case .vote(let vote): vote.ballot.view
    case .certificate(let certificate): certificate.view
    case .reproposal(let reproposal): reproposal.vote.ballot.view
    }
  }

  public var era: Era {
    switch self {
    case .proposal(let proposal): proposal.block.header.era
    case .vote(let vote): vote.ballot.era
    case .certificate(let certificate): certificate.era
    case .reproposal(let reproposal): reproposal.vote.ballot.era
    }
  }

  /// Records of one stream are stored under this number: at most one record of each kind per view, (era, view)
  /// ascending.
  public var key: UInt64 {
    let slot: UInt64 =
      switch self {
      case .proposal: 0
      case .vote(let vote): UInt64(vote.ballot.kind)
      case .certificate(let certificate): UInt64(certificate.ballot.kind) + 3
      case .reproposal: 7
      }
    return Self.firstKey(of: view, era: era) + slot
  }

  /// Every record of this view or a later one has at least this key: prune below it. Good for 2⁴⁴ views of 2¹⁷ eras:
  /// half a year of views a microsecond apart, and a member change a day for three centuries.
  public static func firstKey(of view: View, era: Era) -> UInt64 { era << 47 | view << 3 }
}

extension ConsensusRecord: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    switch self {
    case .proposal(let proposal):
      writer.write(UInt64(1))
      writer.write(proposal)
    case .vote(let vote):
      writer.write(UInt64(2))
      writer.write(vote)
    case .certificate(let certificate):
      writer.write(UInt64(3))
      writer.write(certificate)
    case .reproposal(let reproposal):
      writer.write(UInt64(4))
      writer.write(reproposal)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      switch try reader.uint() {
      case 1: return .proposal(try reader.value())
      case 2: return .vote(try reader.value())
      case 3: return .certificate(try reader.value())
      case 4: return .reproposal(try reader.value())
      default: throw .invalidValue(field: "number of a consensus record")
      }
    }
  }
}
