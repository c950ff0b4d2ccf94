import Signing
import Wire

/// What a rule, or an epoch, came to.
public enum Verdict: UInt8, Sendable, CaseIterable, WireCodable, Comparable {
  case met = 1
  case inconclusive = 2
  case contested = 3
  case violated = 4

  /// Worse is greater: VIOLATED > CONTESTED > INCONCLUSIVE > MET.
  public static func < (left: Verdict, right: Verdict) -> Bool { left.rawValue < right.rawValue }
}

/// How often a rule came to each verdict over all epochs so far. Penalties use these.
public struct RuleCounters: Hashable, Sendable, WireCodable {
  public var met: UInt64 = 0
  public var violated: UInt64 = 0
  public var inconclusive: UInt64 = 0
  public var contested: UInt64 = 0
  /// Longest run of verdicts that were not MET.
  public var longestBadRun: UInt64 = 0
  /// The run that is going on.
  public var currentBadRun: UInt64 = 0

  public init() {}

  public func encode(to writer: inout CBORWriter) {
    writer.array(6)
    for count in [met, violated, inconclusive, contested, longestBadRun, currentBadRun] { writer.write(count) }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(6) { (reader) throws(WireError) in
      var counters = RuleCounters()
      counters.met = try reader.uint()
      counters.violated = try reader.uint()
      counters.inconclusive = try reader.uint()
      counters.contested = try reader.uint()
      counters.longestBadRun = try reader.uint()
      counters.currentBadRun = try reader.uint()
      return counters
    }
  }
}

/// How many epochs came to each outcome. The price uses these.
public struct EpochCounters: Hashable, Sendable, WireCodable {
  public var met: UInt64 = 0
  public var violated: UInt64 = 0
  public var inconclusive: UInt64 = 0
  public var contested: UInt64 = 0
  /// Gated for want of a record: price 0, no penalty, judged by no rule.
  public var notServed: UInt64 = 0

  public init() {}

  /// Saturates: the counters of a record are whatever its signers wrote. ``checkedTotal`` tells.
  public var total: UInt64 { checkedTotal ?? .max }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    for count in [met, violated, inconclusive, contested, notServed] { writer.write(count) }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      var counters = EpochCounters()
      counters.met = try reader.uint()
      counters.violated = try reader.uint()
      counters.inconclusive = try reader.uint()
      counters.contested = try reader.uint()
      counters.notServed = try reader.uint()
      return counters
    }
  }
}

/// The account of one segment of an activation: one contract's counters and what they come to.
public struct SegmentAccount: Hashable, Sendable, WireCodable {
  /// Per rule of the segment's contract, in its order.
  public var ruleCounters: [RuleCounters]
  public var epochCounters: EpochCounters
  /// Due to the operator for the segment's epochs so far, reservation fee not included.
  public var amountDue: Amount
  /// Due to the customer so far.
  public var penaltiesDue: Amount

  public init(ruleCounters: [RuleCounters], epochCounters: EpochCounters, amountDue: Amount, penaltiesDue: Amount) {
    self.ruleCounters = ruleCounters
    self.epochCounters = epochCounters
    self.amountDue = amountDue
    self.penaltiesDue = penaltiesDue
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(list: ruleCounters)
    writer.write(epochCounters)
    writer.write(amountDue)
    writer.write(penaltiesDue)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      SegmentAccount(
        ruleCounters: try reader.list(maximum: ContractTerms.maximumRules), epochCounters: try reader.value(),
        amountDue: try reader.uint(), penaltiesDue: try reader.uint())
    }
  }
}

/// What an epoch ends in (sla.md, "Joint record"): everything up to and including this epoch, so that the last one
/// settles the whole activation (§3.3.1). Signed by the near enclave and by the anchor edge; each signs the same bytes.
public struct JointRecord: Hashable, SignedPayload {
  public static let kind = MessageKind.jointRecord

  public var activation: ActivationID
  public var epoch: EpochNumber
  /// Digests of both sides' opened receipt sets for this epoch.
  public var customerReceipts: Digest
  public var operatorReceipts: Digest
  /// Per rule of the epoch's contract; nil where a windowed rule's window has not ended, or the epoch was not served.
  public var verdicts: [Verdict?]
  /// In order of time; the last is the one the epoch belongs to.
  public var segments: [SegmentAccount]
  /// Who owed receipts of this epoch and gave none: enclaves and edges, in the order of their points.
  public var missing: [PublicKey]
  /// Digest of what the pure function carries to the next epoch besides this record (Metering's account state): with
  /// both, anybody can go on.
  public var account: Digest
  /// Digest of the previous record's payload; zero for the first.
  public var previous: Digest

  /// Four points of two ends, and two edges each in the epoch of a handover.
  public static let maximumMissing = 8

  public init(
    activation: ActivationID, epoch: EpochNumber, customerReceipts: Digest, operatorReceipts: Digest,
    verdicts: [Verdict?], segments: [SegmentAccount], missing: [PublicKey], account: Digest, previous: Digest
  ) {
    self.activation = activation
    self.epoch = epoch
    self.customerReceipts = customerReceipts
    self.operatorReceipts = operatorReceipts
    self.verdicts = verdicts
    self.segments = segments
    self.missing = missing
    self.account = account
    self.previous = previous
  }

  /// What the next record names as its previous.
  public var digest: Digest { Digest(hashing: encoded) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(9)
    writer.write(activation)
    writer.write(epoch)
    writer.write(customerReceipts)
    writer.write(operatorReceipts)
    writer.array(verdicts.count)
    for verdict in verdicts { writer.write(optional: verdict) }
    writer.write(list: segments)
    writer.write(list: missing)
    writer.write(account)
    writer.write(previous)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(9) { (reader) throws(WireError) in
      let record = JointRecord(
        activation: try reader.value(), epoch: try reader.uint(), customerReceipts: try reader.value(),
        operatorReceipts: try reader.value(),
        verdicts: try reader.array(maximum: ContractTerms.maximumRules) { (reader, count) throws(WireError) in
          var verdicts: [Verdict?] = []
          for _ in 0..<count { verdicts.append(try reader.optional()) }
          return verdicts
        },
        segments: try reader.list(maximum: ActivationLimits.segments),
        missing: try reader.list(maximum: Self.maximumMissing), account: try reader.value(),
        previous: try reader.value())
      guard !record.segments.isEmpty else { throw .invalidValue(field: "segments") }
      return record
    }
  }
}

/// Both signatures over one joint record: what anyone may settle with.
public struct SignedRecord: Hashable, Sendable, WireCodable {
  /// Signed by the enclave's attested receipt key.
  public var byEnclave: Envelope
  /// Signed by the edge monitor's key.
  public var byEdge: Envelope

  public init(byEnclave: Envelope, byEdge: Envelope) {
    self.byEnclave = byEnclave
    self.byEdge = byEdge
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(byEnclave)
    writer.write(byEdge)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      SignedRecord(byEnclave: try reader.value(), byEdge: try reader.value())
    }
  }
}

/// "Pay by this record and close": signed by the customer and by the operator's controller over the same bytes.
public struct SettlementAgreement: Hashable, SignedPayload {
  public static let kind = MessageKind.settlementAgreement

  public var activation: ActivationID
  /// The last joint record; nil when no epoch was recorded.
  public var record: JointRecord?

  public init(activation: ActivationID, record: JointRecord?) {
    self.activation = activation
    self.record = record
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(activation)
    writer.write(optional: record)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      SettlementAgreement(activation: try reader.value(), record: try reader.optional())
    }
  }
}
