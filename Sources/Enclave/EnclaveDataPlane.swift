import Effects
import Messages
import Metering

/// Packets: from the application into the network and back, counted on the way.
extension EnclaveCore {
  mutating func carry(_ datagrams: [Datagram], _ turn: inout Turn) {
    var stray: UInt64 = 0
    for datagram in datagrams {
      let isTaken =
        datagram.destination == configuration.applicationPort
        ? fromApplication(datagram, &turn) : fromNetwork(datagram, &turn)
      if !isTaken { stray += 1 }
    }
    if stray > 0 { turn.count("enclave.datagrams.stray", by: stray) }
  }

  /// - Returns: false for a datagram that belongs to no session.
  private mutating func fromApplication(_ datagram: Datagram, _ turn: inout Turn) -> Bool {
    guard let application = ApplicationDatagram(datagram.bytes), let slot = slots[application.activation],
      datagram.source == sessions[slot]?.opening.host
    else { return false }
    if let packet = sessions[slot]?.send(.data, to: application.peer, payload: application.payload, at: turn.now) {
      transmit(slot, packet, &turn)
    }
    return true
  }

  /// - Returns: false for a datagram that belongs to no flow.
  private mutating func fromNetwork(_ datagram: Datagram, _ turn: inout Turn) -> Bool {
    guard let packet = try? Packet(datagram.bytes),
      let slot = flows[FlowKey(edge: datagram.source, flow: packet.header.flow)]
    else { return false }
    switch sessions[slot]?.take(packet, arrival: datagram.at, at: turn.now) ?? .stray {
    case .stray: return false
    case .stops: break
    case .delivered(let application):
      if let host = sessions[slot]?.opening.host {
        turn.transmit(Datagram(from: configuration.applicationPort, to: host, bytes: application.bytes))
      }
    case .answered(let echo): transmit(slot, echo, &turn)
    }
    return true
  }

  mutating func transmit(_ slot: UInt64, _ packet: Session.Leaving, _ turn: inout Turn) {
    turn.transmit(Datagram(from: configuration.networkPort, to: packet.edge, bytes: packet.bytes))
    reserveNumbers(slot, &turn)
  }

  /// Makes further sequence numbers durable; they count once they are read back.
  mutating func reserveNumbers(_ slot: UInt64, _ turn: inout Turn) {
    guard let limit = sessions[slot]?.reserveNumbers() else { return }
    let id = numbers.next()
    recalls[id] = .reservation(slot: slot)
    turn.add(.persist(.put(stream: Stream.sequences, key: slot, bytes: limit.encoded)))
    turn.add(.recall(id, stream: Stream.sequences, from: slot, limit: 1))
  }
}
