import Messages
import Metering
import Signing

/// One end of an activation as an edge serves it: what enters the slice here and what leaves it.
struct EdgeEnd: Sendable {
  /// An enclave's flow: who opened it, and its signed opening.
  struct Flow: Sendable {
    /// Nobody else may move it.
    let enclave: ActorAddress
    let opening: FlowOpening
  }

  let end: FlowEnd
  /// Ascending by first epoch: one, and another for each time that the end comes back after a handover.
  private(set) var orders: [ServiceOrder]
  private var paths: [PathEmulator]
  var flow: Flow?
  var ingress: PointMeter
  var egress: PointMeter
  /// Of what enters.
  var policy: PacketPolicy

  /// - Parameter from: the first epoch that is counted.
  init(
    _ order: ServiceOrder, _ booking: FlowBooking, from epoch: EpochNumber, _ configuration: EdgeCore.Configuration
  ) {
    let (sent, received) = (order.end.sending, order.end.other.sending)
    end = order.end
    orders = [order]
    paths = [PathEmulator(order, sent, configuration)]
    ingress = booking.meter(MeteredPoint(sent, .edgeIngress), from: epoch)
    egress = booking.meter(MeteredPoint(received, .edgeEgress), from: epoch)
    policy = PacketPolicy(sent, .edge, segments: booking.parties.segments)
  }

  /// The end comes back.
  /// - Returns: false unless the order is for later epochs than those before.
  mutating func add(_ order: ServiceOrder, _ configuration: EdgeCore.Configuration) -> Bool {
    guard let last = orders.last, order.from > last.from else { return false }
    orders.append(order)
    paths.append(PathEmulator(order, end.sending, configuration))
    return true
  }

  /// What is sent from here over the slice, in the epoch that its sender stamped.
  /// - Returns: when the packet comes out at the other end; nil when it is lost.
  mutating func carry(_ packet: Packet, at now: Instant) -> Instant? {
    let index = orders.lastIndex { $0.from <= packet.header.epoch } ?? 0
    return paths[index].carry(bytes: packet.bytes.count, at: now)
  }

  mutating func rebook(_ booking: FlowBooking, _ configuration: EdgeCore.Configuration) {
    if let rate = booking.amendedRate(end.sending), !configuration.isNarrowed(end.sending) {
      for index in paths.indices { paths[index].widen(to: rate) }
    }
    booking.rebook(&ingress)
    booking.rebook(&egress)
    policy.rebook(booking.parties.segments)
  }
}

extension PathEmulator {
  /// The slice of an order in one direction, as planned or as the edge's impairment has it.
  init(_ order: ServiceOrder, _ direction: Direction, _ configuration: EdgeCore.Configuration) {
    let rate = direction == .up ? order.rateUp : order.rateDown
    let planned = PathCondition(
      delay: order.pathDelay, jitter: .zero, loss: UInt64(order.pathLoss),
      rate: rate == 0 ? 0 : rate &+ order.terms.probeRate)
    let seed = configuration.seed ^ order.activation.value.bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    self.init(planned.impaired(by: configuration.impairment, direction), seed: seed &+ UInt64(direction.rawValue))
  }
}

extension FlowBooking {
  /// What the slice must carry since an amendment, probes included: the greatest of the guaranteed rates, bit/s.
  func amendedRate(_ direction: Direction) -> UInt64? {
    parties.amendments.map { segment in
      let service = segment.terms.service
      return (direction == .up ? service.guaranteedUp : service.guaranteedDown) &+ segment.terms.probeRate
    }.max()
  }
}

extension EdgeCore.Configuration {
  /// Whether the real path behind this edge carries what it carries, whatever is planned.
  func isNarrowed(_ direction: Direction) -> Bool {
    guard let impairment, impairment.direction == nil || impairment.direction == direction else { return false }
    return impairment.rate != nil
  }
}
