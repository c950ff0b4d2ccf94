import Signing
import Wire

/// A stretch of the final chain that proves itself: consecutive blocks, the last with a finalization. What members
/// publish to followers, what a member that fell behind catches up with, what the block log holds and what an auditor
/// reads.
public struct LedgerSegment: Hashable, Sendable, WireCodable {
  /// Consecutive heights, at least one block.
  public let blocks: [Block]
  /// Of the last block. By the hash chain it makes all of them final.
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
          header.parentView == previous.header.view, header.time > previous.header.time
        else { throw .malformed("chain of a segment") }
      }
      try block.checkBody()
      previous = (block.header, block.hash)
    }
    guard let hash = previous?.hash, finalization.ballot == .finalize(last.header.proposition(hash: hash)) else {
      throw .malformed("finalization of a segment")
    }
    var checks = try finalization.signatureChecks(in: context)
    for block in blocks { checks += try block.transactionChecks(in: context) }
    return checks
  }
}
