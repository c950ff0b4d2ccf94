import Effects
import Messages
import Metering

/// Packets at the edge and its endpoint.
///
///     enclave ─▶ networkPort: ingress ─▶ up path ─▶ endpointPort: endpoint receives, echoes probes
///     enclave ◀─ networkPort: egress ◀─ down path ◀─ networkPort ◀─ endpointPort: endpoint transmits
extension EdgeCore {
  /// Work due this soon is done now: packets of one moment share one timer.
  static let releaseQuantum: Span = .microseconds(250)
  /// The endpoint's application wakes no more often than this and sends what is due since.
  static let trafficQuantum: Span = .milliseconds(2)
  /// What a stalled endpoint catches up with at most. A live source skips the rest: sent in a burst it would queue at
  /// the slice's rate and break the delay that it was bought for.
  static let trafficBacklog: Span = .milliseconds(5)

  mutating func arrived(_ datagrams: [Datagram], _ turn: inout Turn) {
    var leaving: [Datagram] = []
    var stray: UInt64 = 0
    for datagram in datagrams {
      guard let packet = try? Packet(datagram.bytes), services[UInt64(packet.header.flow)]?.flow != nil else {
        stray += 1
        continue
      }
      let slot = UInt64(packet.header.flow)
      switch (datagram.destination, datagram.source) {
      case (configuration.endpointPort, _): atEndpoint(slot, packet, datagram.at, &leaving, &turn)
      case (_, configuration.endpointPort): fromEndpoint(slot, packet, datagram.at, &turn)
      default: fromEnclave(slot, packet, datagram, &turn)
      }
    }
    if stray > 0 { turn.count("edge.datagrams.stray", by: stray) }
    if !leaving.isEmpty { turn.add(.transmit(leaving)) }
  }

  private mutating func fromEnclave(_ slot: UInt64, _ packet: Packet, _ datagram: Datagram, _ turn: inout Turn) {
    guard let service = services[slot], let flow = service.flow else { return }
    let header = packet.header
    guard header.direction == .up, packet.hasValidTag(flow.key) else {
      services[slot]?.ingress.badTag()
      return
    }
    guard service.gate.isOpen(for: header.epoch) else {
      services[slot]?.ingress.droppedByPolicy(epoch: header.epoch, at: turn.now)
      return
    }
    // First copies are told from replays before anything is held against the sender's rate.
    guard services[slot]?.ingress.received(header, bytes: packet.bytes.count, at: datagram.at) == .counted else {
      return
    }
    guard datagram.source == flow.opening.address,
      packet.bytes.count <= Int(clamping: service.parties.terms.service.maximumPacketBytes),
      services[slot]?.upLimiter.admits(bytes: packet.bytes.count, at: datagram.at) == true
    else {
      services[slot]?.ingress.droppedByPolicy(epoch: header.epoch, at: turn.now)
      return
    }
    services[slot]?.ingress.passedOn(header, bytes: packet.bytes.count)
    guard let release = services[slot]?.upPath.carry(bytes: packet.bytes.count, at: datagram.at) else { return }
    if !queue.add(.release(slot: slot, packet), at: release) { turn.count("edge.queue.full") }
  }

  private mutating func fromEndpoint(_ slot: UInt64, _ packet: Packet, _ arrival: Instant, _ turn: inout Turn) {
    guard let flow = services[slot]?.flow, packet.header.direction == .down, packet.hasValidTag(flow.key) else {
      services[slot]?.egress.badTag()
      return
    }
    guard let release = services[slot]?.downPath.carry(bytes: packet.bytes.count, at: arrival) else { return }
    if !queue.add(.release(slot: slot, packet), at: release) { turn.count("edge.queue.full") }
  }

  private mutating func atEndpoint(
    _ slot: UInt64, _ packet: Packet, _ arrival: Instant, _ leaving: inout [Datagram], _ turn: inout Turn
  ) {
    guard let flow = services[slot]?.flow, packet.header.direction == .up, packet.hasValidTag(flow.key) else {
      services[slot]?.endpointReceive.badTag()
      return
    }
    let counted = services[slot]?.endpointReceive.received(packet.header, bytes: packet.bytes.count, at: arrival)
    guard counted == .counted, packet.header.purpose == .probe else { return }
    let echo = EchoPayload(sequence: packet.header.sequence, sent: packet.header.sent, held: turn.now - arrival)
    transmit(slot, .echo, payload: echo.bytes, &leaving, &turn)
  }

  /// The endpoint stamps, counts and sends one packet down.
  private mutating func transmit(
    _ slot: UInt64, _ purpose: PacketHeader.Purpose, payload: [UInt8], _ leaving: inout [Datagram], _ turn: inout Turn
  ) {
    guard var service = services[slot], var flow = service.flow, let epoch = service.clock.epoch(at: turn.now),
      service.gate.isOpen(for: epoch)
    else { return }
    let bytes = payload.count + PacketHeader.overheadBytes
    guard bytes <= Int(clamping: service.parties.terms.service.maximumPacketBytes),
      service.sequences.permits(flow.stamper.nextSequence), service.downLimiter.admits(bytes: bytes, at: turn.now),
      let header = flow.stamper.stamp(purpose, at: turn.now)
    else { return }
    service.flow = flow
    service.endpointTransmit.sent(header, bytes: bytes)
    reserveSequences(&service, &turn)
    leaving.append(
      Datagram(
        from: configuration.endpointPort, to: configuration.networkPort,
        bytes: header.packet(payload: payload, key: flow.key)))
    services[slot] = service
  }

  mutating func reserveSequences(_ service: inout EdgeService, _ turn: inout Turn) {
    guard let record = service.reserveSequences() else { return }
    let id = numbers.next()
    reservations[id] = service.slot
    turn.add(.persist(record))
    turn.add(.recall(id, stream: Stream.sequences, from: service.slot, limit: 1))
  }

  // MARK: What is due

  /// Does all that is due by now and sets the one timer for what comes next.
  mutating func runQueue(_ turn: inout Turn) {
    var leaving: [Datagram] = []
    while let (work, due) = queue.take(dueBy: turn.now + Self.releaseQuantum) {
      switch work {
      case .release(let slot, let packet): release(slot, packet, &leaving, &turn)
      case .generate(let slot): generate(slot, due: due, &leaving, &turn)
      }
    }
    if !leaving.isEmpty { turn.add(.transmit(leaving)) }
    guard let next = queue.nextDue, queueTimer.map({ next < $0 }) ?? true else { return }
    queueTimer = next
    turn.add(.setTimer(TimerID(Purpose.queue), at: next))
  }

  private mutating func release(_ slot: UInt64, _ packet: Packet, _ leaving: inout [Datagram], _ turn: inout Turn) {
    guard let flow = services[slot]?.flow else { return }
    if packet.header.direction == .up {
      leaving.append(Datagram(from: configuration.networkPort, to: configuration.endpointPort, bytes: packet.bytes))
      return
    }
    guard services[slot]?.egress.received(packet.header, bytes: packet.bytes.count, at: turn.now) == .counted else {
      return
    }
    services[slot]?.egress.passedOn(packet.header, bytes: packet.bytes.count)
    leaving.append(Datagram(from: configuration.networkPort, to: flow.opening.address, bytes: packet.bytes))
  }

  /// Starts the endpoint's application when there is something to send.
  mutating func startTraffic(_ slot: UInt64, _ turn: inout Turn) {
    guard let service = services[slot], let traffic = service.flow?.opening.down, traffic.packetsPerSecond > 0,
      !service.isGenerating
    else { return }
    services[slot]?.nextTraffic = max(service.clock.startAt, turn.now)
    services[slot]?.isGenerating = queue.add(.generate(slot: slot), at: max(service.clock.startAt, turn.now))
  }

  private mutating func generate(_ slot: UInt64, due: Instant, _ leaving: inout [Datagram], _ turn: inout Turn) {
    guard let service = services[slot], let traffic = service.flow?.opening.down, traffic.packetsPerSecond > 0,
      turn.now < service.clock.end
    else {
      services[slot]?.isGenerating = false
      return
    }
    let interval = Span(nanoseconds: Int64(1_000_000_000 / traffic.packetsPerSecond))
    let payload = [UInt8](repeating: 0, count: max(0, Int(clamping: traffic.payloadBytes) - PacketHeader.overheadBytes))
    var next = max(service.nextTraffic, turn.now - Self.trafficBacklog)
    while next <= turn.now + Self.releaseQuantum {
      transmit(slot, .data, payload: payload, &leaving, &turn)
      next = next + interval
    }
    services[slot]?.nextTraffic = next
    services[slot]?.isGenerating = queue.add(.generate(slot: slot), at: max(next, turn.now + Self.trafficQuantum))
  }
}
