import Effects
import Messages
import Metering

/// What the controller asks about a service. Only the last record is in memory; where the ledger counts fewer epochs
/// than are recorded, or a demand is about an earlier one, it is read back from the journals.
extension EdgeCore {
  /// A read of own records under way.
  enum Recall: Sendable {
    /// Of sequence numbers that become usable when they are read back.
    case reservation(slot: UInt64)
    case report(ReplyToken, slot: UInt64, epoch: EpochNumber)
    case material(ReplyToken, slot: UInt64, epoch: EpochNumber)
  }

  mutating func report(_ token: ReplyToken, _ request: ReportRequest, _ turn: inout Turn) {
    guard let slot = slots[request.activation], let service = services[slot], let exchange = service.account.exchange
    else {
      return turn.refuse(token, .notFound, "no records are made here for \(request.activation.short)")
    }
    let epochs = min(request.epochs ?? service.epochs, service.epochs)
    switch exchange.record(ending: epochs) {
    case .now(let record):
      let report = ServiceReport(
        activation: request.activation, record: record, isFinished: exchange.recordedEpochs >= epochs)
      turn.add(.reply(token, .serviceReport(report)))
    case .afterReading(let range):
      recall(.report(token, slot: slot, epoch: range.upperBound), range, &turn)
    }
  }

  /// Reads journals back for somebody who asked.
  mutating func recall(_ about: Recall, _ epochs: ClosedRange<EpochNumber>, _ turn: inout Turn) {
    let (first, last) = (epochs.lowerBound, epochs.upperBound)
    let (token, slot): (ReplyToken, UInt64)
    switch about {
    case .reservation: return
    case .report(let asked, let of, _), .material(let asked, let of, _): (token, slot) = (asked, of)
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
      services[slot]?.endpoint?.reserved(limit)
    case .report(let token, let slot, let epoch)?:
      // The service may have been closed in the meantime, and the next journal is then another's.
      guard let service = services[slot],
        let record = service.account.exchange?.record(of: epoch, in: journals(records, of: slot))
      else { return turn.refuse(token, .notFound, "the record of epoch \(epoch) is gone") }
      let report = ServiceReport(activation: service.activation, record: record, isFinished: true)
      turn.add(.reply(token, .serviceReport(report)))
    case .material(let token, let slot, let epoch)?:
      let material = services[slot]?.account.exchange?.material(
        of: epoch, in: journals(records, of: slot), key: configuration.key, network: configuration.network)
      guard let material else { return turn.refuse(token, .notFound, "epoch \(epoch) is gone") }
      turn.add(.reply(token, .epochMaterial(material)))
    }
  }

  private func journals(_ records: [StoredRecord], of slot: UInt64) -> [EpochJournal] {
    records.filter { $0.key >> 32 == slot }.compactMap { try? EpochJournal(decoding: $0.bytes) }
  }
}
