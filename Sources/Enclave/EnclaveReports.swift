import Effects
import Messages
import Metering

/// What a customer asks about a session. Only the last record is in memory; where the ledger counts fewer epochs than
/// are recorded, the one to settle with is read back from the journals.
extension EnclaveCore {
  /// A status answer that waits for the record of an earlier epoch.
  struct Recall: Sendable {
    let token: ReplyToken
    let slot: UInt64
    let epoch: EpochNumber
  }

  mutating func report(_ token: ReplyToken, _ request: ReportRequest, _ turn: inout Turn) {
    guard let slot = slots[request.activation], let session = sessions[slot] else {
      return turn.add(.refuse(token, RemoteError(.notFound, "no session for \(request.activation.short)")))
    }
    let epochs = min(request.epochs ?? session.epochs, session.epochs)
    guard epochs > 0, epochs < session.exchange.recordedEpochs else {
      let record = epochs == 0 ? nil : session.exchange.lastSigned
      return turn.add(.reply(token, .enclaveStatus(session.status(of: epochs, record, at: turn.now))))
    }
    guard recalls.count < Self.maximumRecalls else {
      return turn.add(
        .refuse(token, RemoteError(.tooManyRequests, "\(Self.maximumRecalls) earlier records are being read")))
    }
    let id = nextNumber()
    recalls[id] = Recall(token: token, slot: slot, epoch: epochs - 1)
    let key = Stream.key(slot: slot, epoch: epochs - 1)
    turn.add(.recall(id, stream: Stream.journals, from: key, limit: 1))
  }

  mutating func recalled(_ id: RequestID, _ records: [StoredRecord], _ turn: inout Turn) {
    if let slot = reservations.removeValue(forKey: id) {
      sessions[slot]?.reserved(records)
      return
    }
    guard let recall = recalls.removeValue(forKey: id) else { return }
    // The session may have been forgotten in the meantime, and the next journal is then another's.
    guard let session = sessions[recall.slot], let stored = records.first,
      stored.key == Stream.key(slot: recall.slot, epoch: recall.epoch),
      let journal = try? EpochJournal(decoding: stored.bytes), let record = session.exchange.signedRecord(journal)
    else {
      return turn.add(.refuse(recall.token, RemoteError(.notFound, "the record of epoch \(recall.epoch) is gone")))
    }
    turn.add(.reply(recall.token, .enclaveStatus(session.status(of: recall.epoch + 1, record, at: turn.now))))
  }
}

extension Session {
  /// Where it stands with its first `epochs` epochs, the last record of which is given.
  func status(of epochs: UInt64, _ record: SignedRecord?, at now: Instant) -> EnclaveStatus {
    EnclaveStatus(
      activation: opening.activation, phase: phase(of: epochs, at: now),
      epoch: clock.epoch(at: now).flatMap { $0 < epochs ? $0 : nil }, record: record)
  }

  private func phase(of epochs: UInt64, at now: Instant) -> EnclaveStatus.Phase {
    if exchange.recordedEpochs >= epochs { return .finished }
    if now >= clock.start(of: epochs) { return .closing }
    if flow == nil { return .opening }
    return now < clock.startAt ? .ready : .serving
  }
}
