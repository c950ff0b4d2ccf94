import Messages
import Signing

/// S1, S5, S9, S10 and S11 over the final blocks that honest members publish. Each block is looked into once; of every
/// further member only that its chain is the same one, in order.
struct ChainCheck {
  private struct Block {
    let hash: Digest
    let view: View
    let time: Instant
    let stateRoot: Digest
  }

  /// By height, from 1.
  private var chain: [Block] = []
  /// Blocks finalized beyond what ``chain`` reaches, by height: a member that lost publications skips some.
  private var ahead: [Height: Messages.Block] = [:]
  private var views: [View: Digest] = [:]
  private var executed: [Digest: Height] = [:]
  private var lifeCycle = LifeCycleCheck()
  /// Per member: the life and the height of what it published last.
  private var last: [MemberIndex: (life: UInt64, height: Height, view: View)] = [:]

  func finalView(of member: MemberIndex) -> View { last[member]?.view ?? 0 }
  func height(of member: MemberIndex) -> Height { last[member]?.height ?? 0 }
  /// The highest final height anywhere, and its view.
  private(set) var highest: (height: Height, view: View) = (0, 0)

  mutating func finalized(
    _ segment: LedgerSegment, by member: MemberIndex, life: UInt64, _ consortium: Consortium, at now: Instant,
    _ violations: inout Violations
  ) {
    for block in segment.blocks {
      checkOrder(block.header, by: member, life: life, consortium, at: now, &violations)
      inspect(block, by: member, consortium, at: now, &violations)
    }
  }

  private mutating func checkOrder(
    _ header: BlockHeader, by member: MemberIndex, life: UInt64, _ consortium: Consortium, at now: Instant,
    _ violations: inout Violations
  ) {
    if let last = last[member] {
      // What a crash kept from being published is not published again: a new life may go on above a hole.
      let isNext = last.life == life ? header.height == last.height + 1 : header.height > last.height
      if !isNext || header.view <= last.view {
        violations.add(
          .neverBack, "\(consortium.name(member)) finalizes height \(header.height) after \(last.height)", at: now)
      }
    }
    last[member] = (life, header.height, header.view)
    if header.height > highest.height { highest = (header.height, header.view) }
  }

  private mutating func inspect(
    _ block: Messages.Block, by member: MemberIndex, _ consortium: Consortium, at now: Instant,
    _ violations: inout Violations
  ) {
    let header = block.header
    let hash = block.hash
    let index = Int(clamping: header.height) - 1
    if index < 0 {
      return violations.add(.gapsNullified, "\(consortium.name(member)) finalizes a block without a height", at: now)
    }
    if let other = views[header.view], other != hash {
      violations.add(.oneChain, "two final blocks in view \(header.view), one at \(consortium.name(member))", at: now)
    }
    views[header.view] = hash
    if index < chain.count {
      guard chain[index].hash != hash else { return }
      violations.add(
        .oneChain, "two final blocks at height \(header.height), one at \(consortium.name(member))", at: now)
      if chain[index].stateRoot != header.stateRoot {
        violations.add(.oneState, "two state roots at height \(header.height)", at: now)
      }
      return
    }
    ahead[header.height] = ahead[header.height] ?? block
    while let next = ahead.removeValue(forKey: Height(chain.count) + 1) {
      append(next, consortium, at: now, &violations)
    }
  }

  private mutating func append(
    _ block: Messages.Block, _ consortium: Consortium, at now: Instant, _ violations: inout Violations
  ) {
    let header = block.header
    let hash = block.hash
    let parent = chain.last ?? Block(hash: consortium.network, view: 0, time: consortium.genesisTime, stateRoot: .zero)
    if header.parentHash != parent.hash {
      violations.add(.oneChain, "the final block at height \(header.height) has another parent", at: now)
    }
    if let defect = Self.defect(of: header, after: parent.view, parent.hash, parent.time) {
      violations.add(.gapsNullified, "the final block at height \(header.height) \(defect)", at: now)
    }
    for transaction in block.body.transactions {
      if let earlier = executed.updateValue(header.height, forKey: transaction.digest) {
        violations.add(
          .executedOnce, "transaction \(transaction.digest) stands at heights \(earlier) and \(header.height)",
          at: now)
      }
    }
    lifeCycle.executed(block, at: now, &violations)
    chain.append(Block(hash: hash, view: header.view, time: header.time, stateRoot: header.stateRoot))
  }

  /// What a header fails to prove about its place, as the end of a sentence: ``BlockHeader/isWellFormed``, written
  /// again.
  private static func defect(
    of header: BlockHeader, after parentView: View, _ parentHash: Digest, _ parentTime: Instant
  ) -> String? {
    if header.parentView != parentView { return "names view \(header.parentView) as its parent's, not \(parentView)" }
    if header.view <= parentView { return "of view \(header.view) does not come after view \(parentView)" }
    if header.time <= parentTime { return "is not later than its parent" }
    if parentView > 0 {
      guard let shown = header.parentCertificate?.ballot.proposition, shown.blockHash == parentHash,
        shown.view == parentView
      else { return "does not show its parent's certificate" }
    }
    let gap = parentView + 1..<header.view
    let shown = Set(header.skipped.compactMap { $0.ballot.proposition == nil ? $0.view : nil })
    // More than a header holds are fetched, and held by every voter (``BlockHeader/skipped``).
    let wanted = gap.suffix(BlockHeader.maximumSkipped)
    if let missing = wanted.first(where: { !shown.contains($0) }) {
      return "skips view \(missing) and shows no nullification of it"
    }
    return nil
  }
}
