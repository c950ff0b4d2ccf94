import Messages
import Metering
import Signing

/// The operator-side endpoint that a one-customer flow ends at. It stays with the flow's anchor when the customer's end
/// moves to another edge, as the user-plane anchor of 3GPP TS 23.501 §5.6.9 does: its numbers go on, and so does the
/// key that it shares with the enclave.
struct EdgeEndpoint: Sendable {
  /// What the endpoint does once the enclave has opened its flow.
  struct Open: Sendable {
    let key: PacketTag.Key
    let traffic: Traffic
    var sender: FlowSender
  }

  private(set) var open: Open?
  var receive: PointMeter
  var transmit: PointMeter
  /// Downwards.
  var path: PathEmulator
  /// Sequence numbers that an earlier life may have used.
  private let recoveredNumbers: UInt64
  /// When the endpoint's application sends next.
  var nextTraffic: Instant
  var isGenerating = false

  /// - Parameters:
  ///   - from: the first epoch that is counted.
  ///   - recoveredNumbers: the limit of sequence numbers that an earlier life made durable; 0 for none.
  init(
    _ order: ServiceOrder, _ booking: FlowBooking, from epoch: EpochNumber, recoveredNumbers: UInt64 = 0,
    _ configuration: EdgeCore.Configuration
  ) {
    receive = booking.meter(MeteredPoint(.up, .endpointReceive), from: epoch)
    transmit = booking.meter(MeteredPoint(.down, .endpointTransmit), from: epoch)
    path = PathEmulator(order, .down, configuration)
    nextTraffic = booking.clock.startAt
    self.recoveredNumbers = recoveredNumbers
  }

  /// The enclave agrees on a key, and says what is to be sent to it.
  /// - Returns: false when nothing can be agreed on with its key.
  mutating func open(
    _ opening: FlowOpening, flow: UInt32, _ booking: FlowBooking, _ configuration: EdgeCore.Configuration
  ) -> Bool {
    guard
      let key = PacketTag.Key(
        agreement: configuration.agreementKey, peer: opening.agreementKey, activation: opening.activation)
    else { return false }
    let sender = open?.sender ?? booking.sender(flow: flow, .down, recovered: recoveredNumbers)
    open = Open(key: key, traffic: opening.down, sender: sender)
    return true
  }

  /// Stamps and counts a packet that leaves now; nil when it may not.
  mutating func packet(
    _ purpose: PacketHeader.Purpose, peer: PeerNumber, payload: [UInt8], at now: Instant
  ) -> [UInt8]? {
    let bytes = payload.count + PacketHeader.overheadBytes
    guard let key = open?.key,
      case .leaves(let header)? = open?.sender.stamp(purpose, peer: peer, bytes: bytes, at: now)
    else { return nil }
    transmit.sent(header, bytes: bytes)
    return header.packet(payload: payload, key: key)
  }

  /// - Returns: the limit of numbers to make durable and read back now.
  mutating func reserveNumbers() -> UInt64? { open?.sender.reserve() ?? nil }
  mutating func reserved(_ limit: UInt64) { open?.sender.reserved(limit) }

  mutating func rebook(_ booking: FlowBooking, _ configuration: EdgeCore.Configuration) {
    if let rate = booking.amendedRate(.down), !configuration.isNarrowed(.down) { path.widen(to: rate) }
    booking.rebook(&receive)
    booking.rebook(&transmit)
    if var sender = open?.sender {
      booking.rebook(&sender)
      open?.sender = sender
    }
  }
}
