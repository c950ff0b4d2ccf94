import Effects
import Messages
import Metering
import Wire

/// One session as it is found in the sealed state.
struct KeptSession {
  var opening: EnclaveSession
  var changes: BookingChanges
  var journals: [EpochJournal] = []
  var flows: [SignedMessage<FlowOpened>] = []
  var pairing: SignedMessage<FlowOpening>?
  var numbersReserved: UInt64 = 0

  /// Reads what ``Session/record`` wrote.
  init(_ bytes: [UInt8]) throws(WireError) {
    var reader = try CBORReader(bytes)
    (opening, changes) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.value(), try reader.value())
    }
    try reader.finish()
  }
}

extension EnclaveCore {
  /// Rebuilds every session from what was durable. What was only in memory is gone: the epochs that were open are
  /// interrupted, which their owner bears.
  mutating func recover(_ records: [StoredRecord]) throws(HaltReason) {
    var kept: [UInt64: KeptSession] = [:]
    do {
      for record in records {
        switch record.stream {
        case Stream.sessions: kept[record.key] = try KeptSession(record.bytes)
        case Stream.journals: kept[record.key >> 32]?.journals.append(try EpochJournal(decoding: record.bytes))
        case Stream.flows: kept[record.key >> 8]?.flows.append(try SignedMessage(decoding: record.bytes))
        case Stream.pairings: kept[record.key]?.pairing = try SignedMessage(decoding: record.bytes)
        case Stream.sequences: kept[record.key]?.numbersReserved = try UInt64(decoding: record.bytes)
        default: break
        }
      }
    } catch {
      throw HaltReason("\(address): a sealed record cannot be read (\(error)). Restore the data directory.")
    }
    for slot in kept.keys.sorted() {
      guard let found = kept[slot], var session = Session(slot: slot, found.opening, configuration, presentSince: .zero)
      else { throw HaltReason("\(address): session \(slot) is not this enclave's. Wrong data directory?") }
      try session.recover(found, configuration)
      sessions[slot] = session
      for edge in session.edges { if let opened = edge.opened { flows[FlowKey(opened)] = slot } }
      slots[session.activation] = slot
      nextSlot = max(nextSlot, slot + 1)
      if session.isOver { finished.append(slot) }
    }
  }
}
