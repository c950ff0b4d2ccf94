import Messages
import Metering

/// What an enclave does with one packet: counts it where it leaves or arrives. Everything here is done in place; a copy
/// of what has been counted would cost more than the packet.
extension Session {
  /// A packet and the edge that it goes to.
  struct Leaving {
    let edge: DataAddress
    let bytes: [UInt8]
  }

  /// A packet stamped and counted, or nil: the flow is not open, no epoch runs, it exceeds what was bought, or no
  /// number is reserved for it. Such a packet is dropped here, before it gets a number, so that it can never look like
  /// loss.
  mutating func send(
    _ purpose: PacketHeader.Purpose, to peer: PeerNumber, payload: ArraySlice<UInt8>, at now: Instant
  ) -> Leaving? {
    guard let tagKey, let epoch = clock.epoch(at: now), let flow = flow(in: epoch) else { return nil }
    let bytes = payload.count + PacketHeader.overheadBytes
    switch sender?.stamp(purpose, peer: peer, bytes: bytes, at: now) {
    case nil, .closed?: return nil
    case .dropped(let epoch)?:
      transmit.droppedByPolicy(epoch: epoch, at: now)
      return nil
    case .leaves(let header)?:
      // What is for others takes a number and is dropped at the edge; that it need not arrive is this receipt's word.
      if peer == self.peer { transmit.sent(header, bytes: bytes) } else { transmit.sentElsewhere(header) }
      if purpose == .probe {
        probes.sent(header)
        receive.probed(epoch: header.epoch)
      }
      // By the stamp: it never goes back, also when the clock does.
      let edge = self.flow(in: header.epoch) ?? flow
      return Leaving(edge: edge.address, bytes: header.packet(payload: payload, key: tagKey))
    }
  }

  /// As large as an echo, so that both ways carry the same.
  mutating func sendProbe(at now: Instant) -> Leaving? {
    let payload = [UInt8](repeating: 0, count: EchoPayload.byteCount)
    return send(.probe, to: peer, payload: payload[...], at: now)
  }

  enum Reception {
    /// It belongs to no flow of this session.
    case stray
    /// It is counted and goes no further.
    case stops
    case delivered(ApplicationDatagram)
    /// A probe of the other end is answered.
    case answered(Leaving)
  }

  /// A packet comes from one of the edges that serve this end.
  mutating func take(_ packet: Packet, arrival: Instant, at now: Instant) -> Reception {
    guard let tagKey else { return .stray }
    let header = packet.header
    guard header.direction == end.other.sending, packet.hasValidTag(tagKey) else {
      receive.badTag()
      return .stops
    }
    guard receive.received(header, bytes: packet.bytes.count, at: arrival) == .counted else { return .stops }
    switch header.purpose {
    case .data:
      return .delivered(ApplicationDatagram(activation: activation, peer: header.peer, payload: packet.payload))
    case .probe:
      let echo = EchoPayload(sequence: header.sequence, sent: header.sent, held: now - arrival)
      return send(.echo, to: peer, payload: echo.bytes[...], at: now).map { .answered($0) } ?? .stops
    case .echo:
      let metering = booking.parties.metering
      if let echo = EchoPayload(packet.payload),
        let (epoch, roundTrip) = probes.echoed(echo, at: arrival, metering: metering)
      {
        receive.echoed(probeEpoch: epoch, roundTrip: roundTrip)
      }
      return .stops
    }
  }

  /// - Returns: the limit of numbers to make durable and read back now.
  mutating func reserveNumbers() -> UInt64? { sender?.reserve() ?? nil }

  mutating func reserved(_ limit: UInt64) { sender?.reserved(limit) }
}
