import Consensus
import Effects
import Ledger
import Messages
import Signing

/// Transactions on their way into a block: taken, promised, passed on, and what consensus knows of them.
extension ValidatorCore {
  mutating func submitted(_ token: ReplyToken, _ transaction: SignedTransaction, _ turn: inout Turn) {
    guard !consensus.isRestoring else {
      return turn.refuse(token, .unavailable, "it does not know yet what it signed before it was restored: ask another")
    }
    if let defect = executions.final.inclusionDefect(of: transaction) {
      let code: RemoteError.Code = defect == .signerNotEnrolled ? .permissionDenied : .failedPrecondition
      turn.add(.refuse(token, RemoteError(code, "\(defect.result.name): \(defect)")))
      return
    }
    switch admit(transaction) {
    case .added:
      turn.add(.publish(.transactions, .transaction(transaction)))
      acknowledge(token, transaction, &turn)
    case .alreadyKnown: acknowledge(token, transaction, &turn)
    case .conflicting:
      turn.add(.refuse(token, RemoteError(.failedPrecondition, "another transaction with this nonce waits")))
    case .full:
      turn.add(.refuse(token, RemoteError(.tooManyRequests, "too many transactions wait already")))
    }
  }

  /// "It is in every block that I lead from the next view on, as long as it may be": signed, and durable with the
  /// transaction before it is said. Said again in the same words.
  private mutating func acknowledge(_ token: ReplyToken, _ transaction: SignedTransaction, _ turn: inout Turn) {
    if let given = acknowledged[transaction.id] { return turn.add(.reply(token, .submitted(given))) }
    let promise = SubmissionAcknowledgement(
      transaction: transaction.id, era: consensus.membership.era, view: max(consensus.view, consensus.signingMark) + 1)
    let acknowledgement = SignedMessage(
      signing: promise, with: key, network: configuration.genesis.networkID)
    for effect in acknowledged.give(acknowledgement, of: transaction) { turn.add(effect) }
    turn.add(.reply(token, .submitted(acknowledgement)))
  }

  mutating func admit(_ transaction: SignedTransaction) -> Mempool.Admission {
    guard executions.final.isIncludable(transaction),
      let organisation = executions.final.signer(transaction.signer)?.organisation
    else { return .alreadyKnown }
    let admission = mempool.add(transaction, of: organisation)
    if admission == .added { declined = false }
    return admission
  }

  mutating func passOn(_ turn: inout Turn) {
    for transaction in mempool.unplaced(limit: Self.passOnBatch) {
      turn.add(.publish(.transactions, .transaction(transaction)))
    }
    report(&turn)
    suspend(&turn)
    turn.add(.setTimer(TimerID(Purpose.passOn), at: turn.now + Self.passOnInterval))
  }

  mutating func tellWaiting(_ turn: inout Turn) {
    let waiting = mempool.hasWaiting && !declined
    guard waiting != toldWaiting else { return }
    toldWaiting = waiting
    drive(.transactionsWaiting(waiting), &turn)
  }
}
