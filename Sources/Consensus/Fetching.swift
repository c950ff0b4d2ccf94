import Messages
import Signing

/// What this member lacks and whom it asked last. Every question goes to one member at a time, the next one on the next
/// retry, and answers are bounded by their senders, so catching up from anywhere costs bounded requests.
struct Fetching: Sendable {
  struct WantedBlock: Sendable {
    let hash: Digest
    let view: View
    /// When it is asked for (again) at the earliest.
    var dueAt: Instant
    /// Who is asked next.
    var member: MemberIndex
  }

  /// Blocks asked for at the same time.
  static let maximumBlocks = 64

  private(set) var blocks: [WantedBlock] = []
  /// Views whose closing certificates are missing, and who is asked next.
  private(set) var views: (range: ClosedRange<View>, dueAt: Instant, member: MemberIndex)?
  /// Final blocks are missing: when to ask for segments (again), and whom.
  private(set) var segments: (dueAt: Instant, member: MemberIndex)?

  var isEmpty: Bool { blocks.isEmpty && views == nil && segments == nil }

  func wants(_ hash: Digest) -> Bool { blocks.contains { $0.hash == hash } }

  var dueAt: Instant? { (blocks.map(\.dueAt) + [views?.dueAt, segments?.dueAt].compactMap { $0 }).min() }

  mutating func want(_ block: WantedBlock) {
    if let index = blocks.firstIndex(where: { $0.hash == block.hash }) {
      blocks[index].dueAt = min(blocks[index].dueAt, block.dueAt)
    } else if blocks.count < Self.maximumBlocks {
      blocks.append(block)
    }
  }

  /// - Parameter member: who is asked next; nil leaves that as it is.
  mutating func wantSegments(dueAt: Instant, member: MemberIndex?, otherwise next: MemberIndex) {
    segments = (min(segments?.dueAt ?? dueAt, dueAt), member ?? segments?.member ?? next)
  }

  mutating func want(views range: ClosedRange<View>, dueAt: Instant, member: MemberIndex) {
    guard views?.range != range else { return }
    views = (range, dueAt, member)
  }

  mutating func received(_ hash: Digest) { blocks.removeAll { $0.hash == hash } }
  mutating func viewsAnswered() { views = nil }

  /// The questions that are due, each moved on to the next member.
  mutating func due(
    at now: Instant, retry: Span, next: (MemberIndex) -> MemberIndex
  ) -> [(message: ConsensusMessage, member: MemberIndex)] {
    var questions: [(message: ConsensusMessage, member: MemberIndex)] = []
    for index in blocks.indices where blocks[index].dueAt <= now {
      questions.append((.getBlock(blocks[index].hash), blocks[index].member))
      blocks[index].member = next(blocks[index].member)
      blocks[index].dueAt = now + retry
    }
    if let wanted = views, wanted.dueAt <= now {
      questions.append(
        (.getCertificates(from: wanted.range.lowerBound, through: wanted.range.upperBound), wanted.member))
      views = (wanted.range, now + retry, next(wanted.member))
    }
    return questions
  }

  /// Whom to ask for segments now, if anybody.
  mutating func dueSegments(at now: Instant, retry: Span, next: (MemberIndex) -> MemberIndex) -> MemberIndex? {
    guard let wanted = segments, wanted.dueAt <= now else { return nil }
    segments = (now + retry, next(wanted.member))
    return wanted.member
  }

  mutating func segmentsApplied() { segments = nil }

  /// Blocks of final views are not wanted any more; nor are certificates.
  mutating func forget(through view: View) {
    blocks.removeAll { $0.view <= view }
    if let wanted = views, wanted.range.upperBound <= view { views = nil }
  }
}

extension ConsensusCore {
  /// The member asked after this one.
  func next(after member: MemberIndex) -> MemberIndex {
    let count = MemberIndex(quorum.members)
    let next = (member + 1) % count
    return next == me ? (next + 1) % count : next
  }

  private func preferred(_ sender: MemberIndex?) -> MemberIndex {
    if let sender, sender != me, Int(sender) < quorum.members { return sender }
    return next(after: leader)
  }

  /// Wants a block. Whoever is not in a hurry leaves a proposal time to arrive: a large one is verified longer than the
  /// votes for it, which overtake it. What segments will bring is asked for singly only if they do not.
  mutating func fetch(_ hash: Digest, view: View, from sender: MemberIndex?, inHurry: Bool = true) {
    guard tree[hash] == nil, view > finalized.view else { return }
    let comesInSegments = view <= unapplied?.view ?? 0
    let dueAt = inHurry && !comesInSegments ? now : now + configuration.retryFloor
    fetching.want(Fetching.WantedBlock(hash: hash, view: view, dueAt: dueAt, member: preferred(sender)))
  }

  mutating func fetchCertificates(_ range: ClosedRange<View>, from sender: MemberIndex?) {
    fetching.want(views: range, dueAt: now, member: preferred(sender))
  }

  /// Wants the final blocks from the first one that is missing: at once when far behind; close behind they are on their
  /// way as proposals.
  mutating func catchUp(asking sender: MemberIndex?, inHurry: Bool) {
    fetching.wantSegments(
      dueAt: inHurry ? now : now + configuration.retryFloor, member: sender.map { preferred($0) },
      otherwise: preferred(nil))
  }

  /// Sends the questions that are due.
  mutating func ask() {
    guard quorum.members > 1, !isHalted else { return }
    for question in fetching.due(at: now, retry: retryInterval, next: next(after:)) {
      emit(.send(question.message, to: question.member))
    }
    if progressAt + configuration.heartbeat * ConsensusConfiguration.heartbeatsOfPatience <= now { isCatchingUp = true }
    guard unapplied != nil || isCatchingUp else { return fetching.segmentsApplied() }
    if fetching.segments == nil { catchUp(asking: nil, inHurry: false) }
    if let member = fetching.dueSegments(at: now, retry: retryInterval, next: next(after:)) {
      observe(.catchingUp(from: finalized.height + 1, asking: member))
      emit(.send(.getSegments(from: finalized.height + 1), to: member))
    }
  }
}
