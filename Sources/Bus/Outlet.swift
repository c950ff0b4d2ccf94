/// What one actor has published under one topic: the numbering and the recent messages.
struct Outlet {
  let keyFrame: [UInt8]
  /// Random, so that a subscriber recognises a publisher that lost its numbering.
  let incarnation = UInt64.random(in: 1...UInt64(Int64.max))
  private(set) var latest: UInt64 = 0
  private var kept = FirstInFirstOut<[UInt8]>()
  private var keptBytes = 0

  init(_ key: PublicationKey) { keyFrame = key.frame }

  var oldest: UInt64 { latest + 1 - UInt64(kept.count) }

  /// - Returns: the message's number.
  mutating func append(_ body: [UInt8], limits: BusLimits) -> UInt64 {
    latest += 1
    kept.append(body)
    keptBytes += body.count
    while kept.count > 1, kept.count > limits.keptMessages || keptBytes > limits.keptBytes {
      keptBytes -= kept.popFirst()?.count ?? 0
    }
    return latest
  }

  func fetch(_ query: FetchQuery, publicationPort: UInt16, limits: BusLimits) -> FetchedMessages {
    let first = max(query.from, oldest)
    var bodies: [[UInt8]] = []
    var bytes = 0
    while bodies.count < min(limits.fetchedMessages, Int(clamping: query.count)),
      let body = kept[Int(clamping: first - oldest) + bodies.count],
      bodies.isEmpty || bytes + body.count <= limits.fetchedBytes
    {
      bodies.append(body)
      bytes += body.count
    }
    return FetchedMessages(
      incarnation: incarnation, publicationPort: publicationPort, oldest: oldest, latest: latest, first: first,
      bodies: bodies)
  }
}
