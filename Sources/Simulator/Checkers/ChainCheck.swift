import Messages
import Signing

/// S1, S5, S9, S10 and S11 over the final blocks that honest members publish. Each block is looked into once; of every
/// further member only that its chain is the same one, in order.
struct ChainCheck {
  private struct Block {
    let hash: Digest
    let place: Place
    let time: Instant
    let stateRoot: Digest
  }

  /// By height, from 1.
  private var chain: [Block] = []
  /// Blocks finalized beyond what ``chain`` reaches, by height: a member that lost publications skips some.
  private var ahead: [Height: Messages.Block] = [:]
  private var views: [Place: Digest] = [:]
  private var executed: [Digest: Height] = [:]
  private var lifeCycle = LifeCycleCheck()
  /// Per member: the life and the height of what it published last.
  private var last: [MemberIndex: (life: UInt64, height: Height, place: Place)] = [:]

  func finalPlace(of member: MemberIndex) -> Place { last[member]?.place ?? Place(era: 0, view: 0) }
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
      if !isNext || header.place <= last.place {
        violations.add(
          .neverBack, "\(consortium.name(member)) finalizes height \(header.height) after \(last.height)", at: now)
      }
    }
    last[member] = (life, header.height, header.place)
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
    if let other = views[header.place], other != hash {
      violations.add(.oneChain, "two final blocks in view \(header.place), one at \(consortium.name(member))", at: now)
    }
    views[header.place] = hash
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
    let genesis = Block(
      hash: consortium.network, place: Place(era: 0, view: 0), time: consortium.genesisTime, stateRoot: .zero)
    let parent = chain.last ?? genesis
    if header.parentHash != parent.hash {
      violations.add(.oneChain, "the final block at height \(header.height) has another parent", at: now)
    }
    if let defect = Self.defect(of: header, after: parent) {
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
    chain.append(Block(hash: hash, place: header.place, time: header.time, stateRoot: header.stateRoot))
  }

  /// What a header fails to prove about its place, as the end of a sentence: ``BlockHeader/isWellFormed``, written
  /// again.
  private static func defect(of header: BlockHeader, after parent: Block) -> String? {
    let parentView = parent.place.view
    if header.parentView != parentView { return "names view \(header.parentView) as its parent's, not \(parentView)" }
    if header.place <= parent.place { return "of view \(header.place) does not come after view \(parent.place)" }
    if header.time <= parent.time { return "is not later than its parent" }
    if parentView > 0, let defect = defect(ofCertificateIn: header, after: parent) { return defect }
    let gap = parentView + 1..<header.view
    let shown = Set(
      header.skipped.compactMap { $0.ballot.proposition == nil && $0.era == header.era ? $0.view : nil })
    // More than a header holds are fetched, and held by every voter (``BlockHeader/skipped``).
    let wanted = gap.suffix(BlockHeader.maximumSkipped)
    if let missing = wanted.first(where: { !shown.contains($0) }) {
      return "skips view \(missing) and shows no nullification of it"
    }
    return nil
  }

  /// An era's last block is offered again until it is final, so its finalization may be of a later view than its own.
  private static func defect(ofCertificateIn header: BlockHeader, after parent: Block) -> String? {
    guard let certificate = header.parentCertificate, let shown = certificate.ballot.proposition,
      shown.blockHash == parent.hash, shown.era == parent.place.era
    else { return "does not show its parent's certificate" }
    guard header.era != parent.place.era else {
      return shown.view == parent.place.view ? nil : "shows its parent's certificate of view \(shown.view)"
    }
    guard header.era == parent.place.era + 1, case .finalize = certificate.ballot, shown.view >= parent.place.view
    else { return "begins era \(header.era) without a finalization of era \(parent.place.era)" }
    return nil
  }
}

extension BlockHeader {
  fileprivate var place: Place { Place(era: era, view: view) }
}
