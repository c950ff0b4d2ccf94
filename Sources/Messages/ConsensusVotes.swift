import Signing
import Wire

/// What a block is voted on as: the block and its place among the views. The parent's view is part of it, so that a
/// vote says which views the voter accepts as skipped.
public struct Proposition: Hashable, Sendable, WireCodable {
  public let era: Era
  public let view: View
  public let parentView: View
  public let blockHash: Digest

  public init(era: Era, view: View, parentView: View, blockHash: Digest) {
    self.era = era
    self.view = view
    self.parentView = parentView
    self.blockHash = blockHash
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(era)
    writer.write(view)
    writer.write(parentView)
    writer.write(blockHash)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      Proposition(
        era: try reader.uint(), view: try reader.uint(), parentView: try reader.uint(), blockHash: try reader.value())
    }
  }
}

/// "This is a valid block for its view, and the only one I accept."
public struct Notarize: Hashable, SignedPayload {
  public static let kind = MessageKind.notarize
  public let proposition: Proposition

  public init(_ proposition: Proposition) { self.proposition = proposition }
  public func encode(to writer: inout CBORWriter) { writer.write(proposition) }
  public init(from reader: inout CBORReader) throws(WireError) { proposition = try reader.value() }
}

/// "I give up waiting for a block of this view, and shall never finalize one."
public struct Nullify: Hashable, SignedPayload {
  public static let kind = MessageKind.nullify
  public let era: Era
  public let view: View

  public init(era: Era, view: View) {
    self.era = era
    self.view = view
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(era)
    writer.write(view)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      Nullify(era: try reader.uint(), view: try reader.uint())
    }
  }
}

/// "I hold a quorum's notarization of this block, have not nullified its view and never shall."
public struct Finalize: Hashable, SignedPayload {
  public static let kind = MessageKind.finalize
  public let proposition: Proposition

  public init(_ proposition: Proposition) { self.proposition = proposition }
  public func encode(to writer: inout CBORWriter) { writer.write(proposition) }
  public init(from reader: inout CBORReader) throws(WireError) { proposition = try reader.value() }
}

/// What is said in a vote. On the wire `[kind, payload]`, kind as in ``MessageKind``.
public enum Ballot: Hashable, Sendable {
  case notarize(Proposition)
  case nullify(era: Era, view: View)
  case finalize(Proposition)

  public var kind: UInt16 {
    switch self {
    case .notarize: MessageKind.notarize
    case .nullify: MessageKind.nullify
    case .finalize: MessageKind.finalize
    }
  }

  public var era: Era {
    switch self {
    case .notarize(let proposition), .finalize(let proposition): proposition.era
    case .nullify(let era, _): era
    }
  }

  public var view: View {
    switch self {
    case .notarize(let proposition), .finalize(let proposition): proposition.view
    case .nullify(_, let view): view
    }
  }

  /// What was voted for; nil for a nullification.
  public var proposition: Proposition? {
    switch self {
    case .notarize(let proposition), .finalize(let proposition): proposition
    case .nullify: nil
    }
  }

  /// The canonical bytes that are signed.
  var payload: [UInt8] {
    switch self {
    case .notarize(let proposition): Notarize(proposition).encoded
    case .nullify(let era, let view): Nullify(era: era, view: view).encoded
    case .finalize(let proposition): Finalize(proposition).encoded
    }
  }

  /// The vote of one member as its signed envelope, byte for byte as the member made it: the protected header of a
  /// vote is constant per kind, so payload and signature are all there is to know.
  func envelope(_ signature: Signature) -> Envelope {
    Envelope(kind: kind, version: Notarize.version, signer: nil, payload: payload, signature: signature)
  }
}

extension Ballot: WireCodable {
  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(UInt64(kind))
    switch self {
    case .notarize(let proposition), .finalize(let proposition): writer.write(proposition)
    case .nullify(let era, let view): writer.write(Nullify(era: era, view: view))
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      switch try reader.uint(UInt16.self, field: "kind of vote") {
      case MessageKind.notarize: return .notarize(try reader.value())
      case MessageKind.nullify:
        let payload: Nullify = try reader.value()
        return .nullify(era: payload.era, view: payload.view)
      case MessageKind.finalize: return .finalize(try reader.value())
      default: throw .invalidValue(field: "kind of vote")
      }
    }
  }
}

/// One member's signed ballot.
public struct Vote: Hashable, Sendable, WireCodable {
  public let member: MemberIndex
  public let ballot: Ballot
  public let signature: Signature

  public init(member: MemberIndex, ballot: Ballot, signature: Signature) {
    self.member = member
    self.ballot = ballot
    self.signature = signature
  }

  /// Signs a ballot.
  public init(_ ballot: Ballot, by member: MemberIndex, with key: SigningKey, network: Digest) {
    let envelope =
      switch ballot {
      case .notarize(let proposition):
        Envelope(anonymouslySigning: Notarize(proposition), with: key, network: network)
      case .nullify(let era, let view):
        Envelope(anonymouslySigning: Nullify(era: era, view: view), with: key, network: network)
      case .finalize(let proposition):
        Envelope(anonymouslySigning: Finalize(proposition), with: key, network: network)
      }
    self.init(member: member, ballot: ballot, signature: envelope.signature)
  }

  /// The vote as the COSE_Sign1 message its member signed.
  public var envelope: Envelope { ballot.envelope(signature) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(UInt64(member))
    writer.write(ballot)
    writer.write(signature)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      Vote(
        member: try reader.uint(MemberIndex.self, field: "member"), ballot: try reader.value(),
        signature: try reader.value())
    }
  }
}

extension Vote: Verifiable {
  public func signatureChecks(in context: VerificationContext) throws(VerificationError) -> [SignatureCheck] {
    guard let members = context.members(of: ballot.era) else { throw .unknownEra(ballot.era) }
    guard Int(member) < members.count else { throw .unexpected("vote of no member: \(member)") }
    guard let check = envelope.check(network: context.network, by: members[Int(member)]) else {
      throw .malformed("vote")
    }
    return [check]
  }
}
