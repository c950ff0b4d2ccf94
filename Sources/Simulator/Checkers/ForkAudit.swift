import Messages
import Signing

/// A3: an offline auditor. Two chains that both end in a finalization and differ name at least 2q − n members, by
/// nothing but the votes inside them: the finalization of one and what closed the same view in the other share that
/// many, and nobody honest signs both.
struct ForkAudit {
  /// In member order.
  let culprits: [MemberIndex]
  /// Whether the chains differ at all.
  let isFork: Bool

  init(_ one: [LedgerSegment], _ other: [LedgerSegment], _ consortium: Consortium) {
    let left = one.flatMap(\.blocks).map(\.hash)
    let right = other.flatMap(\.blocks).map(\.hash)
    isFork = zip(left, right).contains { $0 != $1 }
    var books: [MemberIndex: [Place: Book]] = [:]
    for certificate in Self.certificates(one) + Self.certificates(other) {
      for vote in certificate.votes where consortium.isSigned(vote) {
        guard let voter = consortium.voter(of: vote) else { continue }
        books[voter, default: [:]][vote.ballot.place, default: Book()].enter(vote.ballot)
      }
    }
    culprits = books.filter { $0.value.values.contains { $0.isGuilty } }.keys.sorted()
  }

  private static func certificates(_ chain: [LedgerSegment]) -> [Certificate] {
    chain.flatMap { segment in
      segment.blocks.flatMap { [$0.header.parentCertificate].compactMap { $0 } + $0.header.skipped }
        + [segment.finalization]
    }
  }

  /// What one member signed in one view.
  private struct Book {
    var notarized: Set<Proposition> = []
    var finalized: Set<Proposition> = []
    var isNullified = false

    mutating func enter(_ ballot: Ballot) {
      switch ballot {
      case .notarize(let proposition): notarized.insert(proposition)
      case .finalize(let proposition): finalized.insert(proposition)
      case .nullify: isNullified = true
      }
    }

    var isGuilty: Bool {
      if notarized.count > 1 || finalized.count > 1 { return true }
      guard let finalized = finalized.first else { return false }
      return isNullified || notarized.contains { $0.blockHash != finalized.blockHash }
    }
  }
}
