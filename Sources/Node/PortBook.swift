import Effects
import Hosting
import Messages

/// The UDP ports of a node's actors by name, kept between lives: sessions that survive a restart name them. A port that
/// somebody else has taken meanwhile is given up for another.
struct PortBook {
  private let path: String
  private var ports: [String: UInt16] = [:]
  private var isChanged = false

  init(path: String) throws(NodeError) {
    self.path = path
    guard let bytes = try Files.read(path) else { return }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let port = UInt16(words[1]) else {
        throw .damaged(path: path, detail: "it is not lines of a name and a port")
      }
      ports[String(words[0])] = port
    }
  }

  /// 0 for a name that has none yet.
  subscript(name: String) -> UInt16 {
    get { ports[name] ?? 0 }
    set {
      guard ports[name] != newValue else { return }
      ports[name] = newValue
      isChanged = true
    }
  }

  /// - Parameter given: the one port that it may be, where others have it from an address book.
  mutating func open(
    _ name: String, given: UInt16?, on plane: DataPlane
  ) throws(NodeError) -> (address: DataAddress, arrivals: AsyncStream<[Datagram]>) {
    do throws(DataPortError) {
      if let given { return try plane.open(port: given) }
      if self[name] != 0, let opened = try? plane.open(port: self[name]) { return opened }
      let opened = try plane.open()
      self[name] = opened.address.port
      return opened
    } catch {
      throw .dataPort(error)
    }
  }

  mutating func save() throws(NodeError) {
    guard isChanged else { return }
    let lines = ports.keys.sorted().map { "\($0) \(ports[$0] ?? 0)\n" }
    try Files.replace(path, Array(lines.joined().utf8))
    isChanged = false
  }
}
