import Messages

/// How a member's records stand to what it once said.
public enum Recollection: Hashable, Sendable {
  /// They are all there: persist before speaking, and nothing was put back.
  case complete
  /// They are an old copy's: what was signed since is unknown, so nothing is signed until it is known how far that can
  /// have been.
  case lost
  /// Nothing is signed in this view of this era or an earlier one.
  case completeAbove(era: Era, view: View)
}

/// A member whose records were put back from an old copy (consensus.md, "Persist before speaking"). It follows and
/// answers like any other, signs nothing, and asks the others which certificates they hold; with h the highest view
/// that they show, it signs only above h + 2.
///
/// Why that is enough. Let v be the highest view that this member ever signed in. It was in v because it held a
/// certificate of v − 1, so a quorum voted in v − 1, so at least q − 1 others were in it and held, durably, a
/// certificate of v − 2 or higher. At least q − 1 − f of those are honest. Among n − q + f + 1 of the n − 1 others who
/// answer there is one of them, and it shows h ≥ v − 2. (The intent asks all others; these many suffice, and one that
/// is dead then does not keep this member silent where n > 3f + 1.) A certificate proves itself, so nobody can make
/// this member silent for long by naming a view that there never was.
///
/// A new era's views begin where its boundary block stood, so an era that nobody has a certificate of counts from
/// there; and when an era ends meanwhile, everybody is asked again.
struct Restoration: Sendable {
  /// The highest view, of the era, of which each member showed a certificate.
  private var shown: [MemberIndex: View] = [:]

  func hasAnswer(of member: MemberIndex) -> Bool { shown[member] != nil }

  mutating func showed(_ view: View, by member: MemberIndex) { shown[member] = max(shown[member] ?? 0, view) }

  /// The view above which everything is new; nil while too few have answered.
  func mark(_ quorum: Quorum) -> View? {
    guard shown.count > quorum.members - quorum.votes + quorum.faults else { return nil }
    return (shown.values.max() ?? 0) + 2
  }
}

extension ConsensusCore {
  /// Nothing is signed in this view or an earlier one.
  public var signingMark: View {
    switch recollection {
    case .complete: plants(.signsBelowTheMark) ? 0 : finalized.view
    case .lost: .max
    case .completeAbove(let marked, _) where marked > era: .max
    case .completeAbove(let marked, let view): max(finalized.view, marked == era ? view : 0)
    }
  }

  /// Whether this member does not know yet what it once signed.
  public var isRestoring: Bool { recollection == .lost }

  /// Asks those who have not answered.
  mutating func askWhatWasSigned() {
    guard isRestoring, me != nil else { return }
    for member in 0..<MemberIndex(quorum.members) where member != me && !restoration.hasAnswer(of: member) {
      emit(.send(.getCertificates(from: 1, through: 1), to: member))
    }
  }

  /// An answer: everything that its sender closed its views with. Taken after the certificates themselves were.
  mutating func learnWhatWasSigned(from certificates: [Certificate], of sender: MemberIndex) {
    guard isRestoring, !certificates.isEmpty else { return }
    let highest = certificates.filter { $0.era == era }.map(\.view).max()
    restoration.showed(highest ?? finalized.view, by: sender)
    guard let mark = restoration.mark(quorum) else { return }
    recollection = .completeAbove(era: era, view: mark)
    emit(.recollected(recollection))
  }
}
