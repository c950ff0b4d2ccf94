import Bus

/// What the parts that all actors of one process share carried, refused or lost: counts that belong to no actor, told
/// as what was added since they were last asked for.
public actor ProcessCounts {
  private let bus: Bus
  private let dataPlane: DataPlane
  private var told: [UInt64] = []
  private var toldTraffic = CarriedTraffic()

  public init(bus: Bus, dataPlane: DataPlane) {
    self.bus = bus
    self.dataPlane = dataPlane
  }

  /// Also after the end of both, once more: then nothing is left untold.
  public func takeTraffic() async -> CarriedTraffic {
    var traffic = await bus.counters().traffic
    traffic.add(.datagram, dataPlane.traffic)
    defer { toldTraffic = traffic }
    return traffic.since(toldTraffic)
  }

  /// In a fixed order; only what is not zero.
  public func take() async -> [(name: String, amount: UInt64)] {
    let bus = await bus.counters()
    let lost = dataPlane.lost
    let counts: [(name: String, amount: UInt64)] = [
      ("refused.bus.unknownActor", bus.refusedUnknownActor), ("refused.bus.mailboxFull", bus.refusedMailboxFull),
      ("refused.bus.claims", bus.refusedClaims), ("refused.bus.keys", bus.refusedKeys),
      ("refused.bus.malformed", bus.malformed), ("refused.bus.oversize", bus.oversize),
      ("lost.bus.answers", bus.answersDropped), ("lost.bus.publications", bus.gaps),
      ("lost.datagrams.notTaken", lost.notTaken), ("lost.datagrams.notSent", lost.notSent),
    ]
    defer { told = counts.map(\.amount) }
    return counts.indices.compactMap { index in
      let before = told.isEmpty ? 0 : told[index]
      let added = counts[index].amount - min(before, counts[index].amount)
      return added == 0 ? nil : (counts[index].name, added)
    }
  }
}
