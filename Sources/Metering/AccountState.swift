import Messages
import Signing
import Wire

/// What the pure function carries from epoch to epoch besides the record: the evidence of rule windows that have not
/// ended, and the receipts that the next ones must follow. Its digest stands in every record, so that anybody who is
/// given a record and this can go on from there (DemandRecord, Dispute) and nobody can make the past up.
///
///     account-state   = [[* evidence-so-far / null], [* [direction, point, digest / null]]]
///     evidence-so-far = [served-epochs: uint, all: reading, core: reading, delay / null, clock-error: span, causes,
///                        cell-disputed: bool]
///     reading = [population: uint, lost: uint, delivered: uint, due: uint, longest-gap: uint]
///     causes  = [customer: bool, operator: bool, nobody-in-particular: bool]
///
/// One evidence per rule of the epoch's contract, null where no window is open; `all` and `core` are the two readings
/// of ``RuleEvidence``. A link of the chain is null where the point's last receipt was missing.
public struct AccountState: Hashable, Sendable, WireCodable {
  /// Of the rules of the last recorded epoch's segment.
  var windows: RuleWindows
  var chain = ReceiptChain()

  init(windows: RuleWindows) { self.windows = windows }

  public var digest: Digest { Digest(hashing: encoded) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(windows)
    writer.write(chain)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (windows, chain) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.value(), try reader.value())
    }
  }
}

/// The last receipt's digest of every point: what the next must name.
public struct ReceiptChain: Hashable, Sendable, WireCodable {
  private struct Link: Hashable, Sendable {
    let point: MeteredPoint
    /// Nil: the receipt was missing, and what it said is known to nobody who judges the next one.
    let digest: Digest?
  }

  /// In ascending order of direction and point.
  private var links: [Link] = []

  static let maximumLinks = ReceiptSet.maximumReceipts

  public init() {}

  /// What the next receipt of a point must name as its previous; nil when anything will do. Zero before the first.
  func expected(at point: MeteredPoint) -> Digest? {
    guard let link = links.first(where: { $0.point == point }) else { return .zero }
    return link.digest
  }

  /// One epoch's receipts of these points, missing ones included.
  mutating func advance(_ points: [MeteredPoint], _ receipts: [SLAReceipt]) {
    for point in points {
      let receipt = receipts.first { $0.direction == point.direction && $0.point == point.point }
      links.removeAll { $0.point == point }
      let position = links.firstIndex { point < $0.point } ?? links.count
      links.insert(Link(point: point, digest: receipt?.digest), at: position)
    }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(links.count)
    for link in links {
      writer.array(3)
      writer.write(link.point.direction)
      writer.write(link.point.point)
      writer.write(optional: link.digest)
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    links = try reader.array(maximum: Self.maximumLinks) { (reader, count) throws(WireError) in
      var links: [Link] = []
      for _ in 0..<count {
        let link = try reader.record(3) { (reader) throws(WireError) in
          Link(point: MeteredPoint(try reader.value(), try reader.value()), digest: try reader.optional())
        }
        guard links.last.map({ $0.point < link.point }) ?? true else { throw .invalidValue(field: "receipt chain") }
        links.append(link)
      }
      return links
    }
  }
}

extension MeteredPoint {
  fileprivate static func < (left: MeteredPoint, right: MeteredPoint) -> Bool {
    (left.direction, left.point) < (right.direction, right.point)
  }
}

extension RuleWindows: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(evidence.count)
    // A window that has just begun is empty, and most rules have no other.
    for evidence in evidence { writer.write(optional: evidence == RuleEvidence() ? nil : evidence) }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    let evidence: [RuleEvidence] = try reader.array(maximum: ContractTerms.maximumRules) {
      (reader, count) throws(WireError) in
      var evidence: [RuleEvidence] = []
      for _ in 0..<count { evidence.append(try reader.optional() ?? RuleEvidence()) }
      return evidence
    }
    self.init(evidence: evidence)
  }
}

extension RuleEvidence: WireCodable {
  func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(servedEpochs)
    writer.write(all)
    writer.write(core)
    writer.write(optional: delay)
    writer.write(clockError)
    writer.write(causes)
    writer.write(isCellDisputed)
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(7) { (reader) throws(WireError) in
      var evidence = RuleEvidence()
      evidence.servedEpochs = try reader.uint()
      evidence.all = try reader.value()
      evidence.core = try reader.value()
      evidence.delay = try reader.optional()
      evidence.clockError = try reader.value()
      evidence.causes = try reader.value()
      evidence.isCellDisputed = try reader.bool()
      guard evidence.clockError >= .zero else { throw .invalidValue(field: "clock error") }
      return evidence
    }
  }
}

extension RuleEvidence.Reading: WireCodable {
  func encode(to writer: inout CBORWriter) {
    writer.array(5)
    for number in [population, lost, delivered, due, longestGap] { writer.write(number) }
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      RuleEvidence.Reading(
        population: try reader.uint(), lost: try reader.uint(), delivered: try reader.uint(), due: try reader.uint(),
        longestGap: try reader.uint())
    }
  }
}

extension InconclusiveCauses: WireCodable {
  func encode(to writer: inout CBORWriter) {
    writer.array(3)
    for cause in [customer, networkOperator, unattributed] { writer.write(cause) }
  }

  init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      InconclusiveCauses(
        customer: try reader.bool(), networkOperator: try reader.bool(), unattributed: try reader.bool())
    }
  }
}
