import Messages

/// What one point has counted of one epoch so far.
public struct Tally: Sendable {
  public internal(set) var counts = PacketCounts()
  public internal(set) var range: PacketRange?
  var delay: DelaySummary?
  var delayVariation: DelaySummary?
  var roundTrip: DelaySummary?
  var probes: UInt64 = 0
  var slots = SlotMap()
  var window: SequenceWindow
  /// The last first copy that came, for the variation between consecutive packets.
  var last: (sequence: UInt64, delay: Int64)?

  init(window: SequenceWindow) { self.window = window }

  mutating func widen(_ header: PacketHeader) {
    guard var range else {
      range = PacketRange(
        firstSequence: header.sequence, lastSequence: header.sequence, firstSent: header.sent, lastSent: header.sent)
      return
    }
    range.firstSequence = min(range.firstSequence, header.sequence)
    range.lastSequence = max(range.lastSequence, header.sequence)
    range.firstSent = min(range.firstSent, header.sent)
    range.lastSent = max(range.lastSent, header.sent)
    self.range = range
  }
}

/// What became of a packet at a point.
public enum Arrival: Equatable, Sendable {
  /// First copy, in time: it counts. Pass it on.
  case counted
  case duplicate
  /// Later than T_max: lost.
  case late
  /// Its epoch is closed.
  case stale
  /// Its epoch contradicts its sequence number, its stamp or the time.
  case misstamped
  /// Its sequence number is beyond what an epoch may hold.
  case beyondLimit
}

/// Counts one direction of one flow at one point, epoch by epoch (epoch rules 1, 3 and 4). At most a few epochs are
/// open at once: the running one, the one before it until its grace ends, and the next for a clock that is ahead.
public struct PointMeter: Sendable {
  public let point: MeteredPoint
  private let metering: MeteringTerms
  private var clock: EpochClock
  private var packetsPerEpoch: Int
  /// Open epochs, ascending.
  private var open: [(epoch: EpochNumber, tally: Tally)] = []
  /// Epochs below this are closed.
  public private(set) var firstOpen: EpochNumber
  /// Greatest sequence number of the epochs closed.
  private var closedSequence: UInt64?
  /// Counted while no epoch is open that it belongs to; goes into the next receipt.
  private var pendingStale: UInt64 = 0
  private var pendingBadTag: UInt64 = 0

  public init(point: MeteredPoint, terms: ContractTerms, clock: EpochClock, firstOpen: EpochNumber = 0) {
    self.point = point
    metering = terms.metering
    self.clock = clock
    packetsPerEpoch = terms.packetsPerEpoch(point.direction)
    self.firstOpen = firstOpen
  }

  // MARK: Counting

  /// A packet leaves its sender here.
  public mutating func sent(_ header: PacketHeader, bytes: Int) {
    guard header.epoch >= firstOpen else { return }
    update(header.epoch) { tally, slot in
      tally.counts.packetsSent += 1
      tally.counts.bytesSent += UInt64(bytes)
      tally.widen(header)
      tally.slots.set(slot(header.sent))
      if header.purpose == .probe { tally.probes += 1 }
    }
  }

  /// A packet for another than the flow's peer leaves its sender here. It takes a number and will be dropped at the
  /// edge (``PacketCounts/droppedByPolicy``), so it does not count as sent: that it need not arrive is the sender's own
  /// word.
  public mutating func sentElsewhere(_ header: PacketHeader) {
    guard header.epoch >= firstOpen else { return }
    update(header.epoch) { tally, _ in tally.widen(header) }
  }

  /// A packet that this point counted goes on. Only then its slot is one in which something passed here: what an edge
  /// refuses may be a stranger's, and must not look as if it had been lost behind it.
  public mutating func passedOn(_ header: PacketHeader, bytes: Int) {
    guard header.epoch >= firstOpen else { return }
    update(header.epoch) { tally, slot in
      tally.counts.packetsSent += 1
      tally.counts.bytesSent += UInt64(bytes)
      tally.slots.set(slot(header.sent))
    }
  }

  /// A packet with a sound tag arrives.
  public mutating func received(_ header: PacketHeader, bytes: Int, at now: Instant) -> Arrival {
    guard header.epoch >= firstOpen else {
      pendingStale += 1
      return .stale
    }
    guard isWellStamped(header, at: now) else {
      update(clamped(header.epoch, at: now)) { tally, _ in tally.counts.misstamped += 1 }
      return .misstamped
    }
    let delay = (now - header.sent).nanoseconds
    let specification = metering.histogram
    let maximumTransit = metering.maximumTransit.nanoseconds
    let passesOn = [.edgeIngress, .edgeEgress].contains(point.point)
    var arrival = Arrival.counted
    update(header.epoch) { tally, slot in
      guard delay <= maximumTransit else {
        tally.counts.late += 1
        arrival = .late
        return
      }
      switch tally.window.insert(header.sequence, sent: header.sent) {
      case .duplicate:
        tally.counts.duplicates += 1
        arrival = .duplicate
      case .beyondLimit:
        tally.counts.misstamped += 1
        arrival = .beyondLimit
      case .first(let inOrder):
        tally.counts.uniqueReceived += 1
        tally.counts.bytesReceived += UInt64(bytes)
        if !inOrder { tally.counts.reordered += 1 }
        tally.widen(header)
        if !passesOn { tally.slots.set(slot(header.sent)) }
        tally.delay.add(delay, specification: specification)
        if let last = tally.last, last.sequence &+ 1 == header.sequence {
          tally.delayVariation.add(abs(delay.addingSaturating(-last.delay)), specification: specification)
        }
        tally.last = (header.sequence, delay)
      }
    }
    return arrival
  }

  /// The echo of a probe that was stamped in `epoch` came back.
  public mutating func echoed(probeEpoch epoch: EpochNumber, roundTrip: Span) {
    guard epoch >= firstOpen else { return }
    let specification = metering.histogram
    update(epoch) { tally, _ in tally.roundTrip.add(roundTrip.nanoseconds, specification: specification) }
  }

  /// A probe left towards the other end: the point that receives echoes knows how many to expect.
  public mutating func probed(epoch: EpochNumber) {
    guard epoch >= firstOpen else { return }
    update(epoch) { tally, _ in tally.probes += 1 }
  }

  /// A packet of `epoch` was refused: too large, too fast, from elsewhere, or the gate is shut.
  public mutating func droppedByPolicy(epoch: EpochNumber, at now: Instant) {
    let epoch = clamped(epoch, at: now)
    update(epoch) { tally, _ in tally.counts.droppedByPolicy += 1 }
  }

  /// Bytes came that are no packet of this flow.
  public mutating func badTag() { pendingBadTag += 1 }

  // MARK: Epochs

  /// Closes an epoch and all before it. What comes for it later is stale and changes nothing.
  /// - Returns: what was counted, empty if nothing came.
  public mutating func close(_ epoch: EpochNumber) -> Tally {
    var tally = open.first { $0.epoch == epoch }?.tally ?? makeTally(epoch)
    tally.counts.stale += pendingStale
    tally.counts.badTag += pendingBadTag
    (pendingStale, pendingBadTag) = (0, 0)
    for entry in open where entry.epoch <= epoch {
      if let highest = entry.tally.window.highest { closedSequence = max(closedSequence ?? 0, highest) }
    }
    open.removeAll { $0.epoch <= epoch }
    firstOpen = max(firstOpen, epoch + 1)
    return tally
  }

  /// The activation ends after another number of epochs than it was booked for.
  public mutating func rebook(_ clock: EpochClock) { self.clock = clock }

  /// A segment under other terms begins: epochs opened from now on have room for the faster of the two.
  public mutating func rebook(_ clock: EpochClock, terms: ContractTerms) {
    self.clock = clock
    packetsPerEpoch = max(packetsPerEpoch, terms.packetsPerEpoch(point.direction))
  }

  // MARK: Private

  /// Epoch rule 1. Senders stamp max(previous, computed): an epoch below the one computed from the stamp, numbers that
  /// grow while epochs fall, or an epoch that has not begun anywhere within the clocks' error, are violations.
  private func isWellStamped(_ header: PacketHeader, at now: Instant) -> Bool {
    guard header.epoch < clock.count, let computed = clock.epoch(at: header.sent), computed <= header.epoch,
      let latest = clock.epoch(at: now + metering.clockErrorBound), header.epoch <= latest
    else { return false }
    if let closedSequence, header.sequence <= closedSequence { return false }
    for (epoch, tally) in open {
      guard let lowest = tally.window.lowest, let highest = tally.window.highest else { continue }
      if epoch < header.epoch, header.sequence <= highest { return false }
      if epoch > header.epoch, header.sequence >= lowest { return false }
    }
    return true
  }

  /// An epoch that may be open now, for counting what names an impossible one.
  private func clamped(_ epoch: EpochNumber, at now: Instant) -> EpochNumber {
    let running = min(clock.epoch(at: now) ?? 0, clock.count - 1)
    return max(firstOpen, min(epoch, running))
  }

  private mutating func update(_ epoch: EpochNumber, _ body: (inout Tally, (Instant) -> UInt64) -> Void) {
    let start = clock.start(of: epoch)
    let slotLength = metering.slotLength.nanoseconds
    let slot = { (sent: Instant) in UInt64(max(0, (sent - start).nanoseconds) / slotLength) }
    if let index = open.firstIndex(where: { $0.epoch == epoch }) {
      body(&open[index].tally, slot)
    } else {
      var tally = makeTally(epoch)
      body(&tally, slot)
      let position = open.firstIndex { $0.epoch > epoch } ?? open.count
      open.insert((epoch, tally), at: position)
    }
  }

  private func makeTally(_ epoch: EpochNumber) -> Tally {
    Tally(window: SequenceWindow(epochStart: clock.start(of: epoch), limit: packetsPerEpoch))
  }
}

extension ContractTerms {
  /// However fast a contract is, a point remembers no more packets of one epoch than this.
  static let packetsPerEpochAtMost: UInt64 = 1 << 20
  static let packetsPerEpochAtLeast: UInt64 = 1 << 12

  /// Sequence numbers that one epoch of a direction may span: what the maximum rate allows in smallest packets.
  public func packetsPerEpoch(_ direction: Direction) -> Int {
    let rate = direction == .up ? service.maximumUp : service.maximumDown
    let bitsPerPacket = UInt64(PacketHeader.overheadBytes) * 8
    let milliseconds = UInt64(max(1, metering.epoch.nanoseconds / 1_000_000))
    let (bits, overflow) = (rate / 1_000 + 1).multipliedReportingOverflow(by: milliseconds)
    let packets = overflow ? Self.packetsPerEpochAtMost : bits / bitsPerPacket
    return Int(min(max(packets, Self.packetsPerEpochAtLeast), Self.packetsPerEpochAtMost))
  }
}
