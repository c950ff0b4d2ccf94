import Effects
import Messages
import Metering

/// What the controller asks about a service. Only the last record is in memory; where the ledger counts fewer epochs
/// than are recorded, the one to settle with is read back from the journals.
extension EdgeCore {
  /// A report that waits for the record of an earlier epoch.
  struct Recall: Sendable {
    let token: ReplyToken
    let slot: UInt64
    let epoch: EpochNumber
  }

  mutating func report(_ token: ReplyToken, _ request: ReportRequest, _ turn: inout Turn) {
    guard let slot = slots[request.activation], let service = services[slot] else {
      return turn.add(.refuse(token, RemoteError(.notFound, "no service for \(request.activation.short)")))
    }
    let epochs = min(request.epochs ?? service.epochs, service.epochs)
    let recorded = service.exchange.recordedEpochs
    guard epochs > 0, epochs < recorded else {
      let report = ServiceReport(
        activation: request.activation, record: epochs == 0 ? nil : service.exchange.lastSigned,
        isFinished: recorded >= epochs)
      return turn.add(.reply(token, .serviceReport(report)))
    }
    guard recalls.count < Self.maximumRecalls else {
      return turn.add(
        .refuse(token, RemoteError(.tooManyRequests, "\(Self.maximumRecalls) earlier records are being read")))
    }
    let id = numbers.next()
    recalls[id] = Recall(token: token, slot: slot, epoch: epochs - 1)
    let key = Stream.key(slot: slot, epoch: epochs - 1)
    turn.add(.recall(id, stream: Stream.journals, from: key, limit: 1))
  }

  mutating func recalled(_ id: RequestID, _ records: [StoredRecord], _ turn: inout Turn) {
    if let slot = reservations.removeValue(forKey: id) {
      services[slot]?.reserved(records)
      return
    }
    guard let recall = recalls.removeValue(forKey: id) else { return }
    // The service may have been closed in the meantime, and the next journal is then another's.
    guard let service = services[recall.slot], let stored = records.first,
      stored.key == Stream.key(slot: recall.slot, epoch: recall.epoch),
      let journal = try? EpochJournal(decoding: stored.bytes), let record = service.exchange.signedRecord(journal)
    else {
      return turn.add(.refuse(recall.token, RemoteError(.notFound, "the record of epoch \(recall.epoch) is gone")))
    }
    let report = ServiceReport(activation: service.order.activation, record: record, isFinished: true)
    turn.add(.reply(recall.token, .serviceReport(report)))
  }
}
