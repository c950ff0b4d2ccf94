import Signing
import Wire

/// What a block's hash covers: its place in the chain, why its view may follow its parent's, and the roots of its
/// body and of the state after it.
public struct BlockHeader: Hashable, Sendable, WireCodable {
  public var era: Era
  public var view: View
  /// 0 for a child of the genesis.
  public var parentView: View
  public var height: Height
  /// The network id for a child of the genesis.
  public var parentHash: Digest
  /// The leader's clock when it built the block; later than the parent's time.
  public var time: Instant
  public var leader: MemberIndex
  public var transactionsRoot: Digest
  public var outcomesRoot: Digest
  public var stateRoot: Digest
  /// A notarization or finalization of the parent, in an era's first block a finalization of the era before; nil
  /// exactly for a child of the genesis.
  public var parentCertificate: Certificate?
  /// Nullifications of the views between parent and this block, ascending: all of them, or when there are more than
  /// ``maximumSkipped`` the latest that many. (The intent asks for a hashed sidecar with the rest. Any valid
  /// nullification of a view proves the same, so receivers fetch the rest by view range and hold them before they vote;
  /// nothing is gained from everyone holding the same bytes.)
  public var skipped: [Certificate]

  public static let maximumSkipped = 64

  public init(
    era: Era, view: View, parentView: View, height: Height, parentHash: Digest, time: Instant, leader: MemberIndex,
    transactionsRoot: Digest, outcomesRoot: Digest, stateRoot: Digest, parentCertificate: Certificate?,
    skipped: [Certificate]
  ) {
    self.era = era
    self.view = view
    self.parentView = parentView
    self.height = height
    self.parentHash = parentHash
    self.time = time
    self.leader = leader
    self.transactionsRoot = transactionsRoot
    self.outcomesRoot = outcomesRoot
    self.stateRoot = stateRoot
    self.parentCertificate = parentCertificate
    self.skipped = skipped
  }

  /// SHA-256 of the canonical bytes. Computed each time: keep it.
  public var hash: Digest { Digest(hashing: encoded) }

  /// What members vote on.
  public func proposition(hash: Digest) -> Proposition {
    Proposition(era: era, view: view, parentView: parentView, blockHash: hash)
  }

  /// Whether the certificates in this header prove that its view may follow its parent's. Says nothing about their
  /// signatures, nor about the parent's height and time.
  public var isWellFormed: Bool {
    guard view > parentView, height > 0 else { return false }
    if let parent = parentCertificate {
      guard parentView > 0, let proposition = parent.ballot.proposition, proposition.blockHash == parentHash,
        proposition.era == era ? proposition.view == parentView : Self.isProofOfEnd(parent, of: era, after: parentView)
      else { return false }
    } else {
      guard parentView == 0, height == 1 else { return false }
    }
    guard UInt64(skipped.count) == min(view - parentView - 1, UInt64(Self.maximumSkipped)) else { return false }
    let first = view - UInt64(skipped.count)
    for (index, certificate) in skipped.enumerated() {
      guard certificate.ballot == .nullify(era: era, view: first + UInt64(index)) else { return false }
    }
    return true
  }

  /// The first block of an era follows the last of the one before, whose finalization shows that it is final and no
  /// more: its view may be any in which that block was offered.
  private static func isProofOfEnd(_ certificate: Certificate, of era: Era, after parentView: View) -> Bool {
    guard case .finalize(let proposition) = certificate.ballot else { return false }
    return era > 0 && proposition.era == era - 1 && proposition.view >= parentView
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(12)
    writer.write(era)
    writer.write(view)
    writer.write(parentView)
    writer.write(height)
    writer.write(parentHash)
    writer.write(time)
    writer.write(UInt64(leader))
    writer.write(transactionsRoot)
    writer.write(outcomesRoot)
    writer.write(stateRoot)
    writer.write(optional: parentCertificate)
    writer.write(list: skipped)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(12) { (reader) throws(WireError) in
      BlockHeader(
        era: try reader.uint(), view: try reader.uint(), parentView: try reader.uint(), height: try reader.uint(),
        parentHash: try reader.value(), time: try reader.value(),
        leader: try reader.uint(MemberIndex.self, field: "leader"), transactionsRoot: try reader.value(),
        outcomesRoot: try reader.value(), stateRoot: try reader.value(), parentCertificate: try reader.optional(),
        skipped: try reader.list(maximum: Self.maximumSkipped))
    }
  }
}

/// A header and the body it commits to.
public struct Block: Hashable, Sendable, WireCodable {
  public var header: BlockHeader
  public var body: BlockBody

  public init(header: BlockHeader, body: BlockBody) {
    self.header = header
    self.body = body
  }

  /// The header's hash: SHA-256 of its canonical bytes. Computed each time: keep it.
  public var hash: Digest { header.hash }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(header)
    writer.write(body)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      Block(header: try reader.value(), body: try reader.value())
    }
  }

  /// Refuses a body that is not the one the header commits to. Whoever passed it on is not proven guilty of anything.
  func checkBody() throws(VerificationError) {
    guard body.transactions.count == body.outcomes.results.count else { throw .malformed("results of a block") }
    guard body.transactionsRoot == header.transactionsRoot, body.outcomesRoot == header.outcomesRoot else {
      throw .malformed("body of a block")
    }
  }

  /// Each transaction under its own signer, and what others signed inside it (evidence, agreements, records): the
  /// ledger takes all of that as verified. A payload that is no transaction is left to the core, for re-execution to
  /// refute.
  func transactionChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    var checks: [SignatureCheck] = []
    checks.reserveCapacity(body.transactions.count)
    for envelope in body.transactions {
      guard envelope.kind == Transaction.kind, envelope.version == Transaction.version,
        let check = envelope.check(network: context.network)
      else { throw .unexpected("something else than a transaction in a block") }
      if let transaction = try? SignedTransaction(envelope) {
        checks += try transaction.signatureChecks(in: context)
      } else {
        checks.append(check)
      }
    }
    return checks
  }

  /// The checks of the certificates a header carries.
  func certificateChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    var checks: [SignatureCheck] = []
    if let parent = header.parentCertificate { checks += try parent.signatureChecks(in: context) }
    for certificate in header.skipped { checks += try certificate.signatureChecks(in: context) }
    return checks
  }
}

/// A block as a member holds it without asking whether a quorum wants it: what a fetch by hash is answered with. The
/// asker knows the hash from a certificate, so the body and the transactions are all there is to verify.
extension Block: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    guard header.isWellFormed else { throw .malformed("header of a block") }
    try checkBody()
    return try certificateChecks(in: context) + transactionChecks(in: context)
  }
}

/// A block with its leader's notarize vote: what starts a view. Verification leaves ``BlockHeader/isWellFormed`` to the
/// core: a leader that signed a header which breaks it has convicted itself, so the proposal must not be dropped here.
public struct Proposal: Hashable, Sendable, WireCodable {
  public let block: Block
  public let vote: Vote

  public init(block: Block, vote: Vote) {
    self.block = block
    self.vote = vote
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(block)
    writer.write(vote)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      Proposal(block: try reader.value(), vote: try reader.value())
    }
  }
}

extension Proposal: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    let header = block.header
    guard vote.member == header.leader, vote.ballot == .notarize(header.proposition(hash: block.hash)) else {
      throw .malformed("proposal: the vote is not its leader's for this block")
    }
    try block.checkBody()
    return try vote.signatureChecks(in: context) + block.certificateChecks(in: context)
      + block.transactionChecks(in: context)
  }
}
