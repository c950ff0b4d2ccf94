import Glibc
import Messages

/// Chooses TCP and UDP ports for places that name none: below the range from which systems take ports for outgoing
/// connections (`ip_local_port_range`, 32768 and up), so that they are still free at the next start, and not in use now
/// as far as can be told from here.
struct PortChooser {
  static let range: Range<UInt16> = 20_000..<32_000

  private var next: UInt16
  private var chosen: Set<DataAddress> = []

  init() { next = .random(in: Self.range) }

  /// - Parameter first: where to begin; nil anywhere in ``range``.
  mutating func choose(_ count: Int, on host: UInt32, first: UInt16?) throws(NodeError) -> [UInt16] {
    if let first { return try fixed(count, host, first) }
    var ports: [UInt16] = []
    for _ in Self.range where ports.count < count {
      let port = next
      next = next + 1 < Self.range.upperBound ? next + 1 : Self.range.lowerBound
      if take(DataAddress(ipv4: host, port: port)) { ports.append(port) }
    }
    if ports.count == count { return ports }
    throw .impossible(detail: "fewer than \(count) ports of \(Self.range) are free")
  }

  private mutating func fixed(_ count: Int, _ host: UInt32, _ first: UInt16) throws(NodeError) -> [UInt16] {
    guard Int(first) + count <= Int(UInt16.max) + 1 else {
      throw .impossible(detail: "\(count) ports from \(first) on are more than there are")
    }
    let ports = (0..<count).map { first + UInt16($0) }
    for port in ports where !chosen.insert(DataAddress(ipv4: host, port: port)).inserted {
      throw .impossible(
        detail: "two nodes of one host use port \(port): leave \(count) ports from \(first) on to this one")
    }
    return ports
  }

  private mutating func take(_ address: DataAddress) -> Bool {
    guard !chosen.contains(address), Self.isFree(address, SOCK_STREAM), Self.isFree(address, SOCK_DGRAM) else {
      return false
    }
    chosen.insert(address)
    return true
  }

  /// An address of another host counts as free: only that host can tell.
  private static func isFree(_ address: DataAddress, _ kind: __socket_type) -> Bool {
    let descriptor = socket(AF_INET, Int32(kind.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return true }
    defer { close(descriptor) }
    if kind == SOCK_STREAM {
      // As libzmq binds: connections that still linger keep nobody from listening.
      var yes: Int32 = 1
      setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    }
    var local = sockaddr_in()
    local.sin_family = sa_family_t(AF_INET)
    local.sin_port = address.port.bigEndian
    local.sin_addr.s_addr = address.ipv4.bigEndian
    let code = withUnsafePointer(to: &local) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return code == 0 || errno != EADDRINUSE
  }
}
