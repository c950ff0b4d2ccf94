import Effects
import Messages
import Metering

/// Packets: from the application into the network and back, counted on the way.
extension EnclaveCore {
  mutating func carry(_ datagrams: [Datagram], _ turn: inout Turn) {
    var leaving: [Datagram] = []
    var stray: UInt64 = 0
    for datagram in datagrams {
      let taken =
        datagram.destination == configuration.applicationPort
        ? fromApplication(datagram, &leaving, &turn) : fromNetwork(datagram, &leaving)
      if !taken { stray += 1 }
    }
    if stray > 0 { turn.count("enclave.datagrams.stray", by: stray) }
    if !leaving.isEmpty { turn.add(.transmit(leaving)) }
  }

  /// - Returns: false for a datagram that belongs to no session.
  private mutating func fromApplication(
    _ datagram: Datagram, _ leaving: inout [Datagram], _ turn: inout Turn
  ) -> Bool {
    guard let application = ApplicationDatagram(datagram.bytes), let slot = slots[application.activation],
      var session = sessions[slot], datagram.source == session.opening.host
    else { return false }
    let bytes = application.payload.count + PacketHeader.overheadBytes
    if let packet = session.packet(.data, payload: application.payload, bytes: bytes, at: turn.now) {
      reserveSequences(&session, &turn)
      leaving.append(Datagram(from: configuration.networkPort, to: packet.edge, bytes: packet.bytes))
    }
    sessions[slot] = session
    return true
  }

  /// - Returns: false for a datagram that belongs to no flow.
  private mutating func fromNetwork(_ datagram: Datagram, _ leaving: inout [Datagram]) -> Bool {
    guard let packet = try? Packet(datagram.bytes),
      let slot = flows[FlowKey(edge: datagram.source, flow: packet.header.flow)], let flow = sessions[slot]?.flow
    else { return false }
    guard packet.header.direction == .down, packet.hasValidTag(flow.key) else {
      sessions[slot]?.down.badTag()
      return true
    }
    let arrival = sessions[slot]?.down.received(packet.header, bytes: packet.bytes.count, at: datagram.at)
    guard arrival == .counted, let session = sessions[slot] else { return true }
    switch packet.header.purpose {
    case .probe: break
    case .echo:
      guard let echo = EchoPayload(packet.payload),
        let (epoch, roundTrip) = sessions[slot]?.probes.echoed(
          echo, at: datagram.at, metering: session.parties.terms.metering)
      else { break }
      sessions[slot]?.down.echoed(probeEpoch: epoch, roundTrip: roundTrip)
    case .data:
      let application = ApplicationDatagram(activation: session.opening.activation, payload: packet.payload)
      leaving.append(Datagram(from: configuration.applicationPort, to: session.opening.host, bytes: application.bytes))
    }
    return true
  }

  mutating func sendProbe(_ session: inout Session, _ turn: inout Turn) {
    // As large as an echo, so that both ways carry the same.
    let payload = [UInt8](repeating: 0, count: EchoPayload.byteCount)
    guard
      let packet = session.packet(
        .probe, payload: payload[...], bytes: payload.count + PacketHeader.overheadBytes, at: turn.now)
    else { return }
    reserveSequences(&session, &turn)
    turn.add(.transmit([Datagram(from: configuration.networkPort, to: packet.edge, bytes: packet.bytes)]))
  }

  mutating func reserveSequences(_ session: inout Session, _ turn: inout Turn) {
    guard let record = session.reserveSequences() else { return }
    let id = nextNumber()
    reservations[id] = session.slot
    turn.add(.persist(record))
    turn.add(.recall(id, stream: Stream.sequences, from: session.slot, limit: 1))
  }
}

extension Session {
  /// A packet stamped and counted, or nil: the flow is not open, no epoch runs, it exceeds what was bought, or no number
  /// is reserved for it. Such a packet is dropped here, before it gets a number, so that it can never look like loss.
  mutating func packet(
    _ purpose: PacketHeader.Purpose, payload: ArraySlice<UInt8>, bytes: Int, at now: Instant
  ) -> (edge: DataAddress, bytes: [UInt8])? {
    guard var flow, let epoch = clock.epoch(at: now), epoch < epochs else { return nil }
    guard sequences.permits(flow.stamper.nextSequence),
      bytes <= Int(clamping: parties.terms.service.maximumPacketBytes), limiter.admits(bytes: bytes, at: now)
    else {
      up.droppedByPolicy(epoch: epoch, at: now)
      return nil
    }
    guard let header = flow.stamper.stamp(purpose, at: now) else { return nil }
    self.flow = flow
    up.sent(header, bytes: bytes)
    if purpose == .probe {
      probes.sent(header)
      down.probed(epoch: header.epoch)
    }
    return (flow.opened.address, header.packet(payload: payload, key: flow.key))
  }
}
