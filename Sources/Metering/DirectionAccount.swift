import Messages

/// What both sides' receipts say together about one direction of a flow in one epoch.
///
///     one customer, up      enclave ──access──▶ edge ──core──▶ endpoint
///     one customer, down    endpoint ──core──▶ edge ──access──▶ enclave
///     two customers         enclave ──access──▶ edge ──core──▶ edge ──access──▶ enclave
///
/// Loss is split by who says it: what the operator's own receipts show to have gone missing between its own points is
/// *core* loss and unambiguous. What lies between the customers' receipts and the operator's is *access* loss: no
/// cryptography can tell a customer's host that drops before its enclave from an edge that drops after its monitor, so
/// no verdict may rest on it.
///
/// A handover needs nothing here: an epoch's packets pass the edges that serve in it, so what the old edge's last
/// receipt and the new one's first leave uncovered between them is missing from one of the two epochs' balances, and
/// what both carried came twice (epoch rule 7).
struct DirectionAccount: Sendable {
  let direction: Direction
  /// Where packets are stamped, where they enter and leave the operator's network, and where they arrive. Two of them
  /// are one where a flow ends at the operator's endpoint.
  let sender: SLAReceipt
  let entry: SLAReceipt
  let exit: SLAReceipt
  let receiver: SLAReceipt
  /// Packets that had to arrive: sent, less those that the sender's own receipt excuses.
  let population: UInt64
  let coreLoss: UInt64
  let accessLoss: UInt64
  /// Packets were lost on an access segment about whose cell its two receipts disagree.
  let isCellDisputed: Bool

  /// - Returns: nil when a receipt is missing.
  init?(_ direction: Direction, _ receipts: EpochReceipts, terms: ContractTerms) {
    let points = MeasurementPoint.path(direction, receipts.ends)
    guard let sender = receipts.receipt(direction, points.sender),
      let entry = receipts.receipt(direction, points.entry),
      let exit = receipts.receipt(direction, points.exit),
      let receiver = receipts.receipt(direction, points.receiver)
    else { return nil }
    self.direction = direction
    self.sender = sender
    self.entry = entry
    self.exit = exit
    self.receiver = receiver

    let sent = sender.counts.packetsSent
    let arrived = receiver.counts.uniqueReceived
    var (dropped, excused): (UInt64, UInt64) = (0, 0)
    if entry.point == .edgeIngress, entry.condition != .gated {
      // The edge may drop what is not for the flow's peer and what exceeds the maximum rate; it must carry the rest.
      // Who is right about either is told by the sender's own receipt, not by the edge's. What it drops at a shut gate
      // is between the two sides.
      dropped = min(entry.counts.droppedByPolicy.subtractingToZero(sender.sentElsewhere), sent)
      if sender.counts.bytesSent > terms.bytesPerEpochAtMost(direction) { excused = dropped }
    }
    population = sent - excused
    let entered = entry.counts.packetsSent
    let left = exit.point == .endpointReceive ? exit.counts.uniqueReceived : exit.counts.packetsSent
    // Gates are where packets enter: what was let in must get out. An edge that cannot check tags goes by addresses,
    // which anybody can forge: what entered beyond what was sent is a stranger's, and so may be what was refused there.
    // Neither is loss that the operator admits. Where the receiver has it all, nothing is lost.
    let betweenPoints = min(entered, population).subtractingToZero(left)
    let refused = receipts.entryChecksTags ? dropped - excused : 0
    coreLoss = min(betweenPoints.addingSaturating(refused), population.subtractingToZero(arrived))
    accessLoss = population.subtractingToZero(arrived).subtractingToZero(coreLoss)

    let lostBeforeEntry = population.subtractingToZero(entered.addingSaturating(dropped - excused))
    let lostAfterExit = left.subtractingToZero(arrived)
    isCellDisputed =
      (lostBeforeEntry > 0 && sender.cell != entry.cell) || (lostAfterExit > 0 && receiver.cell != exit.cell)
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

extension MeasurementPoint {
  /// The points of a direction at which the account is made.
  fileprivate static func path(
    _ direction: Direction, _ ends: [FlowEnd]
  ) -> (sender: MeasurementPoint, entry: MeasurementPoint, exit: MeasurementPoint, receiver: MeasurementPoint) {
    if ends.contains(.far) { return (.enclaveTransmit, .edgeIngress, .edgeEgress, .enclaveReceive) }
    switch direction {
    case .up: return (.enclaveTransmit, .edgeIngress, .endpointReceive, .endpointReceive)
    case .down: return (.endpointTransmit, .endpointTransmit, .edgeEgress, .enclaveReceive)
    }
  }
}

extension SLAReceipt {
  /// Packets to which this sender gave a number and which were not for the flow's peer: it counts as sent only what is,
  /// while its range covers every number it gave (``PointMeter/sentElsewhere(_:)``).
  fileprivate var sentElsewhere: UInt64 {
    guard let range else { return 0 }
    return (range.lastSequence - range.firstSequence).addingSaturating(1).subtractingToZero(counts.packetsSent)
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
  /// Sides that did not count the whole epoch.
  var interruptions: InconclusiveCauses {
    var causes = InconclusiveCauses()
    for side in AccountingSide.allCases where isInterrupted(side) { causes.add(side) }
    return causes
  }

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
