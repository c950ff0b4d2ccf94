import Consensus
import Messages
import Signing
import Testing

/// The invariants of consensus.md, watched from outside over everything that honest members say and store.
struct Checker {
  let consortium: TestConsortium
  let faulty: Set<MemberIndex>
  private var verifier: Verifier
  private(set) var violations: [String] = []

  private var finalByHeight: [Height: Digest] = [:]
  private var finalByView: [View: Digest] = [:]
  private var notarizedByView: [View: Digest] = [:]
  private var finalizedByView: [View: Digest] = [:]
  private var nullified: Set<View> = []
  private var notarizeVotes: [MemberIndex: [View: Digest]] = [:]
  private var finalizeVotes: [MemberIndex: [View: Digest]] = [:]
  private var nullifyVotes: [MemberIndex: Set<View>] = [:]
  private var highest: [MemberIndex: (view: View, height: Height)] = [:]

  init(_ consortium: TestConsortium, faulty: Set<MemberIndex>) {
    self.consortium = consortium
    self.faulty = faulty
    verifier = Verifier(context: consortium.context)
  }

  private mutating func fail(_ text: String) { violations.append(text) }

  /// S2, S3, S4, S6 on every certificate that is stored or sent by anyone honest.
  mutating func saw(_ certificate: Certificate) {
    if (try? verifier.verify(certificate)) == nil { fail("S6: certificate without quorum in view \(certificate.view)") }
    let view = certificate.view
    switch certificate.ballot {
    case .notarize(let proposition):
      if let other = notarizedByView.updateValue(proposition.blockHash, forKey: view), other != proposition.blockHash {
        fail("S3: two notarizations in view \(view)")
      }
    case .nullify:
      nullified.insert(view)
      if finalizedByView[view] != nil { fail("S2: view \(view) nullified and finalized") }
    case .finalize(let proposition):
      if nullified.contains(view) { fail("S2: view \(view) nullified and finalized") }
      if let other = finalizedByView.updateValue(proposition.blockHash, forKey: view), other != proposition.blockHash {
        fail("S1: two finalizations in view \(view)")
      }
      if let notarized = notarizedByView[view], notarized != proposition.blockHash {
        fail("S4: view \(view) finalized something else than was notarized")
      }
    }
  }

  /// S7 and S8 on every vote an honest member sends, across its restarts.
  mutating func said(_ vote: Vote, durable: Bool) {
    let member = vote.member
    guard !faulty.contains(member) else { return }
    if !durable { fail("S8: member \(member) spoke before its record was durable") }
    let view = vote.ballot.view
    switch vote.ballot {
    case .notarize(let proposition):
      if let other = notarizeVotes[member, default: [:]].updateValue(proposition.blockHash, forKey: view),
        other != proposition.blockHash
      {
        fail("S7: member \(member) notarized twice in view \(view)")
      }
    case .nullify: nullifyVotes[member, default: []].insert(view)
    case .finalize(let proposition):
      if let other = finalizeVotes[member, default: [:]].updateValue(proposition.blockHash, forKey: view),
        other != proposition.blockHash
      {
        fail("S7: member \(member) finalized twice in view \(view)")
      }
      if notarizedByView[view] != proposition.blockHash { fail("S4: finalize vote without notarization in \(view)") }
    }
    if let finalized = finalizeVotes[member]?[view] {
      if nullifyVotes[member]?.contains(view) == true { fail("S7: member \(member) nullified and finalized \(view)") }
      if let notarized = notarizeVotes[member]?[view], notarized != finalized {
        fail("S7: member \(member) notarized one block of view \(view) and finalized another")
      }
    }
  }

  /// S1 and S5.
  mutating func finalized(_ segment: LedgerSegment, by member: MemberIndex, after height: Height) {
    var expected = height + 1
    for block in segment.blocks {
      let header = block.header
      let hash = block.hash
      if header.height != expected { fail("S1: member \(member) finalized height \(header.height), not \(expected)") }
      expected += 1
      if let other = finalByHeight.updateValue(hash, forKey: header.height), other != hash {
        fail("S1: two final blocks at height \(header.height)")
      }
      if let other = finalByView.updateValue(hash, forKey: header.view), other != hash {
        fail("S1: two final blocks in view \(header.view)")
      }
      if header.height > 1, finalByHeight[header.height - 1] != header.parentHash { fail("S1: not a chain") }
      if !header.isWellFormed { fail("S5: malformed header final at height \(header.height)") }
      for certificate in header.skipped { saw(certificate) }
      if let parent = header.parentCertificate { saw(parent) }
    }
    saw(segment.finalization)
  }

  /// S9, seen at the end of each turn and after each restart.
  mutating func stands(_ member: MemberIndex, view: View, height: Height) {
    if let before = highest[member], before.view > view || before.height > height {
      fail("S9: member \(member) went back from view \(before.view), height \(before.height) to \(view), \(height)")
    }
    highest[member] = (view, height)
  }

  /// A1.
  mutating func accused(_ evidence: ConsensusEvidence, by member: MemberIndex) {
    if !faulty.contains(evidence.member) { fail("A1: member \(member) accuses honest \(evidence.member): \(evidence)") }
  }

  mutating func halted(_ member: MemberIndex, _ reason: String) { fail("member \(member) halted: \(reason)") }
}
