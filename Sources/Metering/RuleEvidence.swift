import Messages

/// What the epochs of a rule's window have shown so far. Adds up over epochs; percentiles are never averaged.
///
/// Everything that loss touches is kept under two readings: `all` blames the operator for every loss, `core` only for
/// what its own receipts admit. A verdict stands if it does not matter which reading is right.
struct RuleEvidence: Hashable, Sendable {
  struct Reading: Hashable, Sendable {
    /// Packets that had to arrive, and those of them that did not.
    var population: UInt64 = 0
    var lost: UInt64 = 0
    /// What a ratio is made of: bytes or slots delivered, of those that had to be.
    var delivered: UInt64 = 0
    var due: UInt64 = 0
    var longestGap: UInt64 = 0

    mutating func merge(_ other: Reading) {
      population = population.addingSaturating(other.population)
      lost = lost.addingSaturating(other.lost)
      delivered = delivered.addingSaturating(other.delivered)
      due = due.addingSaturating(other.due)
      longestGap = max(longestGap, other.longestGap)
    }
  }

  var servedEpochs: UInt64 = 0
  var all = Reading()
  var core = Reading()
  var delay: DelaySummary?
  var clockError = Span.zero
  var causes = InconclusiveCauses()
  /// Some access loss lies on a segment about whose cell the two sides disagree.
  var isCellDisputed = false

  mutating func merge(_ other: RuleEvidence) {
    servedEpochs = servedEpochs.addingSaturating(other.servedEpochs)
    all.merge(other.all)
    core.merge(other.core)
    delay.merge(other.delay)
    clockError = max(clockError, other.clockError)
    causes.merge(other.causes)
    isCellDisputed = isCellDisputed || other.isCellDisputed
  }
}

extension RuleEvidence {
  /// One served epoch's evidence for a rule.
  init(_ rule: Rule, _ receipts: EpochReceipts, terms: ContractTerms) {
    servedEpochs = 1
    causes = receipts.interruptions
    guard causes.isEmpty, let up = DirectionAccount(.up, receipts, terms: terms),
      let down = DirectionAccount(.down, receipts, terms: terms)
    else { return }
    let account = rule.direction == .up ? up : down
    all = Reading(population: account.population, lost: account.coreLoss + account.accessLoss)
    core = Reading(population: account.population - min(account.accessLoss, account.population), lost: account.coreLoss)
    isCellDisputed = account.isCellDisputed

    switch rule.metric {
    case .oneWayDelay:
      delay = account.receiver.delay
      clockError = account.clockError
      causes = account.clockCauses(terms.metering)
      let areClocksSound = up.clockCauses(terms.metering).isEmpty && down.clockCauses(terms.metering).isEmpty
      if areClocksSound, !receipts.isConsistent(up, down) { causes.unattributed = true }
    case .delayVariation:
      // Offsets cancel in the difference of two delays, and a lost packet has none (RFC 3393 §2.6).
      delay = account.receiver.delayVariation
      all = Reading(population: delay?.count ?? 0)
      core = all
    case .roundTrip: addRoundTrips(up, down)
    case .lossRatio: break
    case .throughput: addThroughput(account, terms: terms)
    case .availability: addAvailability(account)
    case .survivalTime: addGaps(account)
    }
  }

  /// Probes of the near end whose echo did not come rank above all that came. Blamed on the core at most as far as its
  /// receipts admit losing that many packets.
  private mutating func addRoundTrips(_ up: DirectionAccount, _ down: DirectionAccount) {
    let trips = down.receiver.roundTrips
    delay = trips?.summary
    let came = delay?.count ?? 0
    let lost = (trips?.probes ?? 0).subtractingToZero(came)
    let lostInCore = min(lost, up.coreLoss.addingSaturating(down.coreLoss))
    all = Reading(population: came + lost, lost: lost)
    core = Reading(population: came + lostInCore, lost: lostInCore)
    isCellDisputed = up.isCellDisputed || down.isCellDisputed
  }

  /// Delivered against min(offered, guaranteed), bytes.
  private mutating func addThroughput(_ account: DirectionAccount, terms: ContractTerms) {
    let rate = account.direction == .up ? terms.service.guaranteedUp : terms.service.guaranteedDown
    let guaranteed = UInt64(clamping: UInt128(rate) * UInt128(max(0, terms.metering.epoch.nanoseconds)) / 8_000_000_000)
    let arrived = account.receiver.counts.bytesReceived
    all.due = min(account.sender.counts.bytesSent, guaranteed)
    all.delivered = min(arrived, all.due)
    // An endpoint that receives passes nothing on: what arrived there has left the core.
    core.due = min(account.entry.counts.bytesSent, guaranteed)
    core.delivered = min(max(arrived, account.exit.counts.bytesSent), core.due)
  }

  /// Slots in which something arrived, of those in which something was sent.
  private mutating func addAvailability(_ account: DirectionAccount) {
    all.due = SlotMap.count(account.sender.slots)
    all.delivered = SlotMap.common(account.sender.slots, account.receiver.slots)
    core.due = SlotMap.count(account.entry.slots)
    core.delivered = SlotMap.common(account.entry.slots, account.exit.slots)
  }

  private mutating func addGaps(_ account: DirectionAccount) {
    all.longestGap = Self.longestGap(from: account.sender, to: account.receiver)
    // What was missing before it entered is missing behind as well.
    core.longestGap =
      account.coreLoss == 0
      ? 0 : Self.longestGap(from: account.entry, to: account.exit).subtractingToZero(account.entry.longestGap)
  }

  /// The longest run without a delivery while packets were sent (TS 22.104 survival time), in the sender's own time:
  /// gaps between deliveries, and what is missing at either end of the epoch.
  private static func longestGap(from sender: SLAReceipt, to receiver: SLAReceipt) -> UInt64 {
    guard let sent = sender.range else { return 0 }
    guard let arrived = receiver.range else { return UInt64(max(0, (sent.lastSent - sent.firstSent).nanoseconds)) }
    let head = UInt64(max(0, (arrived.firstSent - sent.firstSent).nanoseconds))
    let tail = UInt64(max(0, (sent.lastSent - arrived.lastSent).nanoseconds))
    return max(receiver.longestGap, max(head, tail))
  }
}
