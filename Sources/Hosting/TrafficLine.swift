import Bus

/// How a process of enclaves tells its launcher what it has carried since the last such line, one kind each:
/// `carried KIND MESSAGES-SENT BYTES-SENT MESSAGES-RECEIVED BYTES-RECEIVED`, beside its ``CountLine``s.
public struct TrafficLine: Hashable, Sendable {
  public let kind: TrafficKind
  public let flow: CarriedTraffic.Flow

  private static let name = "carried"

  public init(kind: TrafficKind, flow: CarriedTraffic.Flow) {
    self.kind = kind
    self.flow = flow
  }

  /// - Returns: nil for any other line.
  public init?(_ line: String) {
    let words = line.split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 6, words[0] == Self.name, let kind = TrafficKind(String(words[1])) else { return nil }
    let numbers = words[2...].compactMap { UInt64($0) }
    guard numbers.count == 4 else { return nil }
    self.init(
      kind: kind,
      flow: CarriedTraffic.Flow(
        sent: CarriedTraffic.Volume(messages: numbers[0], bytes: numbers[1]),
        received: CarriedTraffic.Volume(messages: numbers[2], bytes: numbers[3])))
  }

  public var text: String {
    let numbers = [flow.sent.messages, flow.sent.bytes, flow.received.messages, flow.received.bytes]
    return ([Self.name, "\(kind)"] + numbers.map { "\($0)" }).joined(separator: " ")
  }
}
