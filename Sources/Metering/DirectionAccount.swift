import Messages

/// What both sides' receipts say together about one direction of a one-customer flow in one epoch.
///
/// Loss is split by who says it: what the operator's own receipts show to have gone missing between its own points is
/// *core* loss and unambiguous. What lies between the customer's receipts and the operator's is *access* loss: no
/// cryptography can tell a customer's host that drops before its enclave from an edge that drops after its monitor, so
/// no verdict may rest on it.
struct DirectionAccount: Sendable {
  let direction: Direction
  /// Where packets are stamped, and where they arrive.
  let sender: SLAReceipt
  let receiver: SLAReceipt
  /// The edge, in between.
  let edge: SLAReceipt
  /// Packets that had to arrive: sent, less those that the sender's own receipt excuses.
  let population: UInt64
  let coreLoss: UInt64
  let accessLoss: UInt64

  /// - Returns: nil when a receipt is missing.
  init?(_ direction: Direction, _ receipts: EpochReceipts, terms: ContractTerms) {
    let points: (sender: MeasurementPoint, edge: MeasurementPoint, receiver: MeasurementPoint) =
      direction == .up
      ? (.enclaveTransmit, .edgeIngress, .endpointReceive) : (.endpointTransmit, .edgeEgress, .enclaveReceive)
    guard let sender = receipts.receipt(direction, points.sender), let edge = receipts.receipt(direction, points.edge),
      let receiver = receipts.receipt(direction, points.receiver)
    else { return nil }
    self.direction = direction
    self.sender = sender
    self.edge = edge
    self.receiver = receiver

    let sent = sender.counts.packetsSent
    let arrived = receiver.counts.uniqueReceived
    switch direction {
    case .up:
      // The edge may drop what exceeds the maximum rate; it must carry the rest. Who is right about the rate is told
      // by the sender's own receipt, not by the edge's. What it drops at a shut gate is between the two sides.
      let isOverRate = sender.counts.bytesSent > terms.bytesPerEpochAtMost(.up)
      let dropped = edge.condition == .gated ? 0 : min(edge.counts.droppedByPolicy, sent)
      let excused = isOverRate ? dropped : 0
      population = sent - excused
      let betweenPoints = edge.counts.packetsSent.subtractingToZero(arrived)
      coreLoss = min(betweenPoints.addingSaturating(dropped - excused), population)
    case .down:
      population = sent
      coreLoss = sent.subtractingToZero(edge.counts.packetsSent)
    }
    accessLoss = population.subtractingToZero(arrived).subtractingToZero(coreLoss)
  }

  /// The error of a one-way delay: both clocks'.
  var clockError: Span { sender.clock.errorBound + receiver.clock.errorBound }

  /// Sides whose own clock spoils one-way metrics (epoch rule 6): unsynchronised, off by more than the contract's
  /// bound, or stepped.
  func clockCauses(_ metering: MeteringTerms) -> InconclusiveCauses {
    var causes = InconclusiveCauses()
    for receipt in [sender, receiver] {
      let clock = receipt.clock
      if !clock.synchronised || clock.errorBound > metering.clockErrorBound || clock.steps > 0 {
        causes.add(receipt.point.side)
      }
    }
    return causes
  }
}

/// Who is to blame that an epoch cannot be judged.
struct InconclusiveCauses: Hashable, Sendable {
  var customer = false
  var networkOperator = false
  /// Nobody, or nobody that could be told.
  var unattributed = false

  var isEmpty: Bool { !customer && !networkOperator && !unattributed }

  mutating func add(_ side: AccountingSide) {
    switch side {
    case .customer: customer = true
    case .networkOperator: networkOperator = true
    }
  }

  mutating func merge(_ other: InconclusiveCauses) {
    customer = customer || other.customer
    networkOperator = networkOperator || other.networkOperator
    unattributed = unattributed || other.unattributed
  }

  /// INCONCLUSIVE by one side only counts against it (sla.md, "The activation").
  var verdict: Verdict {
    switch (customer, networkOperator, unattributed) {
    case (true, false, false): .met
    case (false, true, false): .violated
    default: .inconclusive
    }
  }
}

extension EpochReceipts {
  /// owd(up) + owd(down) must be able to equal the round trip: offsets between the clocks cancel in the sum, so only a
  /// clock that moved in between breaks this (epoch rule 6). True as well when there is nothing to compare.
  func isConsistent(_ up: DirectionAccount, _ down: DirectionAccount) -> Bool {
    guard let upDelay = up.receiver.delay, let downDelay = down.receiver.delay,
      let roundTrip = down.receiver.roundTrips?.summary
    else { return true }
    let slack = (up.clockError + down.clockError).nanoseconds
    let least = upDelay.minimum.addingSaturating(downDelay.minimum).addingSaturating(-slack)
    let most = upDelay.maximum.addingSaturating(downDelay.maximum).addingSaturating(slack)
    return roundTrip.minimum <= most && roundTrip.maximum >= least
  }
}
