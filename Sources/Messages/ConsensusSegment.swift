import Signing
import Wire

/// A stretch of the final chain that proves itself: consecutive blocks, the last with a finalization. What members
/// publish to followers, what a member that fell behind catches up with, what the block log holds and what an auditor
/// reads.
public struct LedgerSegment: Hashable, Sendable, WireCodable {
  /// Consecutive heights, at least one block.
  public let blocks: [Block]
  /// Of the last block, in its own view or, at the end of an era, in one in which it was offered again. By the hash
  /// chain it makes all of them final.
  public let finalization: Certificate

  public static let maximumBlocks = 256

  /// - Parameter blocks: 1…``maximumBlocks`` of consecutive heights; `finalization` is the last one's.
  public init(blocks: [Block], finalization: Certificate) {
    self.blocks = blocks
    self.finalization = finalization
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(list: blocks)
    writer.write(finalization)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      let blocks: [Block] = try reader.list(maximum: Self.maximumBlocks)
      guard !blocks.isEmpty else { throw .invalidValue(field: "blocks") }
      return LedgerSegment(blocks: blocks, finalization: try reader.value())
    }
  }
}

extension LedgerSegment: Verifiable {
  /// The hash chain and the roots first, then the finalization and every transaction. The certificates inside headers
  /// are checked for form only: the blocks were finalized by a quorum that checked them, and an auditor who wants
  /// them proven too verifies each ``Block``.
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    guard let last = blocks.last, blocks.count <= Self.maximumBlocks else { throw .malformed("length of a segment") }
    var previous: (header: BlockHeader, hash: Digest)?
    for block in blocks {
      guard block.header.isWellFormed else { throw .malformed("header of a block") }
      if let previous {
        let header = block.header
        guard header.parentHash == previous.hash, header.height == previous.header.height &+ 1,
          header.parentView == previous.header.view, header.time > previous.header.time, header.era == last.header.era
        else { throw .malformed("chain of a segment") }
      }
      guard block.body.nextEra == nil || block.header.height == last.header.height else {
        throw .malformed("a segment goes on behind the end of an era")
      }
      try block.checkBody()
      previous = (block.header, block.hash)
    }
    guard let hash = previous?.hash, finalization.finalizes(last, hash: hash) else {
      throw .malformed("finalization of a segment")
    }
    var checks = try finalization.signatureChecks(in: context)
    for block in blocks { checks += try block.transactionChecks(in: context) }
    return checks
  }

  /// The era that begins behind this stretch.
  public var nextEra: EraRecord? { blocks.last?.body.nextEra }
}

extension Certificate {
  /// Whether this makes the block final: a finalization in the block's own view or, of an era's last block, in a later
  /// view in which it was offered again.
  public func finalizes(_ block: Block, hash: Digest) -> Bool {
    guard case .finalize(let proposition) = ballot else { return false }
    if proposition == block.header.proposition(hash: hash) { return true }
    return block.body.nextEra != nil && proposition.blockHash == hash && proposition.era == block.header.era
      && proposition.parentView >= block.header.view && proposition.view > proposition.parentView
  }
}
