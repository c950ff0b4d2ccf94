import Effects
import Messages
import Metering
import Signing
import Wire

/// The edge and the enclaves it serves: flows and records. Asked again, it answers the same.
extension EdgeCore {
  mutating func openFlow(
    _ token: ReplyToken, _ asker: ActorAddress, _ signed: SignedMessage<FlowOpening>, _ turn: inout Turn
  ) {
    guard let opening = try? signed.payload(), let slot = slots[opening.activation], var service = services[slot],
      let signer = signed.envelope.signer
    else {
      return turn.add(.refuse(token, RemoteError(.notFound, "no service is ordered for this activation")))
    }
    guard service.parties.enclaves.contains(signer), service.flow.map({ $0.enclave == asker }) ?? true else {
      turn.count("edge.flows.refused")
      return turn.add(.refuse(token, RemoteError(.permissionDenied, "not an enclave of this activation")))
    }
    if service.flow?.opening != opening {
      guard service.openFlow(opening, by: asker, configuration) else {
        return turn.add(.refuse(token, RemoteError(.invalidArgument, "a key that nothing can be agreed on with")))
      }
      turn.add(.persist(.put(stream: Stream.flows, key: slot, bytes: FlowRecord(asker, signed).encoded)))
      reserveSequences(&service, &turn)
      services[slot] = service
      startTraffic(slot, &turn)
    }
    let opened = FlowOpened(
      activation: opening.activation, flow: UInt32(slot), agreementKey: configuration.agreementKey.publicKey,
      address: configuration.networkPort)
    turn.add(
      .reply(
        token, .flowOpened(SignedMessage(signing: opened, with: configuration.key, network: configuration.network))))
  }

  mutating func exchange(_ token: ReplyToken, _ message: Message, _ turn: inout Turn) {
    guard let activation = message.exchangedActivation, let slot = slots[activation], var service = services[slot]
    else {
      return turn.add(.refuse(token, RemoteError(.notFound, "no service is ordered for this activation")))
    }
    defer { services[slot] = service }
    do throws(ExchangeRefusal) {
      switch message {
      case .commit(let commitment):
        let answer = try service.exchange.answer(commitment)
        if let journal = answer.persist { turn.add(.persist(service.record(journal))) }
        turn.add(.reply(token, .commit(answer.reply)))
      case .reveal(let reveal):
        let answer = try service.exchange.answer(reveal)
        if let journal = answer.persist { turn.add(.persist(service.record(journal))) }
        turn.add(.reply(token, .revealed(answer.reply)))
      case .submitRecord(let submission):
        if let done = try service.exchange.take(submission) {
          turn.add(.persist(service.record(done.persist)))
          service.gate.recorded(done.record.epoch, at: turn.now)
          turn.add(.observe(.epochRecorded(activation, done.record)))
        }
        turn.add(.reply(token, .acknowledged))
      default: throw .unexpected
      }
    } catch {
      guard error == .notYet, case .commit(let commitment) = message else {
        turn.count("edge.exchange.refused")
        return turn.add(.refuse(token, RemoteError(.failedPrecondition, "\(error)")))
      }
      // The enclave's clock is a little ahead: answered as soon as the epoch closes here. Only the latest waits.
      service.waiting = (token, commitment)
    }
  }

  /// Rebuilds every service from what was durable. The epochs that were open are interrupted, which the operator bears.
  mutating func recover(_ records: [StoredRecord]) throws(HaltReason) {
    var orders: [(slot: UInt64, order: ServiceOrder, epochs: UInt64)] = []
    var flows: [UInt64: FlowRecord] = [:]
    var journals: [UInt64: [EpochJournal]] = [:]
    var sequences: [UInt64: UInt64] = [:]
    do {
      for record in records {
        switch record.stream {
        case Stream.services:
          nextSlot = max(nextSlot, record.key + 1)
          guard !record.bytes.isEmpty else { continue }
          var reader = try CBORReader(record.bytes)
          let (order, epochs) = try reader.record(2) { (reader) throws(WireError) in
            (try ServiceOrder(from: &reader), try reader.uint())
          }
          try reader.finish()
          orders.append((record.key, order, epochs))
        case Stream.flows: flows[record.key] = try FlowRecord(decoding: record.bytes)
        case Stream.journals: journals[record.key >> 32, default: []].append(try EpochJournal(decoding: record.bytes))
        case Stream.sequences: sequences[record.key] = try UInt64(decoding: record.bytes)
        default: break
        }
      }
    } catch {
      throw HaltReason("\(address): a journaled record cannot be read (\(error)). Restore the data directory.")
    }
    for (slot, order, epochs) in orders {
      guard var service = EdgeService(slot: slot, order, configuration, presentSince: .zero, epochs: epochs) else {
        throw HaltReason("\(address): service \(order.activation.short) is not this edge's. Wrong data directory?")
      }
      try service.recover(journals[slot] ?? [], reservedSequence: sequences[slot] ?? 0, configuration)
      if let flow = flows[slot], let opening = try? flow.opening.payload() {
        _ = service.openFlow(opening, by: flow.enclave, configuration)
      }
      services[slot] = service
      slots[order.activation] = slot
    }
  }
}

extension EdgeService {
  mutating func recover(
    _ journals: [EpochJournal], reservedSequence: UInt64, _ configuration: EdgeCore.Configuration
  ) throws(HaltReason) {
    do throws(ExchangeRefusal) {
      exchange = try OperatorExchange(
        parties: parties, key: configuration.key, network: configuration.network, recovering: journals)
    } catch {
      throw HaltReason(
        "edge service \(order.activation.short): journaled epochs do not follow from one another (\(error))")
    }
    gate = RecordGate(terms: parties.terms.metering, clock: clock, recordedThrough: exchange.lastRecord?.epoch)
    func meter(_ point: MeteredPoint) -> PointMeter {
      PointMeter(point: point, terms: parties.terms, clock: clock, firstOpen: exchange.nextToClose)
    }
    ingress = meter(ingress.point)
    endpointReceive = meter(endpointReceive.point)
    endpointTransmit = meter(endpointTransmit.point)
    egress = meter(egress.point)
    sequences = SequenceReservation(
      recovered: reservedSequence, packetsPerEpoch: parties.terms.packetsPerEpoch(.down))
  }
}

/// An enclave's flow as it is kept: who opened it, and its signed opening.
private struct FlowRecord: WireCodable {
  let enclave: ActorAddress
  let opening: SignedMessage<FlowOpening>

  init(_ enclave: ActorAddress, _ opening: SignedMessage<FlowOpening>) {
    self.enclave = enclave
    self.opening = opening
  }

  func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(enclave)
    writer.write(opening)
  }

  init(from reader: inout CBORReader) throws(WireError) {
    (enclave, opening) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.value(), try reader.value())
    }
  }
}

extension Message {
  /// The activation that a step of the exchange is about, as it says itself.
  fileprivate var exchangedActivation: ActivationID? {
    switch self {
    case .commit(let exchange): try? exchange.commitment.decode(EpochCommitment.self).activation
    case .reveal(let reveal): reveal.activation
    case .submitRecord(let submission): try? submission.record.decode(JointRecord.self).activation
    default: nil
    }
  }
}
