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
  /// Where segments were asked from last.
  var segmentsFrom: Height?
  var segmentsMember: MemberIndex

  init(first: MemberIndex) { segmentsMember = first }

  var isEmpty: Bool { blocks.isEmpty && views == nil }

  func wants(_ hash: Digest) -> Bool { blocks.contains { $0.hash == hash } }

  var dueAt: Instant? {
    let first = blocks.map(\.dueAt).min()
    guard let views else { return first }
    return first.map { min($0, views.dueAt) } ?? views.dueAt
  }

  mutating func want(_ block: WantedBlock) {
    guard !wants(block.hash), blocks.count < Self.maximumBlocks else { return }
    blocks.append(block)
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
  /// votes for it, which overtake it.
  mutating func fetch(_ hash: Digest, view: View, from sender: MemberIndex?, inHurry: Bool = true) {
    guard tree[hash] == nil, view > finalized.view else { return }
    let dueAt = inHurry ? now : now + configuration.retryFloor
    fetching.want(Fetching.WantedBlock(hash: hash, view: view, dueAt: dueAt, member: preferred(sender)))
  }

  mutating func fetchCertificates(_ range: ClosedRange<View>, from sender: MemberIndex?) {
    fetching.want(views: range, dueAt: now, member: preferred(sender))
  }

  /// Asks for final blocks from the first one that is missing.
  mutating func catchUp(asking sender: MemberIndex?) {
    let member = sender.map { preferred($0) } ?? fetching.segmentsMember
    guard member != me else { return }
    fetching.segmentsFrom = finalized.height + 1
    fetching.segmentsMember = next(after: member)
    observe(.catchingUp(from: finalized.height + 1, asking: member))
    emit(.send(.getSegments(from: finalized.height + 1), to: member))
  }

  /// Sends the questions that are due.
  mutating func ask() {
    guard quorum.members > 1, !isHalted else { return }
    for question in fetching.due(at: now, retry: retryInterval, next: next(after:)) {
      emit(.send(question.message, to: question.member))
    }
  }
}
