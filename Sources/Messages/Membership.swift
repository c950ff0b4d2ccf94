import Signing
import Wire

/// A member set and where its rule begins (consensus.md, "Who votes"). Votes, certificates and blocks name their era;
/// views are ordered by (era, view). The genesis is era 0.
public struct EraRecord: Hashable, Sendable, WireCodable {
  public let era: Era
  /// One above the view in the header of the era's boundary block; 1 in era 0. Whichever finalization of the boundary
  /// block a member holds, the next era starts here: otherwise it would fork with no fault at all.
  public let firstView: View
  /// Protocol version of the era.
  public let version: UInt64
  /// In member order: the number of a member in votes and bitmaps is its position here.
  public let members: [Member]

  /// The version of eras made by this program.
  public static let protocolVersion: UInt64 = 1

  public init(era: Era, firstView: View, version: UInt64 = protocolVersion, members: [Member]) {
    self.era = era
    self.firstView = firstView
    self.version = version
    self.members = members
  }

  public var quorum: Quorum { Quorum(members: members.count) }
  /// In member order.
  public var keys: [PublicKey] { members.map(\.key) }
  /// Members that lead, in member order; regulators are not among them.
  public var leaders: [MemberIndex] { members.indices.filter { members[$0].leads }.map { MemberIndex($0) } }

  public func index(of key: PublicKey) -> MemberIndex? {
    members.firstIndex { $0.key == key }.map { MemberIndex($0) }
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(era)
    writer.write(firstView)
    writer.write(version)
    writer.write(list: members)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      EraRecord(
        era: try reader.uint(), firstView: try reader.uint(), version: try reader.uint(),
        members: try reader.list(maximum: Genesis.maximumMembers))
    }
  }
}

extension Genesis {
  /// The first era.
  public var firstEra: EraRecord { EraRecord(era: 0, firstView: 1, members: members) }
}

extension VerificationContext {
  public mutating func learn(_ era: EraRecord) { learn(members: era.keys, of: era.era) }
}

extension Verifier {
  public mutating func learn(_ era: EraRecord) { learn(members: era.keys, of: era.era) }
}

extension Message {
  /// Eras that begin behind the final blocks in it: who verified it knows their members.
  public var erasBegun: [EraRecord] {
    switch self {
    case .ledger(let segment): [segment.nextEra].compactMap { $0 }
    case .consensus(.segments(let segments)): segments.compactMap(\.nextEra)
    default: []
    }
  }
}

/// Who joins and who leaves at the next era, as members approve it: each signs this very statement. It is of one era,
/// so that approvals cannot be kept and used against a later member set.
public struct MemberChange: Hashable, SignedPayload {
  public static let kind = MessageKind.memberChange

  /// The era whose members approve.
  public var era: Era
  /// Greater than that of every change accepted in this era: a later change takes the place of one that still waits
  /// for its joiners.
  public var number: UInt64
  /// Appended in this order. Each counts only after it proved that it has caught up (``Action/proveReady``).
  public var joining: [Member]
  /// Validator keys of those that leave or are suspended; their own approval does not count.
  public var leaving: [PublicKey]
  /// SHA-256 of the evidence for which somebody is suspended; nil when there is none.
  public var grounds: Digest?

  public init(era: Era, number: UInt64, joining: [Member] = [], leaving: [PublicKey] = [], grounds: Digest? = nil) {
    self.era = era
    self.number = number
    self.joining = joining
    self.leaving = leaving
    self.grounds = grounds
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(5)
    writer.write(era)
    writer.write(number)
    writer.write(list: joining)
    writer.write(list: leaving)
    writer.write(optional: grounds)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(5) { (reader) throws(WireError) in
      MemberChange(
        era: try reader.uint(), number: try reader.uint(),
        joining: try reader.list(maximum: Genesis.maximumMembers),
        leaving: try reader.list(maximum: Genesis.maximumMembers), grounds: try reader.optional())
    }
  }
}

/// A new validator key takes over from an old one. The new key signs this, the old key the transaction that carries it:
/// neither can be made a member's key against its holder's will.
public struct KeyRotation: Hashable, SignedPayload {
  public static let kind = MessageKind.keyRotation

  public var era: Era
  public var old: PublicKey
  public var new: PublicKey

  public init(era: Era, old: PublicKey, new: PublicKey) {
    self.era = era
    self.old = old
    self.new = new
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(era)
    writer.write(old)
    writer.write(new)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      KeyRotation(era: try reader.uint(), old: try reader.value(), new: try reader.value())
    }
  }
}
