/// Where a bus can be reached by another process. Actors in one process need no endpoint: they reach each other over
/// `inproc://` inside their bus.
public enum BusEndpoint: Hashable, Sendable, CustomStringConvertible {
  /// A Unix domain socket file, between processes of one host and one user. The publications' socket is the same
  /// path with ``publicationSuffix``.
  case ipc(path: String)
  /// Between hosts, always with CURVE. Port 0 lets the system choose when binding.
  case tcp(host: String, port: UInt16)

  /// `sockaddr_un.sun_path` holds 108 bytes on Linux, with its terminating zero and our suffix (unix(7)).
  public static let maximumPathBytes = 107 - publicationSuffix.utf8.count
  static let publicationSuffix = ".pub"
  static let maximumHostBytes = 253

  /// Parses `ipc://PATH` and `tcp://HOST:PORT`.
  /// - Returns: nil for any other text, a path too long for the system, or a port that is not a number.
  public init?(_ text: String) {
    if text.hasPrefix("ipc://") {
      self = .ipc(path: String(text.dropFirst("ipc://".count)))
    } else if text.hasPrefix("tcp://"), let colon = text.lastIndex(of: ":") {
      let host = text[text.index(text.startIndex, offsetBy: "tcp://".count)...].prefix { $0 != ":" }
      let digits = text[text.index(after: colon)...]
      guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else { return nil }
      guard text == "tcp://\(host):\(digits)" else { return nil }
      self = .tcp(host: String(host), port: port)
    } else {
      return nil
    }
    guard isLegal else { return nil }
  }

  /// Lengths and characters that libzmq and the system accept.
  var isLegal: Bool {
    switch self {
    case .ipc(let path):
      !path.isEmpty && path.utf8.count <= Self.maximumPathBytes && !path.utf8.contains(0)
        && !path.hasPrefix("*") && !path.hasPrefix("@")
    case .tcp(let host, _):
      !host.isEmpty && host.utf8.count <= Self.maximumHostBytes
        && host.utf8.allSatisfy { byte in
          switch byte {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
          default: false
          }
        }
    }
  }

  /// The text libzmq binds and connects to.
  public var description: String {
    switch self {
    case .ipc(let path): "ipc://\(path)"
    case .tcp(let host, let port): "tcp://\(host):\(port)"
    }
  }

  /// Where the same bus publishes. The port comes from the publisher's answer (see ``BusFrames``): only the port, so
  /// that nobody can send a subscriber to another host.
  func publications(port: UInt16) -> BusEndpoint {
    switch self {
    case .ipc(let path): .ipc(path: path + Self.publicationSuffix)
    case .tcp(let host, _): .tcp(host: host, port: port)
    }
  }
}
