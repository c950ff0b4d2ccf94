import Effects
import Messages
import Metering

/// What a customer asks about a session. Only the last record is in memory; where the ledger counts fewer epochs than
/// are recorded, or a demand is about an earlier one, it is read back from the journals.
extension EnclaveCore {
  /// A read of own records under way.
  enum Recall: Sendable {
    /// Of sequence numbers that become usable when they are read back.
    case reservation(slot: UInt64)
    case status(ReplyToken, slot: UInt64, epoch: EpochNumber)
    case material(ReplyToken, slot: UInt64, epoch: EpochNumber)
  }

  mutating func report(_ token: ReplyToken, _ request: ReportRequest, _ turn: inout Turn) {
    guard let slot = slots[request.activation], let session = sessions[slot] else {
      return turn.refuse(token, .notFound, "no session for \(request.activation.short)")
    }
    let epochs = min(request.epochs ?? session.epochs, session.epochs)
    switch session.account.exchange?.record(ending: epochs) ?? .now(nil) {
    case .now(let record): turn.add(.reply(token, .enclaveStatus(session.status(of: epochs, record, at: turn.now))))
    case .afterReading(let range): recall(.status(token, slot: slot, epoch: range.upperBound), range, &turn)
    }
  }

  /// Reads journals back for somebody who asked.
  mutating func recall(_ about: Recall, _ epochs: ClosedRange<EpochNumber>, _ turn: inout Turn) {
    let (first, last) = (epochs.lowerBound, epochs.upperBound)
    let (token, slot): (ReplyToken, UInt64)
    switch about {
    case .reservation: return
    case .status(let asked, let of, _), .material(let asked, let of, _): (token, slot) = (asked, of)
    }
    guard recalls.count < Self.maximumRecalls, last - first < UInt64(JournalReading.epochsAtMost) else {
      return turn.refuse(token, .tooManyRequests, "too much of what is past is being read")
    }
    let id = numbers.next()
    recalls[id] = about
    let key = Stream.key(slot: slot, epoch: first)
    turn.add(.recall(id, stream: Stream.journals, from: key, limit: Int(last - first) + 1))
  }

  mutating func recalled(_ id: RequestID, _ records: [StoredRecord], _ turn: inout Turn) {
    switch recalls.removeValue(forKey: id) {
    case nil: return
    case .reservation(let slot)?:
      guard let stored = records.first, stored.key == slot, let limit = try? UInt64(decoding: stored.bytes) else {
        return
      }
      sessions[slot]?.reserved(limit)
    case .status(let token, let slot, let epoch)?:
      // The session may have been forgotten in the meantime, and the next journal is then another's.
      guard let session = sessions[slot],
        let record = session.account.exchange?.record(of: epoch, in: journals(records, of: slot))
      else { return turn.refuse(token, .notFound, "the record of epoch \(epoch) is gone") }
      turn.add(.reply(token, .enclaveStatus(session.status(of: epoch + 1, record, at: turn.now))))
    case .material(let token, let slot, let epoch)?:
      let material = sessions[slot]?.account.exchange?.material(
        of: epoch, in: journals(records, of: slot), key: configuration.receiptKey, network: configuration.network)
      guard let material else { return turn.refuse(token, .notFound, "epoch \(epoch) is gone") }
      turn.add(.reply(token, .epochMaterial(material)))
    }
  }

  private func journals(_ records: [StoredRecord], of slot: UInt64) -> [EpochJournal] {
    records.filter { $0.key >> 32 == slot }.compactMap { try? EpochJournal(decoding: $0.bytes) }
  }
}

extension Session {
  /// Where it stands with its first `epochs` epochs, the last record of which is given.
  func status(of epochs: UInt64, _ record: SignedRecord?, at now: Instant) -> EnclaveStatus {
    EnclaveStatus(
      activation: activation, phase: phase(of: epochs, at: now),
      epoch: clock.epoch(at: now).flatMap { $0 < epochs ? $0 : nil }, record: record)
  }

  private func phase(of epochs: UInt64, at now: Instant) -> EnclaveStatus.Phase {
    if account.exchange?.recordedEpochs ?? account.nextToClose >= epochs { return .finished }
    if now >= clock.start(of: epochs) { return .closing }
    if !isOpen(in: clock.epoch(at: now) ?? 0) { return .opening }
    return now < clock.startAt ? .ready : .serving
  }
}
