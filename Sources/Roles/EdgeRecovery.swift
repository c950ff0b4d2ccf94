import Effects
import Messages
import Metering
import Wire

/// What an edge keeps of a service, and a later life's way back from it. What was only in memory is gone: the epochs
/// that were open are interrupted, which the operator bears.
extension EdgeService {
  /// All that the controller and the anchor said.
  var record: Record {
    var writer = CBORWriter()
    writer.array(4)
    writer.write(list: ends.flatMap(\.orders))
    writer.write(list: routes)
    writer.write(optional: toldRecord)
    writer.write(booking.changes)
    return .put(stream: EdgeCore.Stream.services, key: slot, bytes: writer.bytes)
  }

  func record(_ journal: EpochJournal) -> Record {
    .put(
      stream: EdgeCore.Stream.journals, key: EdgeCore.Stream.key(slot: slot, epoch: journal.epoch),
      bytes: journal.encoded)
  }

  /// A service as its record says, with what it kept besides.
  init?(
    slot: UInt64, recovering kept: KeptService, _ configuration: EdgeCore.Configuration
  ) throws(HaltReason) {
    let orders = kept.orders.sorted { ($0.from, $0.end) < ($1.from, $1.end) }
    guard let first = orders.first(where: { $0.from == 0 && $0.end == .near }) ?? orders.first,
      var service = EdgeService(slot: slot, first, configuration, presentSince: .zero)
    else { return nil }
    // Before the other orders: each then finds the handover that it stands for in its place among the others.
    guard service.booking.recover(kept.changes) else { return nil }
    for order in orders where service.add(order, configuration) == .contradicts { return nil }
    try service.recover(kept, configuration)
    self = service
  }

  private mutating func recover(
    _ kept: KeptService, _ configuration: EdgeCore.Configuration
  ) throws(HaltReason) {
    recover(routes: kept.routes, toldRecord: kept.toldRecord)
    do throws(ExchangeRefusal) {
      try account.recover(
        kept.journals, from: order.from, parties: booking.parties, key: configuration.key,
        network: configuration.network)
    } catch {
      throw HaltReason("edge service \(activation.short): journaled epochs do not follow from one another (\(error))")
    }
    let known = account.exchange.map { $0.lastRecord?.epoch } ?? toldRecord ?? (order.from > 0 ? order.from - 1 : nil)
    booking.recovered(recordedThrough: known)
    ends = ends.map { end in
      var fresh = EdgeEnd(end.orders[0], booking, from: nextToClose, configuration)
      for order in end.orders.dropFirst() { _ = fresh.add(order, configuration) }
      return fresh
    }
    if endpoint != nil {
      endpoint = EdgeEndpoint(
        order, booking, from: nextToClose, recoveredNumbers: kept.numbersReserved, configuration)
    }
    rebook(configuration)
    for flow in kept.flows {
      guard let opening = try? flow.opening.payload(), let signer = flow.opening.envelope.signer,
        let index = ends.firstIndex(where: { order.order.enclave(at: $0.end) == signer })
      else { continue }
      _ = openFlow(opening, by: flow.enclave, at: index, configuration)
    }
  }
}

/// One service as it is found in the store.
struct KeptService {
  var orders: [ServiceOrder] = []
  var routes: [ServiceRoute] = []
  var toldRecord: EpochNumber?
  var changes = BookingChanges()
  var flows: [FlowRecord] = []
  var journals: [EpochJournal] = []
  var numbersReserved: UInt64 = 0

  /// Reads what ``EdgeService/record`` wrote.
  mutating func read(_ bytes: [UInt8]) throws(WireError) {
    var reader = try CBORReader(bytes)
    (orders, routes, toldRecord, changes) = try reader.record(4) { (reader) throws(WireError) in
      (
        try reader.list(maximum: 2 * EdgeService.maximumOrders), try reader.list(maximum: EdgeService.maximumRoutes),
        try reader.optional(), try reader.value()
      )
    }
    try reader.finish()
  }
}

extension EdgeCore {
  mutating func recover(_ records: [StoredRecord]) throws(HaltReason) {
    var kept: [UInt64: KeptService] = [:]
    do {
      for record in records {
        switch record.stream {
        case Stream.services:
          nextSlot = max(nextSlot, record.key + 1)
          if !record.bytes.isEmpty { try kept[record.key, default: KeptService()].read(record.bytes) }
        case Stream.flows: kept[record.key >> 8]?.flows.append(try FlowRecord(decoding: record.bytes))
        case Stream.journals: kept[record.key >> 32]?.journals.append(try EpochJournal(decoding: record.bytes))
        case Stream.sequences: kept[record.key]?.numbersReserved = try UInt64(decoding: record.bytes)
        default: break
        }
      }
    } catch {
      throw HaltReason("\(address): a journaled record cannot be read (\(error)). Restore the data directory.")
    }
    for slot in kept.keys.sorted() {
      guard let found = kept[slot], let service = try EdgeService(slot: slot, recovering: found, configuration) else {
        throw HaltReason("\(address): service \(slot) is not this edge's. Wrong data directory?")
      }
      services[slot] = service
      slots[service.activation] = slot
      flows[service.flow] = slot
    }
  }
}
