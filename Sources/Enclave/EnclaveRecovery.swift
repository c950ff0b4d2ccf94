import Effects
import Messages
import Metering
import Wire

extension EnclaveCore {
  /// Rebuilds every session from what was durable. What was only in memory is gone: the epochs that were open are
  /// interrupted, which their owner bears.
  mutating func recover(_ records: [StoredRecord]) throws(HaltReason) {
    var openings: [(slot: UInt64, opening: EnclaveSession, epochs: UInt64)] = []
    var journals: [UInt64: [EpochJournal]] = [:]
    var sequences: [UInt64: UInt64] = [:]
    do {
      for record in records {
        switch record.stream {
        case Stream.sessions:
          var reader = try CBORReader(record.bytes)
          let (opening, epochs) = try reader.record(2) { (reader) throws(WireError) in
            (try EnclaveSession(from: &reader), try reader.uint())
          }
          try reader.finish()
          openings.append((record.key, opening, epochs))
        case Stream.journals: journals[record.key >> 32, default: []].append(try EpochJournal(decoding: record.bytes))
        case Stream.sequences: sequences[record.key] = try UInt64(decoding: record.bytes)
        default: break
        }
      }
    } catch {
      throw HaltReason("\(address): a sealed record cannot be read (\(error)). Restore the data directory.")
    }
    for (slot, opening, epochs) in openings {
      guard var session = Session(slot: slot, opening, configuration, presentSince: .zero, epochs: epochs) else {
        throw HaltReason("\(address): session \(opening.activation.short) is not this enclave's. Wrong data directory?")
      }
      try session.recover(journals[slot] ?? [], reservedSequence: sequences[slot] ?? 0, configuration)
      sessions[slot] = session
      slots[opening.activation] = slot
      nextSlot = max(nextSlot, slot + 1)
      if session.isOver { finished.append(slot) }
    }
  }
}

extension Session {
  mutating func recover(
    _ journals: [EpochJournal], reservedSequence: UInt64, _ configuration: EnclaveCore.Configuration
  ) throws(HaltReason) {
    do throws(ExchangeRefusal) {
      exchange = try CustomerExchange(
        parties: parties, key: configuration.receiptKey, network: configuration.network, recovering: journals)
    } catch {
      throw HaltReason(
        "enclave session \(opening.activation.short): sealed epochs do not follow from one another (\(error))")
    }
    gate = RecordGate(terms: parties.terms.metering, clock: clock, recordedThrough: exchange.lastRecord?.epoch)
    up = PointMeter(point: up.point, terms: parties.terms, clock: clock, firstOpen: exchange.nextToClose)
    down = PointMeter(point: down.point, terms: parties.terms, clock: clock, firstOpen: exchange.nextToClose)
    sequences = SequenceReservation(
      recovered: reservedSequence, packetsPerEpoch: parties.terms.packetsPerEpoch(.up))
  }
}
