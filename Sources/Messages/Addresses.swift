import Wire

/// Where an actor is reached on the bus: `role/name`, for example `validator/alpha`, `edge/alpha-1`,
/// `contract/9f3c…` (64 hexadecimal digits). Names are 1–64 of `a–z 0–9 - _ .`.
public struct ActorAddress: Hashable, Comparable, Sendable, WireCodable, CustomStringConvertible {
  public let role: Role
  public let name: String

  public enum Role: String, Sendable, CaseIterable {
    case validator, regulator, contract, controller, edge, enclave, customer
    /// The launcher of an enclave: measures it and signs its evidence with the platform key.
    case platform
    /// Manages one technological domain of an operator (NSSMF, 3GPP TS 28.531).
    case domain
    /// Something that asks and is never asked: the command line, a load generator.
    case client
  }

  public static let maximumNameBytes = 64

  public init(_ role: Role, _ name: String) {
    self.role = role
    self.name = name
  }

  /// - Returns: nil unless the text is a known role, a slash and a legal name.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let role = Role(rawValue: String(parts[0])), Self.isLegal(name: parts[1]) else {
      return nil
    }
    self.init(role, String(parts[1]))
  }

  public static func isLegal(name: some StringProtocol) -> Bool {
    !name.isEmpty && name.utf8.count <= maximumNameBytes
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
          true
        default: false
        }
      }
  }

  public static func < (left: ActorAddress, right: ActorAddress) -> Bool { left.description < right.description }
  public var description: String { "\(role.rawValue)/\(name)" }

  public func encode(to writer: inout CBORWriter) { writer.write(description) }
  public init(from reader: inout CBORReader) throws(WireError) {
    guard let address = ActorAddress(try reader.text(maximum: 80)) else { throw .invalidValue(field: "address") }
    self = address
  }
}

/// What an actor publishes under. Subscribers name publisher and topic; messages are numbered per (publisher, topic).
public enum Topic: UInt8, Sendable, CaseIterable, WireCodable {
  /// Votes, proposals and certificates of one validator.
  case consensus = 1
  /// Transactions one validator passes on to the others.
  case transactions = 2
  /// Finalized blocks, in order of height.
  case ledger = 3

  public func encode(to writer: inout CBORWriter) { writer.write(UInt64(rawValue)) }
  public init(from reader: inout CBORReader) throws(WireError) {
    guard let topic = Topic(rawValue: try reader.uint(UInt8.self, field: "topic")) else {
      throw .invalidValue(field: "topic")
    }
    self = topic
  }
}

/// Where datagrams of the data plane go: an IPv4 address and a UDP port (in a simulation, an invented one).
public struct DataAddress: Hashable, Comparable, Sendable, WireCodable, CustomStringConvertible {
  /// Network order, most significant octet first.
  public let ipv4: UInt32
  public let port: UInt16

  public init(ipv4: UInt32, port: UInt16) {
    self.ipv4 = ipv4
    self.port = port
  }

  public static func loopback(port: UInt16) -> DataAddress { DataAddress(ipv4: 0x7F00_0001, port: port) }

  public static func < (left: DataAddress, right: DataAddress) -> Bool {
    (left.ipv4, left.port) < (right.ipv4, right.port)
  }
  public var description: String {
    "\(ipv4 >> 24).\(ipv4 >> 16 & 255).\(ipv4 >> 8 & 255).\(ipv4 & 255):\(port)"
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(UInt64(ipv4))
    writer.write(UInt64(port))
  }
  public init(from reader: inout CBORReader) throws(WireError) {
    (ipv4, port) = try reader.record(2) { (reader) throws(WireError) in
      (try reader.uint(UInt32.self, field: "ipv4"), try reader.uint(UInt16.self, field: "port"))
    }
  }
}

extension ActorAddress {
  /// A contract is reached under its id.
  public static func contract(_ id: ContractID) -> ActorAddress { ActorAddress(.contract, id.hexadecimal) }
}
