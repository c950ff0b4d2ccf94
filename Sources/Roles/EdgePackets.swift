import Messages
import Metering

/// What an edge does with one packet of an activation: counts it at the point that it passes and says where it goes.
/// Everything here is done in place; a copy of what has been counted would cost more than the packet.
extension EdgeService {
  /// Whence a packet comes.
  enum Origin {
    /// The network port, from this source: an enclave or another edge.
    case network(DataAddress)
    /// The endpoint's port: out of the slice, towards the endpoint.
    case slice
    /// The endpoint.
    case endpoint
  }

  enum Disposition {
    /// It belongs to nothing that is served here.
    case stray
    /// It is counted and goes no further.
    case stops
    /// It is in the slice until then.
    case comesOut(at: Instant)
    /// It is lost in the slice: nobody here knows.
    case lost
    case goesOn(to: DataAddress)
    /// The endpoint answers it with this packet.
    case answered([UInt8])
  }

  mutating func take(_ packet: Packet, from origin: Origin, arrival: Instant, at now: Instant) -> Disposition {
    let sender: FlowEnd = packet.header.direction == FlowEnd.near.sending ? .near : .far
    switch origin {
    case .slice: return reachesEndpoint(packet, arrival: arrival, at: now)
    case .endpoint: return leavesEndpoint(packet, arrival: arrival)
    case .network(let source) where isOtherEdge(source):
      return sender == .near && endpoint != nil
        ? reachesEndpoint(packet, arrival: arrival, at: now) : leaves(sender.other, packet, arrival: arrival)
    case .network(let source):
      return enters(sender, packet, from: source, arrival: arrival, at: now)
    }
  }

  /// A packet comes out of the slice that begins here.
  /// - Parameter endpointPort: where the endpoint receives.
  mutating func release(_ packet: Packet, endpointPort: DataAddress, at now: Instant) -> Disposition {
    let receiver: FlowEnd = packet.header.direction == FlowEnd.near.sending ? .far : .near
    if receiver == .far, endpoint != nil { return .goesOn(to: endpointPort) }
    if servesEnd(receiver, in: packet.header.epoch) { return leaves(receiver, packet, arrival: now) }
    return route(in: packet.header.epoch).map { .goesOn(to: $0) } ?? .stray
  }

  // MARK: The ends

  /// Only who holds the key of the tags can check them: enclaves, and the edge that the endpoint lives at. An edge in
  /// between goes by the address that the enclave's signed opening names.
  private mutating func enters(
    _ sender: FlowEnd, _ packet: Packet, from source: DataAddress, arrival: Instant, at now: Instant
  ) -> Disposition {
    let (header, bytes) = (packet.header, packet.bytes.count)
    guard let index = index(of: sender), servesEnd(sender, in: header.epoch),
      let enclave = ends[index].flow?.opening.address
    else { return .stray }
    guard endpoint?.open.map({ packet.hasValidTag($0.key) }) ?? (source == enclave) else {
      ends[index].ingress.badTag()
      return .stops
    }
    guard booking.isGateOpen(for: header.epoch) else {
      ends[index].ingress.droppedByPolicy(epoch: header.epoch, at: now)
      return .stops
    }
    // First copies are told from replays before anything is held against the sender's rate.
    guard ends[index].ingress.received(header, bytes: bytes, at: arrival) == .counted else { return .stops }
    guard source == enclave, header.peer == peer,
      ends[index].policy.admits(bytes: bytes, epoch: header.epoch, at: arrival)
    else {
      ends[index].ingress.droppedByPolicy(epoch: header.epoch, at: now)
      return .stops
    }
    ends[index].ingress.passedOn(header, bytes: bytes)
    return ends[index].carry(packet, at: arrival).map { .comesOut(at: $0) } ?? .lost
  }

  /// A packet leaves the network here, for the enclave at this end.
  private mutating func leaves(_ receiver: FlowEnd, _ packet: Packet, arrival: Instant) -> Disposition {
    guard let index = index(of: receiver), servesEnd(receiver, in: packet.header.epoch) else { return .stray }
    let bytes = packet.bytes.count
    guard ends[index].egress.received(packet.header, bytes: bytes, at: arrival) == .counted else { return .stops }
    ends[index].egress.passedOn(packet.header, bytes: bytes)
    // Where its enclave has opened no flow the packet has come as far as the operator can bring it: what is missing
    // behind this point is the access segment's, never the core's.
    return ends[index].flow.map { .goesOn(to: $0.opening.address) } ?? .stray
  }

  // MARK: The endpoint

  private mutating func leavesEndpoint(_ packet: Packet, arrival: Instant) -> Disposition {
    guard let key = endpoint?.open?.key, packet.header.direction == .down, packet.hasValidTag(key) else {
      return .stray
    }
    return endpoint?.path.carry(bytes: packet.bytes.count, at: arrival).map { .comesOut(at: $0) } ?? .lost
  }

  private mutating func reachesEndpoint(_ packet: Packet, arrival: Instant, at now: Instant) -> Disposition {
    guard let key = endpoint?.open?.key else { return .stray }
    let header = packet.header
    guard header.direction == .up, packet.hasValidTag(key) else {
      endpoint?.receive.badTag()
      return .stops
    }
    guard endpoint?.receive.received(header, bytes: packet.bytes.count, at: arrival) == .counted,
      header.purpose == .probe
    else { return .stops }
    let echo = EchoPayload(sequence: header.sequence, sent: header.sent, held: now - arrival)
    return endpointSends(.echo, payload: echo.bytes, at: now).map { .answered($0) } ?? .stops
  }

  /// The packet that the endpoint sends down now; nil when it may not.
  mutating func endpointSends(_ purpose: PacketHeader.Purpose, payload: [UInt8], at now: Instant) -> [UInt8]? {
    guard let epoch = clock.epoch(at: now), booking.isGateOpen(for: epoch) else { return nil }
    return endpoint?.packet(purpose, peer: peer, payload: payload, at: now)
  }
}
