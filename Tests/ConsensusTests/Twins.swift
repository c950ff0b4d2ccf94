import Messages
import Signing

@testable import Consensus

/// One schedule of a small scope: four members, one of which runs twice with one key, and for each of the first views
/// who leads it and who hears whom in it (after Bano et al., "Twins: BFT Systems Made Robust", OPODIS 2021).
struct TwinSchedule: Hashable {
  /// Of view 1, 2 …: a member. Member 0 is the one that runs twice.
  let leaders: [Int]
  /// Of view 1, 2 …: the group that each instance is in. Instances 0 and 1 are member 0's; then come members 1, 2, 3.
  let groups: [[Int]]

  static let instances = 5
  static let members = 4

  static func member(of instance: Int) -> Int { max(0, instance - 1) }

  /// Every schedule of so many views with at most so many groups in each, one of those that differ only by the names of
  /// the honest members or by which twin is which.
  static func all(views: Int, groups most: Int) -> [TwinSchedule] {
    let partitions = partitions(most: most)
    var schedules: [TwinSchedule] = []
    for leaders in words(of: members, length: views) {
      for choice in words(of: partitions.count, length: views) {
        let schedule = TwinSchedule(leaders: leaders, groups: choice.map { partitions[$0] })
        if schedule.isCanonical { schedules.append(schedule) }
      }
    }
    return schedules
  }

  /// Restricted growth strings: each instance is in an earlier one's group or in the next new one.
  private static func partitions(most: Int) -> [[Int]] {
    var found: [[Int]] = [[]]
    for _ in 0..<instances {
      found = found.flatMap { prefix in
        (0..<min(most, (prefix.max() ?? -1) + 2)).map { prefix + [$0] }
      }
    }
    return found
  }

  private static func words(of letters: Int, length: Int) -> [[Int]] {
    (0..<length).reduce([[]]) { words, _ in words.flatMap { word in (0..<letters).map { word + [$0] } } }
  }

  private static let renamings: [[Int]] = [
    [1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1],
  ]

  /// Whether no renaming gives a schedule that comes before this one.
  private var isCanonical: Bool {
    for names in Self.renamings {
      let leaders = leaders.map { $0 == 0 ? 0 : names[$0 - 1] }
      for twins in [[0, 1], [1, 0]] {
        let order = twins + (1...3).map { member in names.firstIndex(of: member).map { $0 + 2 } ?? 0 }
        let groups = groups.map { group in Self.normalised(order.map { group[$0] }) }
        if Self.precedes((leaders, groups), (self.leaders, self.groups)) { return false }
      }
    }
    return true
  }

  private static func normalised(_ group: [Int]) -> [Int] {
    var names: [Int] = []
    return group.map { label in
      if let name = names.firstIndex(of: label) { return name }
      names.append(label)
      return names.count - 1
    }
  }

  private static func precedes(_ one: ([Int], [[Int]]), _ other: ([Int], [[Int]])) -> Bool {
    if one.0 != other.0 { return one.0.lexicographicallyPrecedes(other.0) }
    for (left, right) in zip(one.1, other.1) where left != right { return left.lexicographicallyPrecedes(right) }
    return false
  }
}

/// Runs one schedule: messages of a view reach the sender's group in that view; nothing is delayed, timers fire when
/// nothing is under way. Then everybody hears everybody, and a new block must become final.
struct TwinRun {
  /// The schedule's views get so long; no quorum may be able to leave one.
  static let scheduled = Span.milliseconds(1_200)
  static let healing = Span.seconds(30)

  private(set) var checker: Checker
  private(set) var height: Height = 0
  private(set) var progressed = false

  private let consortium: TestConsortium
  private let schedule: TwinSchedule
  private var instances: [TestMember]
  private var verifier: Verifier
  private var now: Instant
  private var isHealed = false
  private var messages: [(message: ConsensusMessage, from: Int, to: Int)] = []
  private var next = 0
  private var timers: [[ConsensusTimer: Instant]]

  /// What each instance has to propose, so that no two propose the same.
  static func notes(_ consortium: TestConsortium) -> [[(envelope: Envelope, digest: Digest, change: Era?)]] {
    (0..<TwinSchedule.instances).map { instance in
      (0..<4).map { number in
        let note = consortium.note(UInt64(100 * instance + number))
        return (note, note.digest, nil)
      }
    }
  }

  init(
    _ schedule: TwinSchedule, _ consortium: TestConsortium,
    notes: [[(envelope: Envelope, digest: Digest, change: Era?)]]
  ) {
    self.schedule = schedule
    self.consortium = consortium
    verifier = Verifier(context: consortium.context, rememberedChecks: 1024)
    checker = Checker(consortium, faulty: [0])
    now = consortium.genesisTime + .seconds(1)
    instances = (0..<TwinSchedule.instances).map {
      TestMember(MemberIndex(TwinSchedule.member(of: $0)), of: consortium)
    }
    timers = Array(repeating: [:], count: TwinSchedule.instances)
    for instance in instances.indices {
      let member = MemberIndex(TwinSchedule.member(of: instance))
      var core = ConsensusCore(configuration: consortium.configuration(of: member), finalized: nil, replaying: [])
      // View v is led by the entry v modulo the count.
      core.schedule = LeaderSchedule(
        leaders: [MemberIndex(schedule.leaders.last ?? 0)] + schedule.leaders.map { MemberIndex($0) }, silentViews: 4,
        maximumSkipped: 1)
      instances[instance].core = core
      instances[instance].executed = [consortium.network]
      instances[instance].pool = notes[instance]
    }
  }

  mutating func run() {
    for instance in instances.indices {
      drive(instance, .start)
      drive(instance, .transactionsWaiting(true))
    }
    let last = View(schedule.leaders.count)
    run(until: now + Self.scheduled) { $0.honest.allSatisfy { $0.core?.view ?? 0 > last } }
    isHealed = true
    let before = honest.map(\.height).max() ?? 0
    run(until: now + Self.healing) { $0.honest.allSatisfy { $0.height > before } }
    progressed = honest.allSatisfy { $0.height > before }
    height = honest.map(\.height).max() ?? 0
  }

  private var honest: ArraySlice<TestMember> { instances[2...] }

  private mutating func run(until end: Instant, _ isOver: (Self) -> Bool) {
    while !isOver(self) {
      if next < messages.count {
        let (message, from, to) = messages[next]
        next += 1
        deliver(message, from: from, to: to)
        continue
      }
      messages.removeAll(keepingCapacity: true)
      next = 0
      guard let due = timers.flatMap(\.values).min(), due <= end else { return }
      now = max(now, due)
      for instance in instances.indices {
        for timer in ConsensusTimer.allCases where timers[instance][timer].map({ $0 <= now }) ?? false {
          timers[instance][timer] = nil
          drive(instance, .timer(timer))
        }
      }
    }
  }

  private mutating func deliver(_ message: ConsensusMessage, from sender: Int, to receiver: Int) {
    do {
      let verified = try verifier.verify(message)
      drive(receiver, .received(verified, from: MemberIndex(TwinSchedule.member(of: sender))))
    } catch {
      checker.halted(MemberIndex(TwinSchedule.member(of: sender)), "sent what does not verify: \(error)")
    }
  }

  private func isHeard(_ message: ConsensusMessage, from sender: Int, by receiver: Int) -> Bool {
    guard !isHealed else { return true }
    let view = message.view ?? instances[sender].core?.view ?? 0
    guard view >= 1, view <= UInt64(schedule.groups.count) else { return true }
    let groups = schedule.groups[Int(view) - 1]
    return groups[sender] == groups[receiver]
  }

  private mutating func send(_ message: ConsensusMessage, from sender: Int, to member: MemberIndex?) {
    for receiver in instances.indices {
      let other = TwinSchedule.member(of: receiver)
      guard other != TwinSchedule.member(of: sender), member == nil || Int(member ?? 0) == other,
        isHeard(message, from: sender, by: receiver)
      else { continue }
      messages.append((message, sender, receiver))
    }
  }

  private mutating func drive(_ instance: Int, _ event: ConsensusEvent) {
    var events = [event]
    while !events.isEmpty, instances[instance].isUp,
      let effects = instances[instance].core?.handle(events.removeFirst(), at: now)
    {
      for effect in effects { perform(effect, instance, &events) }
    }
  }

  private mutating func perform(_ effect: ConsensusEffect, _ instance: Int, _ events: inout [ConsensusEvent]) {
    let member = MemberIndex(TwinSchedule.member(of: instance))
    let isHonest = member != 0
    switch effect {
    case .persist(.certificate(let certificate)): if isHonest { checker.saw(certificate) }
    case .broadcast(let message):
      if isHonest { check(message) }
      send(message, from: instance, to: nil)
    case .send(let message, let receiver): send(message, from: instance, to: receiver)
    case .sendSegments(let height, let receiver):
      let segments = instances[instance].log.filter { ($0.blocks.last?.header.height ?? 0) >= height }
      send(.segments(segments), from: instance, to: receiver)
    case .build(let request):
      let notes = request.onlyEmpty ? [] : Array(instances[instance].waiting.prefix(1))
      let body = TestApplication.body(notes, era: 0, view: request.view, of: consortium)
      let root = TestApplication.root(after: request.parent.hash, body)
      events.append(.built(view: request.view, body: body, stateRoot: root))
    case .assembled(_, let hash): instances[instance].executed.insert(hash)
    case .validate(let block, let hash):
      events.append(.validated(block: hash, instances[instance].validate(block, hash: hash)))
    case .notarized(let block, _):
      for envelope in block.body.transactions { instances[instance].placed[envelope.digest] = block.header.view }
    case .finalized(let segment):
      if isHonest { checker.finalized(segment, by: member, after: instances[instance].height) }
      instances[instance].finalize(segment)
    case .setTimer(let timer, let time): timers[instance][timer] = max(time, now)
    case .cancelTimer(let timer): timers[instance][timer] = nil
    case .evidence(let evidence): if isHonest { checker.accused(evidence, by: member) }
    case .refuted(let proposal, let reason):
      if isHonest { checker.refuted(proposal, reason, by: member) }
    case .recollected: break
    case .halt(let reason):
      instances[instance].halted = reason
      if isHonest { checker.halted(member, reason) }
    case .persist, .prune, .observe: break
    }
  }

  private mutating func check(_ message: ConsensusMessage) {
    switch message {
    case .vote(let vote): checker.said(vote, durable: true)
    case .proposal(let proposal): checker.said(proposal.vote, durable: true)
    case .certificate(let certificate): checker.saw(certificate)
    default: break
    }
  }
}

extension ConsensusMessage {
  /// The view it is about; nil for questions and for what is final.
  fileprivate var view: View? {
    switch self {
    case .vote(let vote): vote.ballot.view
    case .proposal(let proposal): proposal.block.header.view
    case .certificate(let certificate): certificate.view
    case .certificates(let certificates): certificates.map(\.view).max()
    case .block(let block): block.header.view
    default: nil
    }
  }
}
