import Consensus
import Messages
import Signing
import Testing

/// The invariants of consensus.md, watched from outside over everything that honest members say and store.
struct Checker {
  let consortium: TestConsortium
  var faulty: Set<MemberIndex>
  private var verifier: Verifier
  private(set) var violations: [String] = []

  private var finalByHeight: [Height: Digest] = [:]
  private var finalByView: [Place: Digest] = [:]
  private var notarizedByView: [Place: Digest] = [:]
  private var finalizedByView: [Place: Digest] = [:]
  private var nullified: Set<Place> = []
  /// By participant.
  private var notarizeVotes: [MemberIndex: [Place: Digest]] = [:]
  private var finalizeVotes: [MemberIndex: [Place: Digest]] = [:]
  private var nullifyVotes: [MemberIndex: Set<Place>] = [:]
  private var highest: [MemberIndex: (place: Place, height: Height)] = [:]

  /// Views are ordered by (era, view).
  struct Place: Hashable, Comparable, CustomStringConvertible {
    let era: Era
    let view: View
    static func < (left: Place, right: Place) -> Bool { (left.era, left.view) < (right.era, right.view) }
    var description: String { era == 0 ? "\(view)" : "\(era).\(view)" }
  }

  init(_ consortium: TestConsortium, faulty: Set<MemberIndex>) {
    self.consortium = consortium
    self.faulty = faulty
    verifier = Verifier(context: consortium.fullContext)
  }

  private mutating func fail(_ text: String) { violations.append(text) }

  /// S2, S3, S4, S6 on every certificate that is stored or sent by anyone honest.
  mutating func saw(_ certificate: Certificate) {
    if (try? verifier.verify(certificate)) == nil { fail("S6: certificate without quorum in view \(certificate.view)") }
    let view = Place(era: certificate.era, view: certificate.view)
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
    let member = consortium.participant(vote.member, in: vote.ballot.era)
    guard !faulty.contains(member) else { return }
    if !durable { fail("S8: member \(member) spoke before its record was durable") }
    let view = Place(era: vote.ballot.era, view: vote.ballot.view)
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
      if let other = finalByView.updateValue(hash, forKey: Place(era: header.era, view: header.view)),
        other != hash
      {
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
  mutating func stands(_ member: MemberIndex, _ place: Place, height: Height) {
    if let before = highest[member], before.place > place || before.height > height {
      fail("S9: member \(member) went back from view \(before.place), height \(before.height) to \(place), \(height)")
    }
    highest[member] = (place, height)
  }

  /// A member restored from an old copy is where that was: only what it says is held against it.
  mutating func putBack(_ member: MemberIndex) { highest[member] = nil }

  /// A1.
  mutating func accused(_ evidence: ConsensusEvidence, by member: MemberIndex) {
    let accused = consortium.participant(evidence.member, in: evidence.era)
    if !faulty.contains(accused) { fail("A1: member \(member) accuses honest \(accused): \(evidence)") }
  }

  mutating func refuted(_ proposal: Proposal, _ reason: String, by member: MemberIndex) {
    let leader = consortium.participant(proposal.block.header.leader, in: proposal.block.header.era)
    if !faulty.contains(leader) { fail("A1: member \(member) refutes a block of honest \(leader): \(reason)") }
  }

  mutating func halted(_ member: MemberIndex, _ reason: String) { fail("member \(member) halted: \(reason)") }
}
