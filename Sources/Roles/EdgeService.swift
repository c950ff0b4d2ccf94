import Effects
import Messages
import Metering
import Signing
import Wire

/// One activation as this edge serves and accounts for it: one end or both, and the records if it is the flow's anchor.
struct EdgeService: Sendable {
  let slot: UInt64
  /// The first that came: what all others must agree with.
  let order: ServiceOrder
  /// Where packets must be addressed to: the place of the flow's peer in the contract's list.
  let peer: PeerNumber
  let ownKey: PublicKey
  var booking: FlowBooking
  /// Near before far.
  var ends: [EdgeEnd] = []
  /// At the anchor of a one-customer flow.
  var endpoint: EdgeEndpoint?
  var account: FlowAccount<OperatorExchange>
  /// Of the anchor's last record.
  var notices: EdgeNotices?
  /// The enclave asked before this side's receipts were complete: the latest only.
  var waitingForCommitment: (token: ReplyToken, commitment: CommitmentExchange)?
  /// Where packets for the other end go, in the order in which the controller said so.
  private(set) var routes: [ServiceRoute] = []
  /// The last record that the anchor told this edge of.
  private(set) var toldRecord: EpochNumber?
  /// Who asked for receipts before the epoch was closed here: the latest only.
  var waitingForReceipts: (token: ReplyToken, epoch: EpochNumber)?

  /// One for each handover of the other end, and again for each time that this one comes back.
  static let maximumRoutes = 2 * ActivationLimits.handovers + 2
  /// Orders for one end: the first, and one for each time that it comes back.
  static let maximumOrders = ActivationLimits.handovers + 1

  /// - Returns: nil unless order, terms and confirmation are of one activation that this edge has a part in.
  init?(slot: UInt64, _ order: ServiceOrder, _ configuration: EdgeCore.Configuration, presentSince: Instant) {
    let (terms, confirmation) = (order.terms, order.confirmation)
    let isAnchor = order.anchor.map { $0.name == configuration.name } ?? true
    guard (try? terms.validate()) != nil, terms.id == order.order.contract,
      confirmation.activation == order.activation, slot <= UInt64(UInt32.max),
      terms.context.allowedPeers.contains(order.order.peer),
      !isAnchor || confirmation.edge == configuration.key.publicKey,
      let booking = FlowBooking(
        AccountParties(
          activation: order.activation, terms: terms, order: order.order, confirmation: confirmation,
          maintenance: order.maintenance), presentSince: presentSince)
    else { return nil }
    self.slot = slot
    self.order = order
    self.booking = booking
    peer = terms.number(ofPeer: order.order.peer)
    ownKey = configuration.key.publicKey
    if isAnchor {
      account = FlowAccount(anchoring: booking.parties, key: configuration.key, network: configuration.network)
      if !booking.parties.ends.contains(.far) {
        endpoint = EdgeEndpoint(order, booking, from: 0, configuration)
      }
    } else {
      self.booking.joined(from: order.from)
      account = FlowAccount(
        collectedFrom: order.from, parties: booking.parties, key: configuration.key, network: configuration.network)
    }
    guard add(order, configuration) == .added else { return nil }
  }

  var activation: ActivationID { order.activation }
  var flow: UInt32 { order.flow }
  var clock: EpochClock { booking.clock }
  var epochs: UInt64 { booking.epochs }

  // MARK: What the controller says

  enum Addition: Hashable { case added, known, contradicts }

  /// Another end, or an end that comes back.
  mutating func add(_ order: ServiceOrder, _ configuration: EdgeCore.Configuration) -> Addition {
    guard order.activation == activation, order.flow == flow, order.order == self.order.order,
      order.confirmation == self.order.confirmation, order.terms == self.order.terms,
      order.maintenance == self.order.maintenance, booking.parties.ends.contains(order.end)
    else { return .contradicts }
    // A controller that lost its plan in a crash may predict another path: the first order's stands.
    if ends.contains(where: { $0.end == order.end && $0.orders.contains { $0.from == order.from } }) { return .known }
    if let index = ends.firstIndex(where: { $0.end == order.end }) {
      guard ends[index].orders.count < Self.maximumOrders, ends[index].add(order, configuration) else {
        return .contradicts
      }
    } else {
      ends.append(EdgeEnd(order, booking, from: nextToClose, configuration))
      ends.sort { $0.end < $1.end }
    }
    // Nothing is served on the strength of the order: the ledger may still refuse the handover that it prepares, and
    // who makes records here must not believe otherwise than the enclave does.
    return .added
  }

  /// A handover or an amendment that is FINAL.
  /// - Returns: false for one that does not fit, or that comes after its epochs were closed here.
  mutating func update(_ update: BookingUpdate, _ configuration: EdgeCore.Configuration, at now: Instant) -> Bool {
    var changed = self
    guard changed.booking.apply(update, at: now), changed.account.apply(update) else { return false }
    changed.rebook(configuration)
    self = changed
    return true
  }

  mutating func end(after epochs: UInt64, _ configuration: EdgeCore.Configuration) -> Bool {
    guard booking.end(after: epochs, closed: nextToClose) else { return false }
    rebook(configuration)
    return true
  }

  mutating func rebook(_ configuration: EdgeCore.Configuration) {
    for index in ends.indices { ends[index].rebook(booking, configuration) }
    if var endpoint {
      endpoint.rebook(booking, configuration)
      self.endpoint = endpoint
    }
  }

  /// Kept in order of their first epoch: a controller that starts anew tells all of them again, one by one.
  /// - Returns: false when there are too many.
  mutating func add(_ route: ServiceRoute) -> Bool {
    guard !routes.contains(route) else { return true }
    guard routes.count < Self.maximumRoutes else { return false }
    routes.insert(route, at: routes.firstIndex { $0.from > route.from } ?? routes.count)
    return true
  }

  // MARK: Where packets go

  func servesEnd(_ end: FlowEnd, in epoch: EpochNumber) -> Bool {
    ends.contains { $0.end == end } && booking.parties.serving(end, in: epoch)?.edge == ownKey
  }

  func index(of end: FlowEnd) -> Int? { ends.firstIndex { $0.end == end } }

  /// The other edge's port for packets of an epoch: the route that begins last, of several the one said last.
  func route(in epoch: EpochNumber) -> DataAddress? {
    var latest: ServiceRoute?
    for route in routes where route.from <= epoch && route.from >= latest?.from ?? 0 { latest = route }
    return latest?.port
  }

  /// Where the other edges that serve in an epoch are asked, with the keys they sign with; near before far.
  func otherEdges(in epoch: EpochNumber) -> [(key: PublicKey, address: ActorAddress)] {
    booking.parties.signers(of: .networkOperator, in: epoch).compactMap { key in
      guard key != ownKey, let address = address(of: key) else { return nil }
      return (key, address)
    }
  }

  private func address(of key: PublicKey) -> ActorAddress? {
    for case .handover(let handover, let edge, _) in booking.updates.reversed() where handover.edge == key {
      return edge
    }
    return key == order.confirmation.peerEdge ? order.peerEdge : nil
  }

  func isOtherEdge(_ source: DataAddress) -> Bool { routes.contains { $0.port == source } }

  // MARK: Records

  /// The anchor told of a record.
  mutating func told(of epoch: EpochNumber, at now: Instant) -> Bool {
    guard toldRecord.map({ $0 < epoch }) ?? true else { return false }
    toldRecord = epoch
    // The anchor acknowledges a record only after this: told in time by the anchor's clock is in time, whatever this
    // one's says within the bound of its error.
    booking.recorded(epoch, at: now - booking.parties.metering.clockErrorBound)
    return true
  }

  mutating func recover(routes: [ServiceRoute], toldRecord: EpochNumber?) {
    self.routes = routes
    self.toldRecord = toldRecord
  }

  // MARK: Epochs

  var nextToClose: EpochNumber { account.nextToClose }
  /// When the next epoch is to be closed; nil when the last is.
  var nextClose: Instant? { nextToClose < epochs ? clock.close(of: nextToClose) : nil }

  /// What all points here counted of an epoch, which is over.
  mutating func closeTallies(_ epoch: EpochNumber) -> [(point: MeteredPoint, tally: Tally)] {
    var tallies: [(point: MeteredPoint, tally: Tally)] = []
    for index in ends.indices {
      tallies.append((ends[index].ingress.point, ends[index].ingress.close(epoch)))
      tallies.append((ends[index].egress.point, ends[index].egress.close(epoch)))
    }
    if var endpoint {
      tallies.append((endpoint.receive.point, endpoint.receive.close(epoch)))
      tallies.append((endpoint.transmit.point, endpoint.transmit.close(epoch)))
      self.endpoint = endpoint
    }
    return tallies
  }

  /// The receipts that this edge owes of the epoch whose turn it is.
  mutating func closeReceipts(_ configuration: EdgeCore.Configuration) -> [SLAReceipt] {
    let epoch = nextToClose
    let heading = ReceiptHeading(
      activation: activation, flow: flow, cell: order.order.cell, clock: configuration.clock,
      attestation: configuration.attestation)
    return booking.receipts(of: epoch, by: ownKey, closeTallies(epoch), heading: heading) {
      account.previousReceipt(of: $0)
    }
  }
}
