import Messages
import Signing
import Wire

/// How far the chain has come, and its clock (consensus.md, "Ledger time").
///
/// There are two times. A block's `time` is its leader's clock; what a slice delivers happens in it, so RESERVED
/// turns into ACTIVATED by it and epochs are counted by it. The chain's `clock` starts with it at the genesis and
/// advances by at most two heartbeats per block, so it stands still while the ledger does; every deadline by which
/// somebody must answer runs on it. (Deviation from sla.md's "state is a function of the record and the chain's
/// clock": by the slower clock a customer could, after an outage of the ledger, still terminate as merely RESERVED a
/// slice whose epochs were served.)
public struct ChainRecord: Hashable, Sendable, WireCodable {
  public let network: Digest
  /// The era of the next block.
  public internal(set) var era: Era
  public internal(set) var height: Height
  /// The latest block's time.
  public internal(set) var time: Instant
  public internal(set) var clock: Instant
  /// Per member of the era: the clock as it stood before the latest block that member led; zero if it never led.
  ///
  /// A deadline passes once it has run out and blocks of f + 1 different leaders came after that. A leader's block
  /// came after D had run out exactly if the clock before that block was at or past D, and that clock never goes
  /// back. So these few numbers decide every deadline: see ``horizon(faults:)``.
  public internal(set) var leaderClocks: [Instant]
  /// Hashes of the latest blocks, newest last: what an enclave may use as a nonce.
  public internal(set) var recentBlocks: [Digest]

  init(genesis: Genesis) {
    network = genesis.networkID
    era = 0
    height = 0
    time = genesis.time
    clock = genesis.time
    leaderClocks = genesis.members.map { _ in .zero }
    recentBlocks = []
  }

  /// Every deadline up to this instant has passed: the (f + 1)-th latest of the leaders' clocks.
  public func horizon(faults: Int) -> Instant {
    let latestFirst = leaderClocks.sorted(by: >)
    return faults < latestFirst.count ? latestFirst[faults] : .zero
  }

  mutating func advance(to context: BlockContext, heartbeat: Span, rememberedBlocks: Int) {
    leaderClocks[context.leader] = clock
    clock = clock + min(context.time - time, heartbeat * 2)
    time = context.time
    height = context.height
    recentBlocks.append(context.parentHash)
    if recentBlocks.count > rememberedBlocks { recentBlocks.removeFirst(recentBlocks.count - rememberedBlocks) }
  }

  /// Who stays a member keeps its clock, whatever its number and key are now.
  mutating func begin(_ next: EraRecord, after old: EraRecord) {
    let clocks = leaderClocks
    era = next.era
    leaderClocks = next.members.map { member in
      old.members.firstIndex { $0.name == member.name && $0.organisation == member.organisation }.map { clocks[$0] }
        ?? .zero
    }
  }

  /// When a deadline `span` after `instant` of block time runs out on the chain's clock.
  func deadline(_ span: Span, after instant: Instant) -> Instant { clock + (instant - time) + span }

  public func encode(to writer: inout CBORWriter) {
    writer.array(7)
    writer.write(network)
    writer.write(era)
    writer.write(height)
    writer.write(time)
    writer.write(clock)
    writer.write(list: leaderClocks)
    writer.write(list: recentBlocks)
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (network, era, height, time, clock, leaderClocks, recentBlocks) = try reader.record(7) {
      (reader) throws(WireError) in
      (
        try reader.value(), try reader.uint(), try reader.uint(), try reader.value(), try reader.value(),
        try reader.list(maximum: Genesis.maximumMembers), try reader.list()
      )
    }
  }
}

/// All the money there is and where it stands. `balances + escrows + bonds = issued`, after every block.
public struct TotalsRecord: Hashable, Sendable, WireCodable {
  /// The credit given in the genesis. Nothing makes or destroys money afterwards.
  public let issued: Amount
  public internal(set) var balances: Amount
  public internal(set) var escrows: Amount
  public internal(set) var bonds: Amount

  init(issued: Amount) {
    self.issued = issued
    balances = issued
    escrows = 0
    bonds = 0
  }

  public var isConserved: Bool { UInt128(balances) + UInt128(escrows) + UInt128(bonds) == UInt128(issued) }

  public func encode(to writer: inout CBORWriter) {
    writer.array(4)
    for amount in [issued, balances, escrows, bonds] { writer.write(amount) }
  }

  public init(from reader: inout CBORReader) throws(WireError) {
    (issued, balances, escrows, bonds) = try reader.record(4) { (reader) throws(WireError) in
      (try reader.uint(), try reader.uint(), try reader.uint(), try reader.uint())
    }
  }
}
