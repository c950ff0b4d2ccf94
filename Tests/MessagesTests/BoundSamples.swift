import Messages
import Signing
import Wire

// Samples of records whose fields depend on each other or have bounds of their own.

extension Envelope: Sampled {
  static func sample(_ draw: inout Draw) -> Envelope { draw.signed(EpochCommitment.sample(&draw)) }
}

extension Draw {
  mutating func signed(_ payload: some SignedPayload) -> Envelope {
    // A seed of 32 bytes always makes a key; the signature is deterministic (RFC 8032).
    guard let key = try? SigningKey(seed: bytes(32)) else { return signed(payload) }
    return Envelope(signing: payload, with: key, network: self())
  }
}

extension SignedMessage: Sampled where Payload: Sampled {
  static func sample(_ draw: inout Draw) -> SignedMessage<Payload> {
    SignedMessage(draw.signed(Payload.sample(&draw)))
  }
}

extension SignedTransaction: Sampled {
  static func sample(_ draw: inout Draw) -> SignedTransaction {
    // What was just encoded decodes.
    (try? SignedTransaction(draw.signed(Transaction.sample(&draw)))) ?? .sample(&draw)
  }
}

extension CommitmentExchange: Sampled {
  static func sample(_ draw: inout Draw) -> Self { CommitmentExchange(commitment: draw()) }
}

extension RecordSubmission: Sampled {
  static func sample(_ draw: inout Draw) -> Self { RecordSubmission(record: draw.signed(JointRecord.sample(&draw))) }
}

extension ReceiptsRevealed: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ReceiptsRevealed(receipts: draw(), record: draw.signed(JointRecord.sample(&draw)))
  }
}

extension SignedRecord: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    let record = JointRecord.sample(&draw)
    return SignedRecord(byEnclave: draw.signed(record), byEdge: draw.signed(record))
  }
}

extension ReceiptSet: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ReceiptSet((0..<draw.below(3)).map { _ in draw.signed(SLAReceipt.sample(&draw)) })
  }
}

extension AccountBase: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    AccountBase(record: draw(), state: draw.bytes(Int(draw.below(64))))
  }
}

extension JointRecord: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    JointRecord(
      activation: draw(), epoch: draw(), customerReceipts: draw(), operatorReceipts: draw(), verdicts: draw(),
      segments: draw.list(1...2), missing: draw(), account: draw(), previous: draw())
  }
}

extension SLAReceipt: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SLAReceipt(
      activation: draw(), flow: draw(), direction: draw(), point: draw(), epoch: draw(), cell: draw(),
      condition: draw(), range: draw(), counts: draw(), delay: draw(), delayVariation: draw(), roundTrips: draw(),
      slots: draw.bytes(Int(draw.below(4))).map { $0 | 1 }, longestGap: draw(), clock: draw(), previous: draw(),
      attestation: draw(), terminal: draw())
  }
}

extension PacketRange: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    let (sequence, sent) = (draw.below(1 << 40), draw.below(1 << 60))
    return PacketRange(
      firstSequence: sequence, lastSequence: sequence + draw.below(1 << 20),
      firstSent: Instant(nanoseconds: sent), lastSent: Instant(nanoseconds: sent + draw.below(1 << 40)))
  }
}

extension PacketCounts: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    var counts = PacketCounts()
    counts.packetsSent = draw()
    counts.bytesSent = draw()
    counts.uniqueReceived = draw()
    counts.bytesReceived = draw()
    counts.duplicates = draw()
    counts.reordered = draw()
    counts.late = draw()
    counts.stale = draw()
    counts.badTag = draw()
    counts.droppedByPolicy = draw()
    counts.misstamped = draw()
    return counts
  }
}

extension SparseHistogram: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    var histogram = SparseHistogram()
    for _ in 0...draw.below(6) { histogram.add(1 + draw.below(1 << 40), at: UInt32(draw.below(1 << 14))) }
    return histogram
  }
}

extension DelaySummary: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    let minimum = Int64(draw.below(1 << 30)) - 1 << 20
    return DelaySummary(
      minimum: minimum, maximum: minimum + Int64(draw.below(1 << 40)), sum: Int64(draw.below(1 << 50)) - 1 << 40,
      histogram: draw())
  }
}

extension RoundTrips: Sampled {
  static func sample(_ draw: inout Draw) -> Self { RoundTrips(probes: draw(), summary: draw()) }
}

extension ClockQuality: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ClockQuality(source: draw(), synchronised: draw(), errorBound: draw(), steps: draw())
  }
}

extension RuleCounters: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    var counters = RuleCounters()
    counters.met = draw()
    counters.violated = draw()
    counters.inconclusive = draw()
    counters.contested = draw()
    counters.longestBadRun = draw()
    counters.currentBadRun = draw()
    return counters
  }
}

extension EpochCounters: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    var counters = EpochCounters()
    counters.met = draw()
    counters.violated = draw()
    counters.inconclusive = draw()
    counters.contested = draw()
    counters.notServed = draw()
    return counters
  }
}

extension ActivationMoney: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ActivationMoney(escrow: draw(), bond: draw(), paid: draw(), refunded: draw(), penalty: draw())
  }
}

extension Traffic: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Traffic(
      packetsPerSecond: draw.below(Traffic.maximumPacketsPerSecond + 1),
      payloadBytes: draw.below(ServiceTerms.packetBytesAtMost + 1))
  }
}

extension ActivationOrder: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    ActivationOrder(
      contract: draw(), epochs: draw(), earliestStart: draw(), latestStart: draw(), cell: draw(), peer: draw(),
      enclaves: draw.list(1...2), peerCell: draw(),
      consent: draw.below(2) == 0 ? nil : draw.signed(ActivationConsent.sample(&draw)))
  }
}

extension SubnetElement: Sampled {
  static func sample(_ draw: inout Draw) -> Self { SubnetElement(name: draw(), up: draw(), down: draw()) }
}

extension StatusItem: Sampled {
  static func sample(_ draw: inout Draw) -> Self { StatusItem(draw(), String.sample(&draw)) }
}

extension RemoteError: Sampled {
  static func sample(_ draw: inout Draw) -> Self { RemoteError(draw.one(of: Code.allCases), draw()) }
}

extension AttestationEvidence: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    AttestationEvidence(
      nonce: draw(), measurement: draw(), receiptKey: draw(), platform: draw(), bootCount: draw(), level: draw(),
      debugStatus: draw())
  }
}

// MARK: Contract terms

extension Rule: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    Rule(
      metric: draw(), statistic: draw(), direction: draw(), comparison: draw(), reference: draw(), tolerance: draw(),
      window: draw(), minimumSamples: draw(), penalty: draw())
  }
}

extension MeteringTerms: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    MeteringTerms(
      epoch: draw(), grace: draw(), maximumTransit: draw(), delaySpread: draw(), clockErrorBound: draw(),
      histogram: draw(), gated: draw(), minimumAttestationLevel: draw(), allowedMeasurements: draw())
  }
}

extension HistogramSpecification: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    HistogramSpecification(unit: 1 + draw.below(1 << 20), subBits: draw.below(12), highest: draw())
  }
}

// MARK: Reading the ledger

extension EntriesRequest: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    EntriesRequest(from: draw.bytes(Int(draw.below(40))), before: draw.bytes(Int(draw.below(40))), limit: draw())
  }
}

extension ProvenEntries: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    var tree = KeyedMerkleTree<ContractDescription>()
    for _ in 0...draw.below(4) { tree.set(draw.bytes(33), draw()) }
    let from = draw.bytes(2)
    return ProvenEntries(
      header: draw(), finalization: draw(), from: from, before: [0xFF], isWhole: draw(),
      proof: tree.rangeProof(from: from, before: [0xFF]))
  }
}

extension SnapshotRequest: Sampled {
  static func sample(_ draw: inout Draw) -> Self { SnapshotRequest(height: draw.below(3) == 0 ? nil : draw()) }
}

extension SnapshotManifest: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SnapshotManifest(
      headers: draw.list(1...2), finalization: draw(), entries: draw(), history: draw.list(0...1))
  }
}

extension SnapshotChunkRequest: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    SnapshotChunkRequest(height: draw(), from: draw.bytes(Int(draw.below(40))))
  }
}

extension SnapshotChunk: Sampled {
  static func sample(_ draw: inout Draw) -> Self {
    let entries = ProvenEntries.sample(&draw)
    return SnapshotChunk(height: draw(), from: entries.from, before: entries.before, proof: entries.proof)
  }
}
