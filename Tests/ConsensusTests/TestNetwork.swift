import Consensus
import FixtureSupport
import Messages
import Signing

/// Members on a bad network in virtual time: delay, loss, duplication, reordering, crashes at any record, one liar.
/// One thread, one seed, no clock: the same run every time.
final class TestNetwork {
  struct Weather {
    var delayMilliseconds: ClosedRange<UInt64> = 1...10
    var lossPercent: UInt64 = 0
    var duplicationPercent: UInt64 = 0
    /// Crashes per thousand turns that persist something.
    var crashPerMille: UInt64 = 0
    var downMilliseconds: ClosedRange<UInt64> = 50...1500

    static let calm = Weather()
    static let storm = Weather(
      delayMilliseconds: 1...120, lossPercent: 15, duplicationPercent: 10, crashPerMille: 10)
  }

  private enum Happening {
    case message(ConsensusMessage, from: MemberIndex, to: MemberIndex)
    case timer(ConsensusTimer, of: MemberIndex, generation: UInt64)
    case boot(MemberIndex)
    case note(UInt64, every: Span)
  }

  let consortium: TestConsortium
  let faulty: MemberIndex?
  var weather: Weather
  /// What the network lets through, for scenarios.
  var passes: (ConsensusMessage, MemberIndex, MemberIndex) -> Bool = { _, _, _ in true }
  var members: [TestMember]
  var checker: Checker
  /// What a scenario tells: everything that honest members say and do, as it happens.
  var narrator: ((MemberIndex, ConsensusEffect) -> Void)?
  /// Members whose next turn that makes something durable ends before anything of it leaves: they crash.
  var cutBeforeSpeaking: Set<MemberIndex> = []
  private(set) var now: Instant
  private(set) var messagesSent = 0
  private(set) var observations: [(MemberIndex, ConsensusObservation)] = []

  private var random: SeededGenerator
  private var queue = Heap<Happening>()
  private var sequence: UInt64 = 0
  private var timerGeneration: UInt64 = 0

  init(_ consortium: TestConsortium, seed: UInt64 = 1, weather: Weather = .calm, faulty: MemberIndex? = nil) {
    self.consortium = consortium
    self.weather = weather
    self.faulty = faulty
    random = SeededGenerator(seed: seed)
    members = (0..<MemberIndex(consortium.participants)).map { TestMember($0, of: consortium) }
    checker = Checker(consortium, faulty: faulty.map { [$0] } ?? [])
    now = consortium.genesisTime + .seconds(1)
  }

  // MARK: Scripting

  func start() { for index in members.indices { boot(MemberIndex(index)) } }

  func boot(_ member: MemberIndex) {
    members[Int(member)].boot()
    members[Int(member)].halted = nil
    drive(member, .start)
    tellWaiting(member)
  }

  func crash(_ member: MemberIndex) { members[Int(member)].crash() }

  /// The member's disk as it was when this copy was made.
  func putBack(_ copy: TestMember, as recollection: Recollection) {
    let index = Int(copy.index)
    members[index].crash()
    members[index].records = copy.records
    members[index].log = copy.log
    members[index].recollection = recollection
    checker.putBack(copy.index)
    boot(copy.index)
  }

  /// A member without a history begins where another's is.
  func adopt(_ member: MemberIndex, from other: MemberIndex) throws {
    let log = members[Int(other)].log
    guard let last = log.last, let header = last.blocks.last?.header else { return }
    members[Int(member)].log = log
    for segment in log { for block in segment.blocks { members[Int(member)].executed.insert(block.hash) } }
    drive(member, .adopted(header, last.finalization, members[Int(other)].era))
  }

  /// One transaction, known to every member (passing on is the role's).
  func submit(_ number: UInt64, to receivers: [MemberIndex]? = nil) {
    let envelope = consortium.note(number)
    let digest = envelope.digest
    let change = TestApplication.change(envelope)
    for member in receivers ?? members.indices.map({ MemberIndex($0) }) {
      members[Int(member)].pool.append((envelope, digest, change))
      tellWaiting(member)
    }
  }

  /// A transaction at each interval from now on.
  func submitEvery(_ interval: Span) { schedule(.note(1_000, every: interval), at: now + interval) }

  func run(for span: Span) { run(until: now + span) { false } }

  /// Runs until the condition holds after an event. Returns whether it did before the time was over.
  @discardableResult
  func run(until end: Instant, _ condition: () -> Bool) -> Bool {
    while let next = queue.first, next.time <= end {
      queue.removeFirst()
      now = max(now, next.time)
      happen(next.value)
      if condition() { return true }
    }
    now = end
    return condition()
  }

  func run(atMost span: Span, until condition: () -> Bool) -> Bool { run(until: now + span, condition) }

  var honest: [TestMember] { members.filter { $0.index != faulty } }
  var leastHeight: Height { honest.map(\.height).min() ?? 0 }
  var greatestHeight: Height { honest.map(\.height).max() ?? 0 }
  func view(_ member: MemberIndex) -> View { members[Int(member)].core?.view ?? 0 }

  // MARK: Events

  private func happen(_ happening: Happening) {
    switch happening {
    case .message(let message, let sender, let receiver):
      guard members[Int(receiver)].isUp else { return }
      do {
        let verified = try members[Int(receiver)].verifier.verify(message)
        // Who is no member of the receiver's era may read the ledger, and no more: as the validator role has it.
        if let member = core(receiver).flatMap({ consortium.member(sender, in: $0.membership.era) }) {
          drive(receiver, .received(verified, from: member))
        } else if case .getSegments(let height) = message {
          sendSegments(from: height, by: receiver, to: sender)
        } else if case .segments = message {
          drive(receiver, .received(verified, from: nil))
        }
      } catch VerificationError.unknownEra {
        // The receiver is behind.
      } catch {
        if sender != faulty { checker.halted(sender, "sent a message that does not verify: \(error)") }
      }
    case .timer(let timer, let member, let generation):
      guard members[Int(member)].isUp, members[Int(member)].timers[timer] == generation else { return }
      members[Int(member)].timers[timer] = nil
      drive(member, .timer(timer))
    case .boot(let member):
      if members[Int(member)].core == nil { boot(member) }
    case .note(let number, let interval):
      submit(number)
      schedule(.note(number + 1, every: interval), at: now + interval)
    }
  }

  func deliver(_ message: ConsensusMessage, from sender: MemberIndex, to receiver: MemberIndex) {
    happen(.message(message, from: sender, to: receiver))
  }

  private func drive(_ member: MemberIndex, _ event: ConsensusEvent) {
    var events = [event]
    while !events.isEmpty, let effects = members[Int(member)].core?.handle(events.removeFirst(), at: now) {
      // A crash at any record: everything before the cut has happened, nothing after it.
      var cut = effects.count
      let persists = effects.contains { if case .persist = $0 { true } else { false } }
      if persists, member != faulty, random.next() % 1000 < weather.crashPerMille {
        cut = Int(random.next() % UInt64(effects.count + 1))
      }
      if persists, cutBeforeSpeaking.remove(member) != nil {
        cut = effects.firstIndex { if case .broadcast = $0 { true } else { false } } ?? effects.count - 1
      }
      let isCrash = cut < effects.count
      for effect in effects.prefix(cut) { perform(effect, member, &events) }
      if isCrash {
        members[Int(member)].crash()
        if weather.crashPerMille > 0 { schedule(.boot(member), at: now + milliseconds(weather.downMilliseconds)) }
        return
      }
    }
    if let core = members[Int(member)].core, member != faulty {
      checker.stands(
        member, Checker.Place(era: core.membership.era, view: core.view), height: members[Int(member)].height)
    }
    tellWaiting(member)
  }

  private func tellWaiting(_ member: MemberIndex) {
    guard members[Int(member)].isUp else { return }
    let waiting = members[Int(member)].hasWaiting
    guard members[Int(member)].isToldWaiting != waiting else { return }
    members[Int(member)].isToldWaiting = waiting
    drive(member, .transactionsWaiting(waiting))
  }

  private func perform(_ effect: ConsensusEffect, _ member: MemberIndex, _ events: inout [ConsensusEvent]) {
    let index = Int(member)
    narrator?(member, effect)
    switch effect {
    case .persist(let record):
      members[index].records[record.key] = record
      if case .certificate(let certificate) = record, member != faulty { checker.saw(certificate) }
    case .prune(let era, let view):
      let first = ConsensusRecord.firstKey(of: view, era: era)
      members[index].records = members[index].records.filter { $0.key >= first }
    case .broadcast(let message):
      check(message, from: member)
      for receiver in members.indices where receiver != index {
        if member == faulty {
          for lie in Equivocator.distort(message, consortium, to: MemberIndex(receiver), &random) {
            transmit(lie, from: member, to: MemberIndex(receiver))
          }
        } else {
          transmit(message, from: member, to: MemberIndex(receiver))
        }
      }
    case .send(let message, let receiver):
      check(message, from: member)
      transmit(message, from: member, to: participant(receiver, asSeenBy: member))
    case .sendSegments(let height, let receiver):
      sendSegments(from: height, by: member, to: participant(receiver, asSeenBy: member))
    case .build(let request):
      let era = members[index].era.era
      let notes = request.onlyEmpty ? [] : Array(members[index].waiting.prefix(16))
      if notes.isEmpty, request.mayDecline {
        events.append(.nothingToBuild(view: request.view))
      } else {
        let body = TestApplication.body(notes, era: era, view: request.view, of: consortium)
        let root = TestApplication.root(after: request.parent.hash, body)
        events.append(.built(view: request.view, body: body, stateRoot: root))
      }
    case .assembled(_, let hash): members[index].executed.insert(hash)
    case .validate(let block, let hash):
      events.append(.validated(block: hash, members[index].validate(block, hash: hash)))
    case .notarized(let block, _):
      for envelope in block.body.transactions { members[index].placed[envelope.digest] = block.header.view }
    case .finalized(let segment):
      if member != faulty { checker.finalized(segment, by: member, after: members[index].height) }
      members[index].finalize(segment)
    case .setTimer(let timer, let time):
      timerGeneration += 1
      members[index].timers[timer] = timerGeneration
      schedule(.timer(timer, of: member, generation: timerGeneration), at: max(time, now))
    case .cancelTimer(let timer): members[index].timers[timer] = nil
    case .evidence(let evidence):
      members[index].evidence.append(evidence)
      if member != faulty { checker.accused(evidence, by: member) }
    case .refuted(let proposal, let reason):
      if member != faulty { checker.refuted(proposal, reason, by: member) }
    case .recollected(let recollection): members[index].recollection = recollection
    case .halt(let reason):
      members[index].halted = reason
      if member != faulty { checker.halted(member, reason) }
    case .observe(let observation): observations.append((member, observation))
    }
  }

  private func check(_ message: ConsensusMessage, from member: MemberIndex) {
    guard member != faulty else { return }
    switch message {
    case .vote(let vote): said(vote, by: member)
    case .proposal(let proposal): said(proposal.vote, by: member)
    case .reproposal(let reproposal): said(reproposal.vote, by: member)
    case .certificate(let certificate): checker.saw(certificate)
    case .certificates(let certificates): for certificate in certificates { checker.saw(certificate) }
    default: break
    }
  }

  private func said(_ vote: Vote, by member: MemberIndex) {
    let era = members[Int(member)].era.era
    let isPruned =
      vote.ballot.era < era || vote.ballot.era == era && vote.ballot.view <= members[Int(member)].tip?.view ?? 0
    let isDurable = members[Int(member)].records.values.contains { record in
      switch record {
      case .vote(let own): own == vote
      case .proposal(let proposal): proposal.vote == vote
      case .reproposal(let reproposal): reproposal.vote == vote
      case .certificate: false
      }
    }
    checker.said(vote, durable: isDurable || isPruned)
  }

  private func core(_ participant: MemberIndex) -> ConsensusCore? { members[Int(participant)].core }

  /// The members that a core names are those of the era it stands in when the effect is carried out.
  private func participant(_ member: MemberIndex, asSeenBy speaker: MemberIndex) -> MemberIndex {
    consortium.participant(member, in: members[Int(speaker)].era.era)
  }

  private func sendSegments(from height: Height, by sender: MemberIndex, to receiver: MemberIndex) {
    let segments = members[Int(sender)].log.filter { ($0.blocks.last?.header.height ?? 0) >= height }.prefix(8)
    transmit(.segments(Array(segments)), from: sender, to: receiver)
  }

  // MARK: The network

  private func transmit(_ message: ConsensusMessage, from sender: MemberIndex, to receiver: MemberIndex) {
    messagesSent += 1
    guard !members[Int(sender)].isMute, !members[Int(receiver)].isMute, passes(message, sender, receiver) else {
      return
    }
    guard random.next() % 100 >= weather.lossPercent else { return }
    let copies = random.next() % 100 < weather.duplicationPercent ? 2 : 1
    for _ in 0..<copies {
      schedule(.message(message, from: sender, to: receiver), at: now + milliseconds(weather.delayMilliseconds))
    }
  }

  private func milliseconds(_ range: ClosedRange<UInt64>) -> Span {
    .microseconds(Int64(UInt64.random(in: range.lowerBound * 1000...range.upperBound * 1000, using: &random)))
  }

  private func schedule(_ happening: Happening, at time: Instant) {
    sequence += 1
    queue.insert(happening, at: time, sequence)
  }
}

/// A binary heap by time, then by order of insertion.
struct Heap<Value> {
  private var items: [(time: Instant, sequence: UInt64, value: Value)] = []

  var first: (time: Instant, sequence: UInt64, value: Value)? { items.first }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    (items[left].time, items[left].sequence) < (items[right].time, items[right].sequence)
  }

  mutating func insert(_ value: Value, at time: Instant, _ sequence: UInt64) {
    items.append((time, sequence, value))
    var child = items.count - 1
    while child > 0, precedes(child, (child - 1) / 2) {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func removeFirst() {
    items.swapAt(0, items.count - 1)
    items.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && precedes(child, least) {
        least = child
      }
      if least == parent { return }
      items.swapAt(parent, least)
      parent = least
    }
  }
}
