import Messages
import Signing

/// S2, S3, S4 and S6 over every certificate that an honest member stores, sends or builds on.
struct CertificateCheck {
  private struct Closed {
    var notarized: Digest?
    var nullified = false
    var finalized: Digest?
  }

  private var views: [Place: Closed] = [:]
  /// Checked before: most certificates pass every member, and hang on to later blocks.
  private var known: Set<Certificate> = []

  mutating func saw(
    _ certificate: Certificate, by member: MemberIndex, _ consortium: Consortium, at now: Instant,
    _ violations: inout Violations
  ) {
    guard known.insert(certificate).inserted else { return }
    let name = consortium.name(member)
    if let defect = Self.defect(of: certificate, consortium) {
      violations.add(
        .quorums,
        "\(name) holds a \(certificate.ballot.name) certificate of view \(certificate.ballot.place) \(defect)", at: now)
    }
    let view = certificate.ballot.place
    var closed = views[view] ?? Closed()
    switch certificate.ballot {
    case .notarize(let proposition):
      if let other = closed.notarized, other != proposition.blockHash,
        consortium.faulty.count <= consortium.maximumFaulty(in: view.era)
      {
        violations.add(.oneNotarization, "two blocks are notarized in view \(view), one at \(name)", at: now)
      }
      closed.notarized = closed.notarized ?? proposition.blockHash
    case .nullify: closed.nullified = true
    case .finalize(let proposition):
      if let other = closed.finalized, other != proposition.blockHash {
        violations.add(.oneChain, "two blocks are finalized in view \(view), one at \(name)", at: now)
      }
      closed.finalized = closed.finalized ?? proposition.blockHash
      if closed.notarized != proposition.blockHash {
        violations.add(.notarizedFirst, "\(name) finalizes in view \(view) what nobody saw notarized", at: now)
      }
    }
    if closed.nullified, closed.finalized != nil {
      violations.add(.nullifiedOrFinalized, "view \(view) is nullified and finalized, seen by \(name)", at: now)
    }
    views[view] = closed
  }

  /// Why it proves nothing, as the end of a sentence.
  private static func defect(of certificate: Certificate, _ consortium: Consortium) -> String? {
    let votes = certificate.votes
    guard Set(votes.map(\.member)).count == votes.count else { return "that counts a member twice" }
    let quorum = consortium.quorum(in: certificate.era)
    guard votes.count >= quorum else { return "with \(votes.count) of \(quorum) votes" }
    if let forged = votes.first(where: { !consortium.isSigned($0) }) {
      return "with a vote that \(consortium.name(consortium.voter(of: forged) ?? forged.member)) did not sign"
    }
    return nil
  }
}
