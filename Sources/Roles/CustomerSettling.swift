import Effects
import Messages
import Signing

/// The end of a purchase: together if the operator answers, alone if it does not.
extension CustomerCore {
  /// Alone also when the operator has opened CLOSING by itself, and when the ledger computed a later record: an
  /// agreement to less would take its place.
  mutating func settle(
    _ index: Int, _ service: Service, _ agreement: SettlementAgreement, _ record: SignedRecord?, _ turn: inout Turn
  ) {
    let purchase = purchases[index]
    let isOutdone = purchase.demands.posted.map { $0 >= agreement.record?.epoch ?? 0 } ?? false
    let record = isOutdone ? nil : record
    if purchase.isClosing {
      // Its end comes with the end of the window, or with a record of a higher epoch.
      guard !purchase.hasPosted, record != nil else { return }
      return settleAlone(index, service.activation, record, &turn)
    }
    let since = purchase.settlingSince ?? turn.now
    guard !isOutdone, turn.now < since + purchase.patience(service.terms),
      let controller = configuration.controllers[service.terms.operatorID]
    else { return settleAlone(index, service.activation, record, &turn) }
    if turn.now == since { turn.add(.observe(.activation(service.activation, .settlementProposed))) }
    let envelope = Envelope(
      signing: agreement, with: configuration.treasuryKey, network: configuration.genesis.networkID)
    ask(index, .agreement, controller, .proposeSettlement(SignedMessage(envelope)), &turn)
  }

  /// The same bytes again until they stand in a block or have expired.
  private mutating func settleAlone(_ index: Int, _ id: ActivationID, _ record: SignedRecord?, _ turn: inout Turn) {
    let transaction: SignedTransaction
    if let sent = purchases[index].settlement, sent.transaction.expiry > tip.height {
      transaction = sent
    } else {
      if let expired = purchases[index].settlement { awaited[expired.id] = nil }
      transaction = sign(.settleByRecord(id, record))
      purchases[index].settlement = transaction
      awaited[transaction.id] = .settlement(index)
      purchases[index].failures = 0
    }
    let member = members.member(repeats: purchases[index].failures)
    purchases[index].failures += 1
    ask(index, .settlement, member, .submit(transaction), &turn)
  }
}
