import Messages
import Signing
import Wire

// What a launcher and the process of enclaves that it starts say to each other, over a pair of connected stream sockets
// that is the process's standard input and output. Each frame is four bytes of length, most significant first, and that
// many bytes of CBOR, an array that begins with the format's version.
//
//     launcher → process   EnclaveLaunch     once
//     process → launcher   EnclaveReport     once, when all its enclaves are reachable
//
// Nothing else is said. The process lives as long as the launcher keeps its end open: it stops at end of file, so it
// cannot outlive its launcher however that ends.
//
// A process holds many enclaves. They share what costs by the process: the executable that was measured, one sealed
// file and its syncs, one place on the bus. Each has its own key, records, sessions and ports: a port is where its
// customer and its edges find it, the kernel sorts packets by it, and a flood at one fills the queue of that one only.

/// What of an enclave's configuration is measured with its executable: everything that could make it account for
/// another network than its customer believes. The name, ports, paths and the sealing key are left out: they are new
/// for each enclave or each launch, and none of them changes what a receipt means.
public struct MeasuredConfiguration: Hashable, Sendable, WireCodable {
  public static let formatVersion: UInt64 = 1

  /// The genesis whose signatures and members the enclave believes.
  public var network: Digest

  public init(network: Digest) { self.network = network }

  /// What stands in evidence and in `allowedMeasurements`.
  /// - Parameter executable: SHA-256 of the enclave's file.
  public func measurement(executable: Digest) -> Digest {
    Digest(label: "AJIT enclave measurement", executable.bytes, encoded)
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(2)
    writer.write(Self.formatVersion)
    writer.write(network)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(2) { (reader) throws(WireError) in
      guard try reader.uint() == Self.formatVersion else { throw .invalidValue(field: "measured configuration") }
      return MeasuredConfiguration(network: try reader.value())
    }
  }
}

/// One bus, as others reach it: over `ipc://` inside a host, over `tcp://` with CURVE from others.
public struct BusPlace: Hashable, Sendable, WireCodable {
  public var endpoint: String
  /// For `tcp://`, where publications leave; 0 otherwise.
  public var publicationPort: UInt16
  /// The CURVE key that answers there, and as which its own requests come; nil for `ipc://`.
  public var key: Bytes32?
  /// Who is served there, and for whom that key may speak.
  public var actors: [ActorAddress]

  public static let maximumActors = 65_536

  public init(endpoint: String, publicationPort: UInt16 = 0, key: Bytes32? = nil, actors: [ActorAddress]) {
    self.endpoint = endpoint
    self.publicationPort = publicationPort
    self.key = key
    self.actors = actors
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(endpoint)
    writer.write(UInt64(publicationPort))
    writer.write(bytes: key?.bytes ?? [])
    writer.write(list: actors)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      let endpoint = try reader.text(maximum: 256)
      let publicationPort = try reader.uint(UInt16.self, field: "publication port")
      let bytes = try reader.byteString(maximum: 32)
      guard bytes.isEmpty || bytes.count == 32 else { throw .invalidValue(field: "curve key") }
      return BusPlace(
        endpoint: endpoint, publicationPort: publicationPort, key: Bytes32(bytes),
        actors: try reader.list(maximum: Self.maximumActors))
    }
  }
}

/// One enclave of a process.
public struct EnclaveOrder: Hashable, Sendable, WireCodable {
  public var name: String
  public var customer: String
  /// 0 lets the system choose. A restart gets the ports of the life before: the customer and the edge know them.
  public var applicationPort: UInt16
  public var networkPort: UInt16

  public init(name: String, customer: String, applicationPort: UInt16 = 0, networkPort: UInt16 = 0) {
    self.name = name
    self.customer = customer
    self.applicationPort = applicationPort
    self.networkPort = networkPort
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(name)
    writer.write(customer)
    writer.write(UInt64(applicationPort))
    writer.write(UInt64(networkPort))
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(4) { (reader) throws(WireError) in
      EnclaveOrder(
        name: try reader.text(maximum: ActorAddress.maximumNameBytes),
        customer: try reader.text(maximum: ActorAddress.maximumNameBytes),
        applicationPort: try reader.uint(UInt16.self, field: "application port"),
        networkPort: try reader.uint(UInt16.self, field: "network port"))
    }
  }
}

/// All that a process of enclaves is told when it is started. Holds its secrets: never logged, never written.
public struct EnclaveLaunch: Hashable, Sendable, WireCodable {
  public static let formatVersion: UInt64 = 2

  /// The process's name, for people.
  public var process: String
  public var enclaves: [EnclaveOrder]
  public var genesis: Genesis
  public var clock: ClockQuality
  /// 32 bytes that only this platform can derive, and only for this code and process: opens the sealed state.
  public var sealingKey: [UInt8]
  /// The directory of the sealed state.
  public var stateDirectory: String
  /// Launches so far, this one included.
  public var bootCount: UInt64
  /// The last launch that reported: state sealed before it has been rolled back.
  public var reportedBootCount: UInt64
  /// Where the process listens on the bus.
  public var place: BusPlace
  /// The secret half of `place.key`; empty where there is none.
  public var busSecret: [UInt8]
  /// Where everybody whom its enclaves may have to ask is reached.
  public var peers: [BusPlace]
  /// The IPv4 address that its ports are bound on.
  public var host: UInt32

  /// Of one process. Each has two ports, and a process may open some ten thousand.
  public static let maximumEnclaves = 4096
  public static let maximumPeers = 4096
  public static let maximumBytes = 16 << 20

  public init(
    process: String, enclaves: [EnclaveOrder], genesis: Genesis, clock: ClockQuality, sealingKey: [UInt8],
    stateDirectory: String, bootCount: UInt64, reportedBootCount: UInt64, place: BusPlace, busSecret: [UInt8] = [],
    peers: [BusPlace], host: UInt32
  ) {
    self.process = process
    self.enclaves = enclaves
    self.genesis = genesis
    self.clock = clock
    self.sealingKey = sealingKey
    self.stateDirectory = stateDirectory
    self.bootCount = bootCount
    self.reportedBootCount = reportedBootCount
    self.place = place
    self.busSecret = busSecret
    self.peers = peers
    self.host = host
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(13)
    writer.write(Self.formatVersion)
    writer.write(process)
    writer.write(list: enclaves)
    writer.write(genesis)
    writer.write(clock)
    writer.write(bytes: sealingKey)
    writer.write(stateDirectory)
    writer.write(bootCount)
    writer.write(reportedBootCount)
    writer.write(place)
    writer.write(bytes: busSecret)
    writer.write(list: peers)
    writer.write(UInt64(host))
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(13) { (reader) throws(WireError) in
      guard try reader.uint() == Self.formatVersion else { throw .invalidValue(field: "version of the launch") }
      return EnclaveLaunch(
        process: try reader.text(maximum: ActorAddress.maximumNameBytes),
        enclaves: try reader.list(maximum: Self.maximumEnclaves), genesis: try reader.value(),
        clock: try reader.value(), sealingKey: try reader.byteString(exactly: 32, field: "sealing key"),
        stateDirectory: try reader.text(maximum: 4096), bootCount: try reader.uint(),
        reportedBootCount: try reader.uint(), place: try reader.value(), busSecret: try reader.byteString(maximum: 32),
        peers: try reader.list(maximum: Self.maximumPeers), host: try reader.uint(UInt32.self, field: "host"))
    }
  }
}

/// One enclave that is ready.
public struct ReadyEnclave: Hashable, Sendable, WireCodable {
  public var name: String
  public var identity: EnclaveIdentity
  public var networkPort: DataAddress

  public init(name: String, identity: EnclaveIdentity, networkPort: DataAddress) {
    self.name = name
    self.identity = identity
    self.networkPort = networkPort
  }

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(name)
    writer.write(identity)
    writer.write(networkPort)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      ReadyEnclave(
        name: try reader.text(maximum: ActorAddress.maximumNameBytes), identity: try reader.value(),
        networkPort: try reader.value())
    }
  }
}

/// What a process of enclaves answers: who they are, in the order in which they were named, or one line that says why
/// it cannot start.
public enum EnclaveReport: Hashable, Sendable, WireCodable {
  case ready([ReadyEnclave])
  case failed(String)

  public static let formatVersion: UInt64 = 2
  public static let maximumBytes = 1 << 20
  private static let maximumTextBytes = 1024

  public func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(Self.formatVersion)
    switch self {
    case .ready(let enclaves):
      writer.write(UInt64(1))
      writer.write(list: enclaves)
    case .failed(let text):
      writer.write(UInt64(2))
      writer.write(String(text.prefix(Self.maximumTextBytes / 4)))
    }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    self = try reader.record(3) { (reader) throws(WireError) in
      guard try reader.uint() == Self.formatVersion else { throw .invalidValue(field: "version of the report") }
      switch try reader.uint() {
      case 1: return .ready(try reader.list(maximum: EnclaveLaunch.maximumEnclaves))
      case 2: return .failed(try reader.text(maximum: Self.maximumTextBytes))
      default: throw .invalidValue(field: "enclave report")
      }
    }
  }
}
