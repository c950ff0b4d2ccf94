import Signing
import Wire

/// The last block of an era, offered again in a later view because it is certified and not final: nothing may be built
/// on it, and it cannot become final by a child. The bytes of the block are the same; what is voted on is new, and what
/// a header would carry (a certificate of the parent, nullifications of the views between) travels beside it. Here the
/// parent is the block itself, as it was certified in ``Proposition/parentView``.
public struct Reproposal: Hashable, Sendable, WireCodable {
  public let block: Block
  /// The leader's notarize vote of the view in which it is offered again.
  public let vote: Vote
  /// A notarization or finalization of the block in the parent view.
  public let certificate: Certificate
  /// Nullifications of the views between, ascending: all, or the latest ``BlockHeader/maximumSkipped``.
  public let skipped: [Certificate]

  public init(block: Block, vote: Vote, certificate: Certificate, skipped: [Certificate]) {
    self.block = block
    self.vote = vote
    self.certificate = certificate
    self.skipped = skipped
  }

  /// Whether the certificates prove that the block may be offered in this view. Says nothing about their signatures.
  public func isWellFormed(hash: Digest) -> Bool {
    guard case .notarize(let offered) = vote.ballot, offered.blockHash == hash, offered.era == block.header.era,
      offered.parentView >= block.header.view, offered.view > offered.parentView,
      let certified = certificate.ballot.proposition, certified.blockHash == hash, certified.era == offered.era,
      certified.view == offered.parentView
    else { return false }
    guard UInt64(skipped.count) == min(offered.view - offered.parentView - 1, UInt64(BlockHeader.maximumSkipped))
    else { return false }
    let first = offered.view - UInt64(skipped.count)
    return skipped.enumerated().allSatisfy { index, certificate in
      certificate.ballot == .nullify(era: offered.era, view: first + UInt64(index))
    }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(block)
    writer.write(vote)
    writer.write(certificate)
    writer.write(list: skipped)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      Reproposal(
        block: try reader.value(), vote: try reader.value(), certificate: try reader.value(),
        skipped: try reader.list(maximum: BlockHeader.maximumSkipped))
    }
  }
}

extension Reproposal: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    guard isWellFormed(hash: block.hash) else { throw .malformed("reproposal") }
    var checks = try vote.signatureChecks(in: context) + certificate.signatureChecks(in: context)
    for certificate in skipped { checks += try certificate.signatureChecks(in: context) }
    return try checks + block.signatureChecks(in: context)
  }
}
