import Consensus
import Effects
import Ledger
import Messages
import Signing

/// One voting member (§3.1.2): consensus decides which block, the ledger decides what it does, and this connects the
/// two: it executes what consensus wants built or checked, keeps the transactions that wait, stores final blocks and
/// publishes them to whoever follows.
public struct ValidatorCore: RoleCore {
  public struct Configuration: Sendable {
    public var genesis: Genesis
    public var member: MemberIndex
    public var key: SigningKey

    public init(genesis: Genesis, member: MemberIndex, key: SigningKey) {
      self.genesis = genesis
      self.member = member
      self.key = key
    }
  }

  /// Durable: consensus records by ``ConsensusRecord/key``, final segments by the height of their last block, evidence
  /// by a running number.
  public enum Stream {
    public static let journal: UInt16 = 1
    public static let segments: UInt16 = 2
    public static let evidence: UInt16 = 3
  }

  enum Purpose {
    /// Consensus timers are numbered from here on.
    static let consensus: UInt16 = 16
    static let passOn: UInt16 = 2
  }

  /// How long a message to one member may take.
  static let sendDeadline = Span.seconds(2)
  /// Waiting transactions are passed on again this often, at most so many at a time.
  static let passOnInterval = Span.seconds(1)
  static let passOnBatch = 256
  /// Followers' questions for old blocks at once; more are refused, and ask another member.
  static let maximumRecalls = 64
  /// Pieces of evidence kept. One convicts; a liar that goes on lying must not fill the disk.
  static let maximumEvidence: UInt64 = 4096

  private let configuration: Configuration
  public let address: ActorAddress
  private let members: [ActorAddress]
  private var consensus: ConsensusCore
  private var executions: Executions
  private var mempool = Mempool()
  private var numbers = RequestNumbers()
  private var recalls: [RequestID: (member: ActorAddress, asker: ReplyToken?)] = [:]
  private var toldWaiting = false
  private var declined = false
  private var evidenceCount: UInt64 = 0
  private var finalView: View = 0
  private var reading = StateReading()

  public var subscriptions: [Subscription] {
    members.filter { $0 != address }.flatMap { [Subscription($0, .consensus), Subscription($0, .transactions)] }
  }

  /// - Throws: when the genesis is not one, a record is damaged, or the stored blocks do not re-execute: the directory
  ///   is not this network's or was altered. Restore it, or start fresh and catch up from the others.
  public init(_ configuration: Configuration, recovering records: [StoredRecord]) throws {
    self.configuration = configuration
    members = configuration.genesis.members.map { ActorAddress(.validator, $0.name) }
    address = members[Int(configuration.member)]
    executions = try Executions(genesis: configuration.genesis)
    var journal: [ConsensusRecord] = []
    var last: LedgerSegment?
    for record in records {
      switch record.stream {
      case Stream.journal: journal.append(try ConsensusRecord(decoding: record.bytes))
      case Stream.segments:
        let segment = try LedgerSegment(decoding: record.bytes)
        if let fault = executions.finalize(segment) { throw HaltReason(fault) }
        last = segment
      case Stream.evidence: evidenceCount = max(evidenceCount, record.key + 1)
      default: break
      }
    }
    finalView = last?.finalization.view ?? 0
    if let last { reading.finalized(last) }
    consensus = ConsensusCore(
      configuration: ConsensusConfiguration(
        genesis: configuration.genesis, identity: .init(member: configuration.member, key: configuration.key)),
      finalized: last?.blocks.last?.header, finalization: last?.finalization, replaying: journal)
  }

  public var ledger: LedgerState { executions.final }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    switch event {
    case .started:
      drive(.start, &turn)
      turn.add(.setTimer(TimerID(Purpose.passOn), at: now + Self.passOnInterval))
    case .published(let subscription, _, let message): published(subscription.publisher, message, &turn)
    case .request(let token, let from, let message): answer(token, from, message, &turn)
    case .timer(let timer): timerFired(timer, &turn)
    case .recalled(let id, let records): recalled(id, records, &turn)
    case .response, .datagrams: break
    }
    tellWaiting(&turn)
    return turn.effects
  }

  // MARK: Events

  private mutating func published(_ publisher: ActorAddress, _ message: Verified<Message>, _ turn: inout Turn) {
    switch message.value {
    case .consensus(let consensus): received(consensus, message, from: publisher, &turn)
    case .transaction(let transaction): _ = admit(transaction)
    default: turn.count("validator.unexpectedPublication")
    }
  }

  private mutating func received(
    _ content: ConsensusMessage, _ message: Verified<Message>, from: ActorAddress, _ turn: inout Turn
  ) {
    guard let member = members.firstIndex(of: from) else { return turn.count("validator.notAMember") }
    drive(.received(message.map { _ in content }, from: MemberIndex(member)), &turn)
  }

  private mutating func timerFired(_ timer: TimerID, _ turn: inout Turn) {
    if timer.purpose == Purpose.passOn {
      for transaction in mempool.unplaced(limit: Self.passOnBatch) {
        turn.add(.publish(.transactions, .transaction(transaction)))
      }
      turn.add(.setTimer(TimerID(Purpose.passOn), at: turn.now + Self.passOnInterval))
    } else if let raw = UInt8(exactly: Int(timer.purpose) - Int(Purpose.consensus)),
      let timer = ConsensusTimer(rawValue: raw)
    {
      drive(.timer(timer), &turn)
    }
  }

  private mutating func answer(
    _ token: ReplyToken, _ from: ActorAddress, _ message: Verified<Message>, _ turn: inout Turn
  ) {
    switch message.value {
    case .consensus(.getSegments(let height)) where !members.contains(from):
      // A follower: anybody may read the ledger.
      guard recalls.count < Self.maximumRecalls else {
        let text = "\(Self.maximumRecalls) others are reading old blocks"
        return turn.add(.refuse(token, RemoteError(.tooManyRequests, text)))
      }
      let id = numbers.next()
      recalls[id] = (from, token)
      turn.add(.recall(id, stream: Stream.segments, from: height, limit: ConsensusMessage.maximumSegments))
    case .consensus(let content):
      received(content, message, from: from, &turn)
      turn.add(.reply(token, .acknowledged))
    case .submit(let transaction): submitted(token, transaction, &turn)
    case .getEntries(let request): read(token, request, &turn)
    case .getStatus: turn.add(.reply(token, .status(status)))
    default:
      let text = "a validator answers submit, consensus, getEntries, getStatus"
      turn.add(.refuse(token, RemoteError(.unimplemented, text)))
    }
  }

  private mutating func read(_ token: ReplyToken, _ request: EntriesRequest, _ turn: inout Turn) {
    do throws(RemoteError) {
      turn.add(.reply(token, .entries(try reading.answer(request, from: executions.final, at: turn.now))))
    } catch {
      turn.count("validator.readRefused")
      turn.add(.refuse(token, error))
    }
  }

  private mutating func submitted(_ token: ReplyToken, _ transaction: SignedTransaction, _ turn: inout Turn) {
    if let defect = executions.final.inclusionDefect(of: transaction) {
      let code: RemoteError.Code = defect == .signerNotEnrolled ? .permissionDenied : .failedPrecondition
      turn.add(.refuse(token, RemoteError(code, "\(defect.result.name): \(defect)")))
      return
    }
    switch admit(transaction) {
    case .added:
      turn.add(.publish(.transactions, .transaction(transaction)))
      turn.add(.reply(token, .submitted(transaction.id)))
    case .alreadyKnown: turn.add(.reply(token, .submitted(transaction.id)))
    case .conflicting:
      turn.add(.refuse(token, RemoteError(.failedPrecondition, "another transaction with this nonce waits")))
    case .full:
      turn.add(.refuse(token, RemoteError(.tooManyRequests, "too many transactions wait already")))
    }
  }

  private mutating func admit(_ transaction: SignedTransaction) -> Mempool.Admission {
    guard executions.final.isIncludable(transaction),
      let organisation = executions.final.signer(transaction.signer)?.organisation
    else { return .alreadyKnown }
    let admission = mempool.add(transaction, of: organisation)
    if admission == .added { declined = false }
    return admission
  }

  /// Old blocks read back: whole segments, as many as one answer takes.
  private mutating func recalled(_ id: RequestID, _ records: [StoredRecord], _ turn: inout Turn) {
    guard let (member, asker) = recalls.removeValue(forKey: id) else { return }
    var segments: [LedgerSegment] = []
    var bytes = 0
    for record in records {
      bytes += record.bytes.count
      guard segments.isEmpty || bytes <= ConsensusMessage.maximumSegmentBytes else { break }
      guard let segment = try? LedgerSegment(decoding: record.bytes) else {
        turn.add(.halt(HaltReason("a stored block of \(address) is damaged: restore the directory or start fresh")))
        return
      }
      segments.append(segment)
    }
    if let asker {
      turn.add(.reply(asker, .consensus(.segments(segments))))
    } else {
      turn.add(.request(numbers.next(), to: member, .consensus(.segments(segments)), deadline: Self.sendDeadline))
    }
  }

  // MARK: Consensus

  /// Hands consensus one event and carries out its effects, answering what it wants built and checked at once.
  private mutating func drive(_ event: ConsensusEvent, _ turn: inout Turn) {
    var events = [event]
    while !events.isEmpty {
      for effect in consensus.handle(events.removeFirst(), at: turn.now) {
        if let answer = perform(effect, &turn) { events.append(answer) }
      }
    }
  }

  private mutating func perform(_ effect: ConsensusEffect, _ turn: inout Turn) -> ConsensusEvent? {
    switch effect {
    case .persist(let record):
      turn.add(.persist(.put(stream: Stream.journal, key: record.key, bytes: record.encoded)))
    case .prune(let view):
      turn.add(.persist(.prune(stream: Stream.journal, below: ConsensusRecord.firstKey(of: view))))
    case .broadcast(let message): turn.add(.publish(.consensus, .consensus(message)))
    case .send(let message, let member):
      turn.add(
        .request(numbers.next(), to: members[Int(member)], .consensus(message), deadline: Self.sendDeadline))
    case .sendSegments(let height, let member):
      let id = numbers.next()
      recalls[id] = (members[Int(member)], nil)
      turn.add(.recall(id, stream: Stream.segments, from: height, limit: ConsensusMessage.maximumSegments))
    case .build(let request): return build(request, &turn)
    case .assembled(let view, let hash): executions.assembled(view: view, hash: hash)
    case .validate(let block, let hash): return validate(block, hash, &turn)
    case .notarized(let block, _): mempool.notarized(block)
    case .finalized(let segment): finalized(segment, &turn)
    case .setTimer(let timer, let at): turn.add(.setTimer(timerID(timer), at: at))
    case .cancelTimer(let timer): turn.add(.cancelTimer(timerID(timer)))
    case .evidence(let evidence): keep(evidence, &turn)
    case .halt(let text): turn.add(.halt(HaltReason(text)))
    case .observe(let observation): observe(observation, &turn)
    }
    return nil
  }

  private func timerID(_ timer: ConsensusTimer) -> TimerID { TimerID(Purpose.consensus + UInt16(timer.rawValue)) }

  private mutating func build(_ request: BuildRequest, _ turn: inout Turn) -> ConsensusEvent {
    do throws(ExecutionError) {
      if let built = try executions.build(request, leader: configuration.member, from: mempool) {
        return .built(view: request.view, body: built.body, stateRoot: built.root)
      }
    } catch {
      turn.add(.halt(HaltReason("\(address) cannot execute its own block: \(error)")))
    }
    mempool.purge(executions.final)
    declined = true
    return .nothingToBuild(view: request.view)
  }

  private mutating func validate(_ block: Block, _ hash: Digest, _ turn: inout Turn) -> ConsensusEvent? {
    do throws(LedgerFault) {
      return .validated(block: hash, try executions.validate(block, hash: hash))
    } catch {
      turn.add(.halt(HaltReason("\(address) cannot execute block \(block.header.height): \(error)")))
      return nil
    }
  }

  private mutating func finalized(_ segment: LedgerSegment, _ turn: inout Turn) {
    if let fault = executions.finalize(segment) { return turn.add(.halt(HaltReason(fault))) }
    guard let last = segment.blocks.last else { return }
    turn.add(.persist(.put(stream: Stream.segments, key: last.header.height, bytes: segment.encoded)))
    mempool.finalized(segment)
    reading.finalized(segment)
    finalView = last.header.view
    turn.add(.publish(.ledger, .ledger(segment)))
    for block in segment.blocks {
      turn.add(
        .observe(
          .blockFinal(
            height: block.header.height, view: block.header.view, transactions: block.body.transactions.count,
            blockTime: block.header.time)))
    }
  }

  private mutating func tellWaiting(_ turn: inout Turn) {
    let waiting = mempool.hasWaiting && !declined
    guard waiting != toldWaiting else { return }
    toldWaiting = waiting
    drive(.transactionsWaiting(waiting), &turn)
  }

  private mutating func keep(_ evidence: ConsensusEvidence, _ turn: inout Turn) {
    guard evidenceCount < Self.maximumEvidence else { return turn.count("validator.evidenceNotKept") }
    turn.add(.persist(.put(stream: Stream.evidence, key: evidenceCount, bytes: evidence.encoded)))
    evidenceCount += 1
    let name = configuration.genesis.members[Int(evidence.member)].name
    turn.note("evidence against \(name) in view \(evidence.view)", .warning)
  }

  private func observe(_ observation: ConsensusObservation, _ turn: inout Turn) {
    switch observation {
    case .entered: break
    case .timedOut(let view, let leader, _):
      turn.count("consensus.timedOut")
      turn.note("view \(view): leader \(configuration.genesis.members[Int(leader)].name) timed out")
    case .skipped: turn.count("consensus.leaderSkipped")
    case .joinedNullify: turn.count("consensus.joinedNullify")
    case .waiting(_, let reason): turn.count("consensus.waiting.\(reason)")
    case .refused(let view, let leader, let reason):
      turn.note(
        "view \(view): proposal of \(configuration.genesis.members[Int(leader)].name) refused: \(reason)", .warning)
    case .catchingUp(let height, _): turn.note("catching up from height \(height)")
    case .dropped(_, let reason): turn.count("consensus.dropped.\(reason)")
    }
  }

  private var status: [StatusItem] {
    let state = executions.final
    return [
      StatusItem("height", state.height), StatusItem("view", consensus.view), StatusItem("finalView", finalView),
      StatusItem("stateRoot", state.root.hexadecimal), StatusItem("waiting", mempool.count),
      StatusItem("evidence", evidenceCount),
    ]
  }
}
