import Signing
import Wire

/// A quorum's votes for one ballot. The ballot stands once, then who voted and their signatures; every vote can be
/// rebuilt byte for byte, so a certificate names everyone who made it (no anonymous aggregation: signatures must
/// convict).
public struct Certificate: Hashable, Sendable, WireCodable {
  public let ballot: Ballot
  /// Bit i set: member i voted. There are at most 64 members.
  public let voters: UInt64
  /// In member order, one per voter.
  public let signatures: [Signature]

  /// Bits of ``voters``.
  public static let maximumMembers = 64

  /// - Parameter votes: of `ballot`, one per member, in member order, members below ``maximumMembers``.
  public init(ballot: Ballot, votes: [(member: MemberIndex, signature: Signature)]) {
    self.ballot = ballot
    voters = votes.reduce(0) { $0 | 1 << UInt64($1.member) }
    signatures = votes.map(\.signature)
  }

  private init(ballot: Ballot, voters: UInt64, signatures: [Signature]) {
    self.ballot = ballot
    self.voters = voters
    self.signatures = signatures
  }

  public var era: Era { ballot.era }
  public var view: View { ballot.view }

  /// Who voted, in member order.
  public var members: [MemberIndex] {
    (0..<MemberIndex(Self.maximumMembers)).filter { voters & 1 << UInt64($0) != 0 }
  }

  /// Every vote, as its member signed it, in member order.
  public var votes: [Vote] {
    zip(members, signatures).map { Vote(member: $0, ballot: ballot, signature: $1) }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(ballot)
    writer.write(voters)
    writer.write(list: signatures)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      let ballot: Ballot = try reader.value()
      let voters = try reader.uint()
      let signatures: [Signature] = try reader.list(maximum: Self.maximumMembers)
      guard signatures.count == voters.nonzeroBitCount else { throw .invalidValue(field: "voters") }
      return Certificate(ballot: ballot, voters: voters, signatures: signatures)
    }
  }
}

extension Certificate: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    guard let count = context.members(of: era)?.count else { throw .unknownEra(era) }
    guard count > 0, voters.leadingZeroBitCount >= Self.maximumMembers - count,
      signatures.count == voters.nonzeroBitCount, signatures.count >= Quorum(members: count).votes
    else { throw .noQuorum }
    var checks: [SignatureCheck] = []
    checks.reserveCapacity(signatures.count)
    for vote in votes { checks += try vote.signatureChecks(in: context) }
    return checks
  }
}
