import Signing
import Wire

/// What a member can be convicted of (consensus.md, "Evidence"). Notarize and nullify in one view is legal and not
/// among these; neither is anything that a relay did to a message.
public enum EvidenceKind: UInt8, Sendable, CaseIterable, WireCodable {
  case conflictingNotarize = 1
  case conflictingFinalize = 2
  case nullifyFinalize = 3
  case notarizeFinalize = 4
  case invalidProposal = 5
  case brokenAcknowledgement = 6

  public var name: String {
    switch self {
    case .conflictingNotarize: "ConflictingNotarize"
    case .conflictingFinalize: "ConflictingFinalize"
    case .nullifyFinalize: "NullifyFinalize"
    case .notarizeFinalize: "NotarizeFinalize"
    case .invalidProposal: "InvalidProposal"
    case .brokenAcknowledgement: "BrokenAcknowledgement"
    }
  }
}

/// Proof that a member broke the rules: self-contained, verifiable by anyone who knows the members of its era. On the
/// wire `[kind, …]`.
public enum ConsensusEvidence: Hashable, Sendable {
  /// Two blocks notarized in one view.
  case conflictingNotarize(Vote, Vote)
  case conflictingFinalize(Vote, Vote)
  case nullifyFinalize(nullify: Vote, finalize: Vote)
  /// One block notarized, another finalized in the same view.
  case notarizeFinalize(notarize: Vote, finalize: Vote)
  /// A leader's signed block that is invalid for ever, as so many members state that one of them is honest. Whoever
  /// wants to be sure executes the archived block again.
  case invalidProposal(InvalidProposal)
  /// A block without a transaction that its leader had promised to put into any of its blocks by then.
  case brokenAcknowledgement(BrokenAcknowledgement)

  public var kind: EvidenceKind {
    switch self {
    case .conflictingNotarize: .conflictingNotarize
    case .conflictingFinalize: .conflictingFinalize
    case .nullifyFinalize: .nullifyFinalize
    case .notarizeFinalize: .notarizeFinalize
    case .invalidProposal: .invalidProposal
    case .brokenAcknowledgement: .brokenAcknowledgement
    }
  }

  /// Who is proven guilty, by its number in ``era``.
  public var member: MemberIndex {
    switch self {
    case .brokenAcknowledgement(let broken): broken.header.leader
    default: votes.first?.member ?? 0
    }
  }

  public var era: Era {
    switch self {
    case .brokenAcknowledgement(let broken): broken.header.era
    default: votes.first?.ballot.era ?? 0
    }
  }

  public var view: View {
    switch self {
    case .brokenAcknowledgement(let broken): broken.header.view
    default: votes.first?.ballot.view ?? 0
    }
  }

  /// The accused member's own votes that prove it.
  public var votes: [Vote] {
    switch self {
    case .conflictingNotarize(let first, let second), .conflictingFinalize(let first, let second): [first, second]
    case .nullifyFinalize(let nullify, let finalize): [nullify, finalize]
    case .notarizeFinalize(let notarize, let finalize): [notarize, finalize]
    case .invalidProposal(let invalid): [invalid.vote]
    case .brokenAcknowledgement: []
    }
  }

  /// Whether the votes contradict each other: of one member in one view, about two propositions, not two encodings of
  /// one. Says nothing about signatures, and of the other kinds only that they have the form.
  public var isContradiction: Bool {
    switch self {
    case .conflictingNotarize(let first, let second):
      guard case .notarize(let one) = first.ballot, case .notarize(let other) = second.ballot else { return false }
      return Self.isOfOne(first, second) && one != other
    case .conflictingFinalize(let first, let second):
      guard case .finalize(let one) = first.ballot, case .finalize(let other) = second.ballot else { return false }
      return Self.isOfOne(first, second) && one != other
    case .nullifyFinalize(let nullify, let finalize):
      guard case .nullify = nullify.ballot, case .finalize = finalize.ballot else { return false }
      return Self.isOfOne(nullify, finalize)
    case .notarizeFinalize(let notarize, let finalize):
      guard case .notarize(let one) = notarize.ballot, case .finalize(let other) = finalize.ballot else { return false }
      return Self.isOfOne(notarize, finalize) && one.blockHash != other.blockHash
    case .invalidProposal(let invalid):
      if case .notarize = invalid.vote.ballot { return true }
      return false
    case .brokenAcknowledgement: return true
    }
  }

  private static func isOfOne(_ first: Vote, _ second: Vote) -> Bool {
    first.member == second.member && first.ballot.era == second.ballot.era && first.ballot.view == second.ballot.view
  }

  /// SHA-256 of the canonical bytes: what a suspension names as its grounds.
  public var digest: Digest { Digest(hashing: encoded) }
}

extension ConsensusEvidence: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    switch self {
    case .invalidProposal(let invalid):
      writer.array(2)
      writer.write(kind)
      writer.write(invalid)
    case .brokenAcknowledgement(let broken):
      writer.array(2)
      writer.write(kind)
      writer.write(broken)
    default:
      writer.array(3)
      writer.write(kind)
      for vote in votes { writer.write(vote) }
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.array(maximum: 3) { (reader, count) throws(WireError) in
      switch (try reader.value(EvidenceKind.self), count) {
      case (.conflictingNotarize, 3): return .conflictingNotarize(try reader.value(), try reader.value())
      case (.conflictingFinalize, 3): return .conflictingFinalize(try reader.value(), try reader.value())
      case (.nullifyFinalize, 3): return .nullifyFinalize(nullify: try reader.value(), finalize: try reader.value())
      case (.notarizeFinalize, 3): return .notarizeFinalize(notarize: try reader.value(), finalize: try reader.value())
      case (.invalidProposal, 2): return .invalidProposal(try reader.value())
      case (.brokenAcknowledgement, 2): return .brokenAcknowledgement(try reader.value())
      default: throw .invalidValue(field: "evidence")
      }
    }
  }
}

extension ConsensusEvidence: Verifiable {
  /// The accused's votes, the members' statements, the acknowledgement and the certificate. What they prove together
  /// is for the ledger to say.
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    var checks: [SignatureCheck] = []
    for vote in votes { checks += try vote.signatureChecks(in: context) }
    switch self {
    case .invalidProposal(let invalid):
      for statement in invalid.statements {
        checks.append(try statement.namedSignerCheck(InvalidProposalStatement.self, in: context))
      }
    case .brokenAcknowledgement(let broken):
      checks.append(try broken.acknowledgement.namedSignerCheck(SubmissionAcknowledgement.self, in: context))
      checks.append(try broken.transaction.namedSignerCheck(Transaction.self, in: context))
      checks += try broken.certificate.signatureChecks(in: context)
    default: break
    }
    return checks
  }
}

/// "I executed this block on its parent, and it is invalid for ever." By a member's key.
public struct InvalidProposalStatement: Hashable, SignedPayload {
  public static let kind = MessageKind.invalidProposal
  public let proposition: Proposition

  public init(_ proposition: Proposition) { self.proposition = proposition }
  public func encode(to writer: inout CBORWriter) { writer.write(proposition) }
  public init(from reader: inout CBORReader) throws(WireError) { proposition = try reader.value() }
}

/// A leader's vote for its own block, and who states that the block is invalid. The ledger gathers statements until
/// f + 1 members made one: then one of them is honest, and the leader is convicted.
public struct InvalidProposal: Hashable, Sendable, WireCodable {
  /// The leader's notarize vote.
  public var vote: Vote
  /// ``InvalidProposalStatement`` of different members.
  public var statements: [Envelope]

  public init(vote: Vote, statements: [Envelope]) {
    self.vote = vote
    self.statements = statements
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(vote)
    writer.write(list: statements)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      InvalidProposal(vote: try reader.value(), statements: try reader.list(maximum: Genesis.maximumMembers))
    }
  }
}

/// Whom the ledger convicted of what: the key under which it keeps the evidence, once.
public struct Conviction: Hashable, Sendable, WireCodable {
  /// The validator key of the guilty member in that era.
  public let signer: PublicKey
  public let era: Era
  public let view: View
  public let kind: EvidenceKind

  public init(signer: PublicKey, era: Era, view: View, kind: EvidenceKind) {
    self.signer = signer
    self.era = era
    self.view = view
    self.kind = kind
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(signer)
    writer.write(era)
    writer.write(view)
    writer.write(kind)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      Conviction(
        signer: try reader.value(), era: try reader.uint(), view: try reader.uint(), kind: try reader.value())
    }
  }
}
