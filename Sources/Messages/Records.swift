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

/// What an epoch ends in (sla.md, "Joint record"): everything up to and including this epoch, so that the last one
/// settles the whole activation (§3.3.1). Signed by the enclave and by the edge; each signs the same bytes.
public struct JointRecord: Hashable, SignedPayload {
  public static let kind = MessageKind.jointRecord

  public var activation: ActivationID
  public var epoch: EpochNumber
  /// Digests of both sides' opened receipt sets for this epoch.
  public var customerReceipts: Digest
  public var operatorReceipts: Digest
  /// Per rule in contract order; nil where a windowed rule's window has not ended, or the epoch was not served.
  public var verdicts: [Verdict?]
  public var ruleCounters: [RuleCounters]
  public var epochCounters: EpochCounters
  /// Due to the operator for epochs so far, reservation fee not included.
  public var amountDue: Amount
  /// Due to the customer so far.
  public var penaltiesDue: Amount
  /// Digest of the previous record's payload; zero for the first.
  public var previous: Digest

  public init(
    activation: ActivationID, epoch: EpochNumber, customerReceipts: Digest, operatorReceipts: Digest,
    verdicts: [Verdict?], ruleCounters: [RuleCounters], epochCounters: EpochCounters, amountDue: Amount,
    penaltiesDue: Amount, previous: Digest
  ) {
    self.activation = activation
    self.epoch = epoch
    self.customerReceipts = customerReceipts
    self.operatorReceipts = operatorReceipts
    self.verdicts = verdicts
    self.ruleCounters = ruleCounters
    self.epochCounters = epochCounters
    self.amountDue = amountDue
    self.penaltiesDue = penaltiesDue
    self.previous = previous
  }

  /// What the next record names as its previous.
  public var digest: Digest { Digest(hashing: encoded) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(10)
    writer.write(activation)
    writer.write(epoch)
    writer.write(customerReceipts)
    writer.write(operatorReceipts)
    writer.array(verdicts.count)
    for verdict in verdicts { writer.write(optional: verdict) }
    writer.write(list: ruleCounters)
    writer.write(epochCounters)
    writer.write(amountDue)
    writer.write(penaltiesDue)
    writer.write(previous)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(10) { (reader) throws(WireError) in
      JointRecord(
        activation: try reader.value(), epoch: try reader.uint(), customerReceipts: try reader.value(),
        operatorReceipts: try reader.value(),
        verdicts: try reader.array(maximum: ContractTerms.maximumRules) { (reader, count) throws(WireError) in
          var verdicts: [Verdict?] = []
          for _ in 0..<count { verdicts.append(try reader.optional()) }
          return verdicts
        },
        ruleCounters: try reader.list(maximum: ContractTerms.maximumRules), epochCounters: try reader.value(),
        amountDue: try reader.uint(), penaltiesDue: try reader.uint(), previous: try reader.value())
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
