import Effects
import Messages
import Signing

/// What a customer does about an activation besides waiting for its end. Each errand is carried on its own: a
/// controller that does not answer about a handover keeps nobody from opening receipts on the ledger in time.
///
/// An errand asks somebody, or puts a statement on the ledger: the same bytes again until they stand in a block or have
/// expired. What the ledger shows to be done ends it, whoever did it and in whichever life.
extension CustomerCore {
  enum Errand: Hashable, Sendable {
    /// Look whether records come.
    case watch
    /// Planned changes, by position in the plan.
    case move(Int)
    case amend(Int)
    case terminate
    /// Tell the enclave what changed, by position among the updates.
    case update(Int)
    case demandService
    case demandRecord(EpochNumber)
    /// It is this side's turn to answer for an epoch: by a record that both signed, or by its own receipts.
    case answer(EpochNumber)
    /// The ledger opened both sides' receipts: tell the enclave.
    case settleEpoch(EpochNumber)
    /// Compare the record in CLOSING with the enclave's, and object.
    case checkClosing
  }

  struct ErrandState: Sendable {
    let errand: Errand
    var notBefore: Instant
    var question: RequestID?
    var failures = 0
    /// What it says on the ledger, once that is known.
    var statement: SignedTransaction?
  }

  /// Open at once for one activation. All of a plan and every update of an activation are far fewer.
  static let maximumErrands = 256
  /// A handover or a segment that was asked for and does not come is asked for again, so many times.
  static let proposalInterval = Span.seconds(5)
  static let maximumProposals = 4
  static let longestErrandPause = Span.seconds(10)

  // MARK: The list

  mutating func add(_ errand: Errand, to index: Int, at instant: Instant = .zero, _ turn: inout Turn) {
    guard !purchases[index].errands.contains(where: { $0.errand == errand }) else { return }
    guard purchases[index].errands.count < Self.maximumErrands else {
      return turn.count("customer.errandsFull")
    }
    purchases[index].errands.append(ErrandState(errand: errand, notBefore: instant))
    if isReady { runErrands(index, &turn) }
  }

  mutating func finish(_ errand: Errand, of index: Int) {
    guard let position = position(of: errand, index) else { return }
    if let statement = purchases[index].errands[position].statement { awaited[statement.id] = nil }
    purchases[index].errands.remove(at: position)
  }

  mutating func dropErrands(_ index: Int) {
    for state in purchases[index].errands {
      if let statement = state.statement { awaited[statement.id] = nil }
    }
    purchases[index].errands = []
  }

  private func position(of errand: Errand, _ index: Int) -> Int? {
    purchases[index].errands.firstIndex { $0.errand == errand }
  }

  /// Starts what is due and sets the timer to what is due next.
  mutating func runErrands(_ index: Int, _ turn: inout Turn) {
    guard isReady, !purchases[index].errands.isEmpty, let service = purchases[index].service else { return }
    for state in purchases[index].errands where isFree(state, of: index) && state.notBefore <= turn.now {
      run(state, index, service, &turn)
    }
    let waiting = purchases[index].errands.filter { isFree($0, of: index) }
    if let next = waiting.map(\.notBefore).min() {
      turn.add(.setTimer(TimerID(Purpose.errands, UInt64(index)), at: max(next, turn.now)))
    }
  }

  /// Nobody is asked, and nothing must come first: an enclave takes changes of a booking in the ledger's order.
  private func isFree(_ state: ErrandState, of index: Int) -> Bool {
    guard state.question == nil else { return false }
    guard case .update(let number) = state.errand else { return true }
    return !purchases[index].errands.contains { other in
      if case .update(let earlier) = other.errand { earlier < number } else { false }
    }
  }

  private mutating func run(_ state: ErrandState, _ index: Int, _ service: Service, _ turn: inout Turn) {
    let errand = state.errand
    if let statement = state.statement, statement.transaction.expiry > tip.height {
      return submit(statement, for: errand, of: index, &turn)
    }
    let epochs = purchases[index].epochs
    switch errand {
    case .watch: askForOwnRecord(errand, index, service, epochs: epochs, &turn)
    case .checkClosing:
      guard let closing = purchases[index].demands.closing?.epoch else { return finish(errand, of: index) }
      askForOwnRecord(errand, index, service, epochs: closing + 1, &turn)
    case .move(let number): requestHandover(number, index, service, &turn)
    case .amend(let number): proposeSegment(number, index, service, &turn)
    case .update(let number):
      ask(errand, index, enclave(of: index), .updateBooking(purchases[index].amended.updates[number]), &turn)
    case .terminate: declare(.terminate(service.activation), for: errand, of: index, &turn)
    case .demandService: declare(.demandService(service.activation), for: errand, of: index, &turn)
    case .demandRecord(let epoch): askForMaterial(errand, of: epoch, index, service, &turn)
    case .answer: askForOwnRecord(errand, index, service, epochs: epochs, &turn)
    case .settleEpoch(let epoch):
      guard let settling = purchases[index].demands.settling(service.activation, epoch) else {
        return finish(errand, of: index)
      }
      ask(errand, index, enclave(of: index), .settleEpoch(settling), &turn)
    }
  }

  mutating func ask(
    _ errand: Errand, _ index: Int, _ to: ActorAddress, _ message: Message, _ turn: inout Turn
  ) {
    guard let position = position(of: errand, index) else { return }
    let id = numbers.next()
    asked[id] = .errand(index, errand, of: to)
    purchases[index].errands[position].question = id
    turn.add(.request(id, to: to, message, deadline: Self.requestDeadline))
  }

  /// Says something on the ledger.
  mutating func declare(_ action: Action, for errand: Errand, of index: Int, _ turn: inout Turn) {
    guard let position = position(of: errand, index) else { return }
    if let expired = purchases[index].errands[position].statement { awaited[expired.id] = nil }
    let statement = sign(action)
    purchases[index].errands[position].statement = statement
    awaited[statement.id] = .errand(index, errand)
    submit(statement, for: errand, of: index, &turn)
  }

  private mutating func submit(
    _ statement: SignedTransaction, for errand: Errand, of index: Int, _ turn: inout Turn
  ) {
    guard let position = position(of: errand, index) else { return }
    let member = members.member(repeats: purchases[index].errands[position].failures)
    purchases[index].errands[position].failures += 1
    ask(errand, index, member, .submit(statement), &turn)
  }

  /// Once more, later.
  mutating func postpone(_ errand: Errand, of index: Int, by span: Span, _ turn: inout Turn) {
    guard let position = position(of: errand, index) else { return }
    purchases[index].errands[position].notBefore = turn.now + span
  }

  /// Later and later.
  mutating func retry(_ errand: Errand, of index: Int, _ turn: inout Turn) {
    guard let position = position(of: errand, index) else { return }
    let failures = purchases[index].errands[position].failures
    purchases[index].errands[position].failures += 1
    postpone(errand, of: index, by: min(Self.retry * (1 << Int64(min(failures, 6))), Self.longestErrandPause), &turn)
  }

  // MARK: Answers

  mutating func errandAnswered(
    _ index: Int, _ errand: Errand, _ id: RequestID, _ result: Result<Verified<Message>, RemoteError>,
    _ turn: inout Turn
  ) {
    guard let position = position(of: errand, index), purchases[index].errands[position].question == id,
      let service = purchases[index].service
    else { return }
    purchases[index].errands[position].question = nil
    if purchases[index].errands[position].statement != nil {
      // Taken, or not: only a block tells.
      let wait = if case .success = result { Self.resend } else { Self.retry }
      postpone(errand, of: index, by: wait, &turn)
    } else {
      switch (errand, result) {
      case (.watch, let result): watched(index, service, result, &turn)
      case (.move, let result), (.amend, let result): proposalAnswered(errand, index, result, &turn)
      case (.demandRecord(let epoch), .success(let message)), (.answer(let epoch), .success(let message)):
        materialArrived(errand, of: epoch, index, service, message.value, &turn)
      case (.checkClosing, .success(let message)): closingChecked(errand, index, service, message.value, &turn)
      case (.update, .success), (.settleEpoch, .success): told(errand, index, &turn)
      case (.update, .failure(let error)), (.settleEpoch, .failure(let error)): untold(errand, index, error, &turn)
      case (_, .failure(let error)) where error.isOfThisReceiver || error.code == .failedPrecondition:
        retry(errand, of: index, &turn)
      case (_, .failure(let error)):
        turn.note("\(purchases[index].part.label): \(errand) failed: \(error)", .warning)
        retry(errand, of: index, &turn)
      case (.terminate, .success), (.demandService, .success): retry(errand, of: index, &turn)
      }
    }
    runErrands(index, &turn)
  }

  /// The enclave knows.
  private mutating func told(_ errand: Errand, _ index: Int, _ turn: inout Turn) {
    if case .update(let number) = errand, case .segment = purchases[index].amended.updates[number] {
      purchases[index].epochsAtEnclave = max(purchases[index].epochsAtEnclave, purchases[index].epochs)
    }
    finish(errand, of: index)
  }

  /// Not there, or not yet; what an enclave refuses again and again does not fit what it has closed already.
  private mutating func untold(_ errand: Errand, _ index: Int, _ error: RemoteError, _ turn: inout Turn) {
    let failures = purchases[index].errands.first { $0.errand == errand }?.failures ?? 0
    guard error.isOfThisReceiver || failures < Self.maximumProposals else {
      turn.note("\(purchases[index].part.label): the enclave does not take \(errand): \(error)", .warning)
      return finish(errand, of: index)
    }
    retry(errand, of: index, &turn)
  }

  /// A statement stands in a block. Refused, it would be refused again: the ledger has had it, or is past it.
  mutating func errandDecided(_ index: Int, _ errand: Errand, _ result: TransactionResult, _ turn: inout Turn) {
    let statement = purchases[index].errands.first { $0.errand == errand }?.statement
    finish(errand, of: index)
    switch errand {
    case .answer(let epoch): answerDecided(epoch, of: index, statement?.transaction.action, result, &turn)
    case .demandService: purchases[index].demands.service = true
    case .demandRecord(let epoch): purchases[index].demands.own.append(epoch)
    default: break
    }
    if result != .accepted, isReady {
      turn.note("\(purchases[index].part.label): the ledger refused \(errand): \(result.name)", .warning)
    }
    touched.append(index)
  }
}
