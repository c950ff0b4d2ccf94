import Effects
import Ledger
import Messages

/// Transactions on their way into a block: taken, passed on, and what consensus knows of them.
extension ValidatorCore {
  mutating func submitted(_ token: ReplyToken, _ transaction: SignedTransaction, _ turn: inout Turn) {
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
    turn.add(.setTimer(TimerID(Purpose.passOn), at: turn.now + Self.passOnInterval))
  }

  mutating func tellWaiting(_ turn: inout Turn) {
    let waiting = mempool.hasWaiting && !declined
    guard waiting != toldWaiting else { return }
    toldWaiting = waiting
    drive(.transactionsWaiting(waiting), &turn)
  }
}
