import Ledger
import Messages
import Signing

/// The latest final blocks with their certificates and the states after them: what it takes to show that one lacks a
/// transaction. States share their structure, so one more costs what its block changed.
struct RecentBlocks: Sendable {
  /// Blocks kept. A customer that got no answer from the ledger asks for witnesses within seconds.
  static let capacity = 128
  /// Envelopes of all of them together.
  static let capacityBytes = 32 << 20

  struct Entry: Sendable {
    let block: Block
    let certificate: Certificate
    /// After this block.
    let state: LedgerState
    let bytes: Int

    var header: BlockHeader { block.header }
  }

  /// Ascending by height, without gaps.
  private(set) var entries: [Entry] = []
  private var bytes = 0

  /// - Parameter states: after each block of the segment.
  mutating func append(_ segment: LedgerSegment, _ states: [LedgerState]) {
    for (index, (block, state)) in zip(segment.blocks, states).enumerated() {
      let next = index + 1 < segment.blocks.count ? segment.blocks[index + 1].header.parentCertificate : nil
      let size = block.body.transactions.reduce(0) { $0 + $1.bytes.count }
      if let last = entries.last, last.header.height + 1 != block.header.height { (entries, bytes) = ([], 0) }
      entries.append(Entry(block: block, certificate: next ?? segment.finalization, state: state, bytes: size))
      bytes += size
    }
    while entries.count > Self.capacity || bytes > Self.capacityBytes && entries.count > 1 {
      bytes -= entries.removeFirst().bytes
    }
  }

  /// The proof that a block among these breaks the promise; nil when none does.
  /// - Parameter from: the height of the first block to look at.
  func proof(
    that witnessed: WitnessedAcknowledgement, wasBrokenFrom height: Height = 0
  ) -> ConsensusEvidence? {
    guard let promise = try? witnessed.acknowledgement.payload(), let signer = witnessed.acknowledgement.envelope.signer
    else { return nil }
    for (parent, entry) in zip(entries, entries.dropFirst()) where entry.header.height >= height {
      let header = entry.header
      guard (promise.era, promise.view) <= (header.era, header.view), let era = parent.state.era(header.era),
        Int(header.leader) < era.members.count, era.members[Int(header.leader)].key == signer
      else { continue }
      guard let evidence = Self.evidence(witnessed, parent, entry) else { continue }
      if case .convicts = entry.state.judge(evidence) { return evidence }
    }
    return nil
  }

  private static func evidence(
    _ witnessed: WitnessedAcknowledgement, _ parent: Entry, _ entry: Entry
  ) -> ConsensusEvidence? {
    let body = entry.block.body
    guard let roomProof = body.outcomes.roomProof else { return nil }
    let transaction = witnessed.transaction
    return .brokenAcknowledgement(
      BrokenAcknowledgement(
        acknowledgement: witnessed.acknowledgement.envelope, transaction: transaction.envelope,
        parent: parent.header, header: entry.header, certificate: entry.certificate,
        transactions: body.transactions.map { MerkleTree.leafHash($0.bytes) }, room: body.outcomes.room,
        roomProof: roomProof, signer: parent.state.proof(of: LedgerKey.role(transaction.signer)),
        nonce: parent.state.proof(of: LedgerKey.nonce(transaction.signer, transaction.transaction.nonce))))
  }
}
