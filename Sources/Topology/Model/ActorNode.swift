import Messages

extension Topology {
  /// One entry of `nodes:`, as the file says it: a process somewhere, and which actors run in it. What the patterns
  /// come to is in ``Placement``.
  public struct ActorNode: Hashable, Sendable {
    public var name: String
    public var host: HostAddress
    /// First of the node's TCP ports (``Placement/portsPerNode``); nil: chosen by the node's place in the file.
    public var port: UInt16?
    /// Nobody here starts it: a foreign process that has the node's keys.
    public var isExternal: Bool
    public var actors: [ActorPattern]

    public init(
      name: String, host: HostAddress = .loopback, port: UInt16? = nil, isExternal: Bool = false,
      actors: [ActorPattern]
    ) {
      self.name = name
      self.host = host
      self.port = port
      self.isExternal = isExternal
      self.actors = actors
    }
  }

  /// An IPv4 address, in the file `10.0.0.7`. Names are not looked up: every process that reads the file sees the
  /// same network.
  public struct HostAddress: Hashable, Sendable, CustomStringConvertible {
    /// Network order, most significant octet first, as in ``DataAddress``.
    public var ipv4: UInt32

    public static let loopback = HostAddress(ipv4: 0x7F00_0001)

    public init(ipv4: UInt32) { self.ipv4 = ipv4 }

    /// - Returns: nil unless the text is four decimal octets without leading zeros.
    public init?(_ text: String) {
      let octets = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      guard octets.count == 4 else { return nil }
      var ipv4: UInt32 = 0
      for octet in octets {
        guard let value = PlainScalar.wholeNumber(octet), value <= 255 else { return nil }
        ipv4 = ipv4 << 8 | UInt32(value)
      }
      self.ipv4 = ipv4
    }

    public var description: String { "\(ipv4 >> 24).\(ipv4 >> 16 & 255).\(ipv4 >> 8 & 255).\(ipv4 & 255)" }
  }

  /// Which actors: `edge/alpha-edge` one, `edge/*` all of a role, `customer/car-*` those whose names begin so,
  /// `*/alpha` everything of that name.
  public struct ActorPattern: Hashable, Sendable, CustomStringConvertible {
    public enum Names: Hashable, Sendable {
      case exactly(String)
      case beginning(String)
    }

    /// Any when nil.
    public var role: ActorAddress.Role?
    public var names: Names

    /// Roles whose actors a file may place. A launcher runs where its enclave does, because it measures it; a contract
    /// runs where its operator's controller does; clients come and go.
    public static let placeableRoles: [ActorAddress.Role] = ActorAddress.Role.allCases.filter {
      ![.platform, .contract, .client].contains($0)
    }

    public init(role: ActorAddress.Role?, names: Names) {
      self.role = role
      self.names = names
    }

    /// - Parameter roles: that may be named.
    /// - Returns: nil when the text is not such a pattern.
    public init?(_ text: String, roles: [ActorAddress.Role] = ActorPattern.placeableRoles) {
      let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { return nil }
      if parts[0] == "*" {
        role = nil
      } else {
        guard let role = ActorAddress.Role(rawValue: parts[0]), roles.contains(role) else { return nil }
        self.role = role
      }
      let isOpen = parts[1].hasSuffix("*")
      let name = isOpen ? String(parts[1].dropLast()) : parts[1]
      // `*/*` would say nothing about where things run.
      guard name.isEmpty ? isOpen && role != nil : ActorAddress.isLegal(name: name) else { return nil }
      names = isOpen ? .beginning(name) : .exactly(name)
    }

    public init(_ actor: ActorAddress) { self.init(role: actor.role, names: .exactly(actor.name)) }

    public func fits(_ address: ActorAddress) -> Bool {
      guard role == nil || role == address.role else { return false }
      switch names {
      case .exactly(let name): return address.name == name
      case .beginning(let prefix): return address.name.hasPrefix(prefix)
      }
    }

    public var description: String {
      let names =
        switch names {
        case .exactly(let name): name
        case .beginning(let prefix): prefix + "*"
        }
      return "\(role?.rawValue ?? "*")/\(names)"
    }
  }
}
