import Effects
import Messages
import Metering

/// Packets at the edge and its endpoint. The emulated slice stands behind the ingress; where the flow's other end is
/// served elsewhere, what comes out of the slice goes on to that edge over UDP.
///
///     two customers   enclave ─▶ ingress ─▶ slice ─▶ (other edge) egress ─▶ enclave
///     one customer    enclave ─▶ ingress ─▶ slice ─▶ (anchor) endpoint receives, echoes probes
///                     enclave ◀─ egress (serving edge) ◀─ slice ◀─ endpoint transmits (anchor)
extension EdgeCore {
  /// Work due this soon is done now: packets of one moment share one timer.
  static let releaseQuantum: Span = .microseconds(250)
  /// The endpoint's application wakes no more often than this and sends what is due since.
  static let trafficQuantum: Span = .milliseconds(2)
  /// What a stalled endpoint catches up with at most. A live source skips the rest: sent in a burst it would queue at
  /// the slice's rate and break the delay that it was bought for.
  static let trafficBacklog: Span = .milliseconds(5)

  mutating func arrived(_ datagrams: [Datagram], _ turn: inout Turn) {
    var stray: UInt64 = 0
    for datagram in datagrams {
      guard let packet = try? Packet(datagram.bytes), let slot = flows[packet.header.flow] else {
        stray += 1
        continue
      }
      let origin: EdgeService.Origin =
        datagram.destination == configuration.endpointPort
        ? .slice : datagram.source == configuration.endpointPort ? .endpoint : .network(datagram.source)
      switch services[slot]?.take(packet, from: origin, arrival: datagram.at, at: turn.now) ?? .stray {
      case .stray: stray += 1
      case .stops, .lost: break
      case .comesOut(let release):
        if !queue.add(.release(slot: slot, packet), at: release) { turn.count("edge.queue.full") }
      case .goesOn(let port): forward(packet, to: port, &turn)
      case .answered(let bytes): transmit(slot, bytes, &turn)
      }
    }
    if stray > 0 { turn.count("edge.datagrams.stray", by: stray) }
  }

  private func forward(_ packet: Packet, to port: DataAddress, _ turn: inout Turn) {
    turn.transmit(Datagram(from: configuration.networkPort, to: port, bytes: packet.bytes))
  }

  /// The endpoint's packets go into the slice through the network port, as everybody else's do.
  private mutating func transmit(_ slot: UInt64, _ bytes: [UInt8], _ turn: inout Turn) {
    turn.transmit(Datagram(from: configuration.endpointPort, to: configuration.networkPort, bytes: bytes))
    reserveNumbers(slot, &turn)
  }

  /// Makes further sequence numbers of the endpoint durable; they count once they are read back.
  mutating func reserveNumbers(_ slot: UInt64, _ turn: inout Turn) {
    guard let limit = services[slot]?.endpoint?.reserveNumbers() else { return }
    let id = numbers.next()
    recalls[id] = .reservation(slot: slot)
    turn.add(.persist(.put(stream: Stream.sequences, key: slot, bytes: limit.encoded)))
    turn.add(.recall(id, stream: Stream.sequences, from: slot, limit: 1))
  }

  /// Starts the endpoint's application when there is something to send.
  mutating func startTraffic(_ slot: UInt64, _ turn: inout Turn) {
    guard let service = services[slot], let endpoint = service.endpoint, !endpoint.isGenerating,
      let traffic = endpoint.open?.traffic, traffic.packetsPerSecond > 0
    else { return }
    let begin = max(service.clock.startAt, turn.now)
    services[slot]?.endpoint?.nextTraffic = begin
    services[slot]?.endpoint?.isGenerating = queue.add(.generate(slot: slot), at: begin)
  }

  private mutating func generate(_ slot: UInt64, _ turn: inout Turn) {
    guard let traffic = services[slot]?.endpoint?.open?.traffic, traffic.packetsPerSecond > 0,
      var next = services[slot]?.endpoint?.nextTraffic, let end = services[slot]?.clock.end, turn.now < end
    else {
      services[slot]?.endpoint?.isGenerating = false
      return
    }
    let interval = Span(nanoseconds: Int64(1_000_000_000 / traffic.packetsPerSecond))
    let payload = [UInt8](repeating: 0, count: max(0, Int(clamping: traffic.payloadBytes) - PacketHeader.overheadBytes))
    next = max(next, turn.now - Self.trafficBacklog)
    while next <= turn.now + Self.releaseQuantum {
      if let bytes = services[slot]?.endpointSends(.data, payload: payload, at: turn.now) {
        transmit(slot, bytes, &turn)
      }
      next = next + interval
    }
    services[slot]?.endpoint?.nextTraffic = next
    services[slot]?.endpoint?.isGenerating = queue.add(
      .generate(slot: slot), at: max(next, turn.now + Self.trafficQuantum))
  }

  /// Does all that is due by now and sets the one timer for what comes next.
  mutating func runQueue(_ turn: inout Turn) {
    while let (work, _) = queue.take(dueBy: turn.now + Self.releaseQuantum) {
      switch work {
      case .release(let slot, let packet):
        switch services[slot]?.release(packet, endpointPort: configuration.endpointPort, at: turn.now) {
        case .goesOn(let port)?: forward(packet, to: port, &turn)
        case .stray?: turn.count("edge.packets.unrouted")
        case nil, .stops?, .lost?, .comesOut?, .answered?: break
        }
      case .generate(let slot): generate(slot, &turn)
      }
    }
    guard let next = queue.nextDue, queueTimer.map({ next < $0 }) ?? true else { return }
    queueTimer = next
    turn.add(.setTimer(TimerID(Purpose.queue), at: next))
  }
}
