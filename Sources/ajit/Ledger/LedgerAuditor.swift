import Ledger
import Messages
import Signing

/// Re-checks the ledger that members hold, from the genesis and nothing else: every certificate, signature, root and
/// result, all money, and that no two members hold different blocks at one height.
///
/// Blocks are executed once: the first member that holds a height pays for it, the others are compared with it byte
/// for byte. A block that differs is looked at on its own, to tell damage from disagreement.
///
/// Where the early blocks were deleted, execution begins with a snapshot: its state is proved against a header that a
/// quorum certified, and what is left of the blocks before it is checked for all but their execution.
struct LedgerAuditor {
  /// Executes the chain; stands at the highest block that held.
  private var chain: LedgerVerifier
  /// Finalizations, and blocks that differ.
  private var verifier: Verifier
  private let genesis: Genesis
  /// The height of the state that execution began with: 0 for the genesis.
  private(set) var origin: Height = 0
  /// The block of that height.
  private var chainOrigin = Digest.zero
  /// By height, from ``origin`` + 1: the block's hash, the digest of the whole block, and who held it first.
  private var verified: [(hash: Digest, digest: Digest, member: String)] = []
  /// Of blocks up to there.
  private var unexecuted: [Height: (digest: Digest, member: String)] = [:]

  /// What one member's copy came to.
  struct Finding: Sendable {
    let member: String
    /// Blocks that hold.
    var height: Height = 0
    var transactions = 0
    /// Of the snapshot that its copy begins with; 0 where it begins with the first block.
    var snapshot: Height = 0
    var problem: String?
  }

  init(genesis: Genesis) throws(GenesisError) {
    self.genesis = genesis
    chain = try LedgerVerifier(genesis: genesis)
    verifier = Verifier(context: genesis.verificationContext)
  }

  var state: LedgerState { chain.state }
  /// The highest block that held.
  var height: Height { origin + Height(verified.count) }

  /// Counts all the money again, from every record of the state.
  func audit() throws(LedgerDiscrepancy) { try chain.audit() }

  /// Takes one member's whole copy.
  mutating func examine(_ log: BlockLog) -> Finding {
    var finding = Finding(member: log.member)
    do {
      let snapshot = try log.snapshot(genesis)
      if let snapshot { try verify(snapshot, of: log.member) }
      try begin(try log.firstHeight(), snapshot, &finding)
      try log.forEachSegment { segment in
        try check(segment, &finding)
        return true
      }
      if let snapshot { try compare(snapshot, of: log.member) }
    } catch {
      finding.problem = "\(error)"
    }
    return finding
  }

  /// The certificate, by the members of its era, whom those of the era before voted in.
  private mutating func verify(_ snapshot: StoredSnapshot, of member: String) throws {
    do {
      _ = try verifier.verify(snapshot.manifest)
      for segment in snapshot.manifest.history { if let next = segment.nextEra { verifier.learn(next) } }
    } catch {
      throw LedgerProblem(
        member: member, height: snapshot.height, "the snapshot's certificate does not verify: \(Wording.fault(error))")
    }
  }

  /// A copy whose early blocks are gone goes on from its snapshot; the first such copy decides where execution begins.
  private mutating func begin(_ first: Height?, _ snapshot: StoredSnapshot?, _ finding: inout Finding) throws {
    guard let snapshot, first ?? snapshot.height + 1 > 1 else { return }
    finding.snapshot = snapshot.height
    finding.height = (first ?? snapshot.height + 1) - 1
    guard height == 0 else { return }
    chain = LedgerVerifier(genesis: genesis, after: snapshot.header, state: snapshot.state)
    origin = snapshot.height
    chainOrigin = snapshot.header.hash
  }

  /// The snapshot is of the block that stands at its height in the chain.
  private func compare(_ snapshot: StoredSnapshot, of member: String) throws {
    guard snapshot.height > origin, snapshot.height <= height else { return }
    guard verified[Int(snapshot.height - origin) - 1].hash == snapshot.header.hash else {
      throw LedgerProblem(member: member, height: snapshot.height, "the snapshot is of another block")
    }
  }

  /// - Parameter segments: hands over the member's segments in order until it is told to stop.
  mutating func examine(
    member: String, _ segments: ((LedgerSegment) throws -> Bool) throws -> Void
  ) -> Finding {
    var finding = Finding(member: member)
    do {
      try segments { segment in
        try check(segment, &finding)
        return true
      }
    } catch {
      finding.problem = "\(error)"
    }
    return finding
  }

  private mutating func check(_ segment: LedgerSegment, _ finding: inout Finding) throws {
    let first = segment.blocks[0].header.height
    func problem(_ height: Height, _ difference: String) -> LedgerProblem {
      LedgerProblem(member: finding.member, height: height, difference)
    }
    guard first == finding.height + 1 else { throw problem(finding.height + 1, "the block is missing") }
    do { _ = try verifier.verify(segment) } catch {
      throw problem(first, "the segment does not verify: \(Wording.fault(error))")
    }
    if let next = segment.nextEra { verifier.learn(next) }
    for block in segment.blocks {
      let height = block.header.height
      let digest = Digest(hashing: block.encoded)
      if height <= origin {
        if height == origin, block.hash != chainOrigin { throw problem(height, "it is not the snapshot's block") }
        if let known = unexecuted[height], known.digest != digest {
          throw problem(height, difference(block, from: known.member))
        }
        unexecuted[height] = (digest, finding.member)
      } else if height <= self.height {
        let known = verified[Int(height - origin) - 1]
        guard known.digest == digest else {
          throw problem(height, difference(block, from: known.member))
        }
      } else {
        do throws(LedgerDiscrepancy) { try chain.check(block) } catch {
          throw problem(error.height, error.difference.text)
        }
        verified.append((block.hash, digest, finding.member))
      }
      finding.height = height
      finding.transactions += block.body.transactions.count
    }
  }

  private mutating func difference(_ block: Block, from member: String) -> String {
    do {
      _ = try verifier.verify(block)
      return "it holds another valid block than \(member)"
    } catch {
      return "the block does not verify: \(Wording.fault(error))"
    }
  }
}

extension LedgerDiscrepancy.Difference {
  /// For people.
  var text: String {
    switch self {
    case .unverified(let text): "the block does not verify: \(text)"
    case .parent(let stated, let actual): "the parent is \(stated.short) and not \(actual.short)"
    case .transaction(let position, let text): "transaction \(position) does not hold: \(text)"
    case .invalidBlock(let defect): "no honest leader could have proposed the block: \(defect)"
    case .result(let position, let stated, let computed):
      "transaction \(position) is \(computed.name), the block says \(stated.name)"
    case .events(let stated, let computed):
      "executing the block gives \(computed) events that differ from the \(stated) it states"
    case .stateRoot(let stated, let computed): "the state's root is \(computed.short), the block says \(stated.short)"
    case .money(let fault): "money does not add up: \(Wording.fault(fault))"
    }
  }
}
