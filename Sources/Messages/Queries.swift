import Signing
import Wire

/// What an activation of so many epochs would lock and cost (§3.1; asked of `contract/<id>`).
public struct Quote: Hashable, Sendable, WireCodable {
  public var contract: ContractID
  public var epochs: UInt64
  /// E: price × epochs + reservation fee.
  public var escrow: Amount
  /// B: the most that penalties can come to.
  public var bond: Amount

  public init(contract: ContractID, epochs: UInt64, escrow: Amount, bond: Amount) {
    self.contract = contract
    self.epochs = epochs
    self.escrow = escrow
    self.bond = bond
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(contract)
    writer.write(epochs)
    writer.write(escrow)
    writer.write(bond)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      Quote(
        contract: try reader.value(), epochs: try reader.uint(), escrow: try reader.uint(), bond: try reader.uint())
    }
  }
}

/// The offer as it stands on the ledger.
public struct ContractDescription: Hashable, Sendable, WireCodable {
  public var terms: ContractTerms
  /// Nil: not (yet) deployed.
  public var status: ContractStatus?

  public init(terms: ContractTerms, status: ContractStatus?) {
    self.terms = terms
    self.status = status
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(terms)
    writer.write(optional: status)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      ContractDescription(terms: try reader.value(), status: try reader.optional())
    }
  }
}

/// One line of an actor's answer to "how are you": a name and what a person reads.
public struct StatusItem: Hashable, Sendable, WireCodable {
  public var name: String
  public var value: String

  public static let maximumItems = 256

  public init(_ name: String, _ value: String) {
    self.name = name
    self.value = value
  }

  public init(_ name: String, _ value: some BinaryInteger) { self.init(name, "\(value)") }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(name)
    writer.write(value)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      StatusItem(try reader.text(maximum: 128), try reader.text(maximum: 1024))
    }
  }
}
