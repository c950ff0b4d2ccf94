import Messages
import Signing

/// Two ledgers of one network that contradict each other, and who is guilty of it.
///
/// Both end in a finalization and neither is a prefix of the other, so a quorum broke its promises. Let a be the block
/// behind the fork that one chain finalized first, in view v. The other chain either certified another block in v, or
/// skipped v with a nullification that its header carries. Two quorums of one member set share at least 2q − n
/// members: each of them finalized a and voted for the other block of v, or nullified v. Their two votes are the proof,
/// and nothing else is needed to check it than the members of the era. (consensus.md, A3.)
public struct ChainJudge: Sendable {
  public enum Verdict: Sendable {
    /// One is a prefix of the other.
    case agree(through: Height)
    case forked(Fork)
  }

  public struct Fork: Sendable {
    /// The last height at which both hold the same block.
    public let commonHeight: Height
    /// Of the blocks behind it.
    public let era: EraRecord
    /// One proof for each culprit, in member order.
    public let proofs: [ConsensusEvidence]

    /// 2q − n: as many at least are guilty.
    public var atLeast: Int { 2 * era.quorum.votes - era.members.count }
    public var culprits: [Member] { proofs.map { era.members[Int($0.member)] } }
  }

  /// One chain so far: verified, executed, and everything that its members signed behind the fork.
  private struct Chain {
    var ledger: LedgerVerifier
    var segments: Verifier
    var hashes: [Digest] = []
    /// Per height: the certificates that stand in the block's header or close its segment.
    var certificates: [[Certificate]] = []
    var eras: [EraRecord]
  }

  private var chains: [Chain]

  public init(genesis: Genesis) throws(GenesisError) {
    chains = []
    for _ in 0..<2 {
      chains.append(
        Chain(
          ledger: try LedgerVerifier(genesis: genesis), segments: Verifier(context: genesis.verificationContext),
          eras: [genesis.firstEra]))
    }
  }

  /// Blocks of a chain so far.
  public func height(of chain: Int) -> Height { Height(chains[chain].hashes.count) }

  /// Takes the next segment of a chain: every signature and certificate is checked, every block executed.
  /// - Parameter chain: 0 or 1.
  public mutating func take(_ segment: LedgerSegment, of chain: Int) throws(LedgerDiscrepancy) {
    let height = segment.blocks.first?.header.height ?? 0
    do throws(VerificationError) { _ = try chains[chain].segments.verify(segment) } catch {
      throw LedgerDiscrepancy(height: height, difference: .unverified("\(error)"))
    }
    for block in segment.blocks {
      try chains[chain].ledger.check(block)
      chains[chain].hashes.append(block.hash)
      chains[chain].certificates.append(block.header.skipped + [block.header.parentCertificate].compactMap { $0 })
      chains[chain].eras.append(chains[chain].ledger.state.era)
    }
    chains[chain].certificates[chains[chain].certificates.count - 1].append(segment.finalization)
    if let next = segment.nextEra { chains[chain].segments.learn(next) }
  }

  public func verdict() -> Verdict {
    let common = zip(chains[0].hashes, chains[1].hashes).prefix { $0 == $1 }.count
    guard chains.allSatisfy({ $0.hashes.count > common }) else { return .agree(through: Height(common)) }
    let era = chains[0].eras[common]
    var book = VoteBook(era: era)
    for chain in chains {
      for certificate in chain.certificates[common...].joined() where certificate.era == era.era {
        for vote in certificate.votes { book.add(vote) }
      }
    }
    return .forked(Fork(commonHeight: Height(common), era: era, proofs: book.proofs))
  }
}

/// What each member of an era signed in each view, and the first contradiction of each.
private struct VoteBook {
  private struct Place: Hashable {
    let member: MemberIndex
    let view: View
  }

  private struct Votes {
    var notarize: [Vote] = []
    var nullify: Vote?
    var finalize: [Vote] = []
  }

  private var votes: [Place: Votes] = [:]
  private var found: [ConsensusEvidence?]

  init(era: EraRecord) { found = Array(repeating: nil, count: era.members.count) }

  var proofs: [ConsensusEvidence] { found.compactMap { $0 } }

  mutating func add(_ vote: Vote) {
    let place = Place(member: vote.member, view: vote.ballot.view)
    var known = votes[place] ?? Votes()
    defer { votes[place] = known }
    switch vote.ballot {
    case .notarize(let proposition):
      for other in known.notarize where other.ballot != vote.ballot { accuse(.conflictingNotarize(other, vote)) }
      for other in known.finalize where other.ballot.proposition?.blockHash != proposition.blockHash {
        accuse(.notarizeFinalize(notarize: vote, finalize: other))
      }
      if !known.notarize.contains(where: { $0.ballot == vote.ballot }) { known.notarize.append(vote) }
    case .nullify:
      if let finalize = known.finalize.first { accuse(.nullifyFinalize(nullify: vote, finalize: finalize)) }
      known.nullify = vote
    case .finalize(let proposition):
      for other in known.finalize where other.ballot != vote.ballot { accuse(.conflictingFinalize(other, vote)) }
      if let nullify = known.nullify { accuse(.nullifyFinalize(nullify: nullify, finalize: vote)) }
      for other in known.notarize where other.ballot.proposition?.blockHash != proposition.blockHash {
        accuse(.notarizeFinalize(notarize: other, finalize: vote))
      }
      if !known.finalize.contains(where: { $0.ballot == vote.ballot }) { known.finalize.append(vote) }
    }
  }

  private mutating func accuse(_ evidence: ConsensusEvidence) {
    if found[Int(evidence.member)] == nil { found[Int(evidence.member)] = evidence }
  }
}
