import Assembly
import Bus
import Foundation
import Hosting
import Messages
import Signing

/// Who is reached where, and under which CURVE key: the public half of a set of key bundles, the same in each
/// (`book.json`, for programs in any language). A place is one process with one bus: a node, or the enclaves that a
/// node started together.
///
/// Ports are chosen once, when the bundles are made, so that nobody has to find anybody and a process that comes back
/// is where it was.
public struct AddressBook: Hashable, Sendable, Codable {
  public static let formatVersion = 1
  /// One book at most, bytes.
  static let maximumBytes = 16 << 20

  public var format: Int
  /// The topology's name, for people.
  public var topology: String
  /// The network's id (SHA-256 of `genesis.cbor`), 64 hexadecimal digits: what every signature is bound to.
  public var network: String
  /// Nodes in file order, each followed by its processes of enclaves; last the place of whoever only watches.
  public var places: [Place]

  public struct Place: Hashable, Sendable, Codable {
    /// The node's name, or `enclaves/NAME` for a process of enclaves.
    public var name: String
    /// The node whose bundle has its secret key.
    public var node: String
    /// IPv4 text.
    public var host: String
    /// TCP port of the ROUTER socket, where requests are taken; 0 where nobody is served.
    public var requests: UInt16
    /// TCP port of the PUB socket.
    public var publications: UInt16
    /// Its CURVE public key, 64 hexadecimal digits: its server key, and the only key its connections come with.
    public var curve: String
    /// Everybody who is served there, as `role/name`; the key may speak for these and for any `client/…`.
    public var actors: [String]
    /// UDP ports by use: `edge/NAME/network`, `edge/NAME/endpoint`, `customer/NAME`, `enclave/NAME/application`,
    /// `enclave/NAME/network`.
    public var data: [String: UInt16]
  }

  public func place(_ name: String) -> Place? { places.first { $0.name == name } }

  /// Everybody but one place.
  func others(than name: String) -> [Place] { places.filter { $0.name != name } }

  /// Per enclave: where it takes its application's datagrams.
  var enclavePorts: [String: DataAddress] {
    var ports: [String: DataAddress] = [:]
    for place in places {
      guard let ipv4 = place.ipv4 else { continue }
      for enclave in place.addresses where enclave.role == .enclave {
        guard let port = place.data["\(enclave)/application"] else { continue }
        ports[enclave.name] = DataAddress(ipv4: ipv4, port: port)
      }
    }
    return ports
  }

  /// Whether all nodes are on one host, and so read one clock.
  var isOneHost: Bool { Set(places.filter { $0.requests != 0 }.map(\.host)).count <= 1 }

  // MARK: As a file

  var encoded: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    // Nothing in it can fail to be encoded: text and numbers only.
    return [UInt8]((try? encoder.encode(self)) ?? Data()) + [UInt8(ascii: "\n")]
  }

  static func read(_ path: String) throws(NodeError) -> AddressBook {
    guard let bytes = try Files.read(path) else { throw .damaged(path: path, detail: "it is missing") }
    guard bytes.count <= maximumBytes else { throw .damaged(path: path, detail: "it is too large") }
    let book: AddressBook
    do { book = try JSONDecoder().decode(AddressBook.self, from: Data(bytes)) } catch {
      throw .damaged(path: path, detail: "it is no address book")
    }
    guard book.format == formatVersion else {
      throw .damaged(path: path, detail: "format \(book.format), this reads \(formatVersion)")
    }
    for place in book.places {
      guard place.ipv4 != nil, place.key != nil, place.addresses.count == place.actors.count else {
        throw .damaged(path: path, detail: "place '\(place.name)' has an address or a key that is none")
      }
    }
    return book
  }
}

extension AddressBook.Place {
  static func name(ofEnclaves process: String) -> String { "enclaves/\(process)" }

  /// Nil for text that is no IPv4 address.
  var ipv4: UInt32? {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var value: UInt32 = 0
    for part in parts {
      guard let octet = UInt8(part) else { return nil }
      value = value << 8 | UInt32(octet)
    }
    return value
  }

  var key: CurvePublicKey? { Hexadecimal.decode(curve).flatMap { CurvePublicKey($0) } }
  var addresses: [ActorAddress] { actors.compactMap { ActorAddress($0) } }
  var isServed: Bool { requests != 0 }
  var endpoint: BusEndpoint { .tcp(host: host, port: requests) }

  /// As a process of enclaves is told of it.
  var busPlace: BusPlace {
    BusPlace(
      endpoint: endpoint.description, publicationPort: publications, key: key?.value, actors: addresses)
  }

  /// Who comes with this place's key may speak for its actors. Clients only ask what anybody may ask.
  var admission: Admission? { key.map { Admission($0, as: Set(addresses), anyOf: [.client]) } }
}
