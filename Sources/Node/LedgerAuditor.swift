import Bus
import Ledger
import Messages
import ServiceLifecycle
import Signing
import Wire

/// Follows the ledger of a network and executes every final block again from the genesis, trusting no member: so what
/// the command line reports was computed, not copied. It keeps the record of every activation that ended. Where no
/// member has the first blocks any more, it begins with a snapshot that a quorum certified.
actor LedgerAuditor: Service {
  private static let address = ActorAddress(.client, "auditor")
  private static let requestDeadline = Span.seconds(5)
  /// Ended activations whose record is kept, give or take half: the oldest are forgotten.
  static let rememberedActivations = 131_072

  private let genesis: Genesis
  private let bus: Bus
  private let validators: [ActorAddress]
  private var verifier: LedgerVerifier
  private var segments: Verifier
  private var ended: [ActivationID: ActivationRecord] = [:]
  /// In order of ending.
  private var endedOrder: [ActivationID] = []
  private(set) var discrepancy: String?
  private var source = 0

  /// Heights that became final, newest only: what wakes the auditor.
  private let news: AsyncStream<Height>
  nonisolated let tell: AsyncStream<Height>.Continuation
  private let changed: @Sendable () -> Void

  init(
    genesis: Genesis, validators: [ActorAddress], bus: Bus, changed: @escaping @Sendable () -> Void
  ) throws(GenesisError) {
    self.genesis = genesis
    self.bus = bus
    self.validators = validators
    self.changed = changed
    verifier = try LedgerVerifier(genesis: genesis)
    segments = Verifier(context: genesis.verificationContext)
    (news, tell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  static func following(
    _ genesis: Genesis, _ validators: [ActorAddress], over bus: Bus, changed: @escaping @Sendable () -> Void
  ) throws(NodeError) -> LedgerAuditor {
    do { return try LedgerAuditor(genesis: genesis, validators: validators, bus: bus, changed: changed) } catch {
      throw .impossible(detail: "genesis: \(error)")
    }
  }

  var height: Height { verifier.state.height }
  func record(of id: ActivationID) -> ActivationRecord? { ended[id] }

  /// Whether all money that was issued, and no more, is there: counted record by record.
  func isConserved(issued: UInt128) -> Bool {
    guard discrepancy == nil, UInt128(verifier.state.totals.issued) == issued else { return false }
    do throws(LedgerFault) { try verifier.state.audit() } catch { return false }
    return true
  }

  func run() async throws {
    await cancelWhenGracefulShutdown {
      // What was final before this life, however much it is.
      await self.catchUp(through: .max)
      for await told in self.news { await self.catchUp(through: told) }
    }
  }

  /// Reads from one member until this height, or until it has no more; from the next one when it gives nothing usable.
  /// Every member tells every height: asking again for what is known would cost each block a read of the disk per
  /// member.
  private func catchUp(through told: Height) async {
    while height < told, discrepancy == nil, !Task.isCancelled {
      do {
        guard case .consensus(.segments(let read)) = try await ask(.consensus(.getSegments(from: height + 1))) else {
          return source = (source + 1) % validators.count
        }
        if let first = read.first?.blocks.first?.header.height, first > height + 1 {
          try await beginWithSnapshot()
        } else if !take(read) {
          return
        }
      } catch {
        // Silent, stopping or lying: the next news ask the next member.
        return source = (source + 1) % validators.count
      }
      changed()
    }
  }

  /// What one member answers, with every signature in it verified.
  private func ask(_ message: Message) async throws -> Message {
    let answer = try await bus.request(
      from: Self.address, to: validators[source], body: message.encoded, deadline: Self.requestDeadline)
    let verified = try segments.verify(Message(decoding: answer)).value
    for era in verified.erasBegun { segments.learn(era) }
    return verified
  }

  /// The member asked has deleted the next blocks: its snapshot stands for them, every piece proved.
  private func beginWithSnapshot() async throws {
    guard case .snapshot(let manifest) = try await ask(.getSnapshot(SnapshotRequest(height: nil))),
      manifest.height > height
    else { throw SnapshotError.notWhatWasAsked }
    var assembly = SnapshotAssembly(manifest)
    while let from = assembly.next {
      let request = SnapshotChunkRequest(height: manifest.height, from: from)
      guard case .snapshotChunk(let piece) = try await ask(.getSnapshotChunk(request)) else {
        throw SnapshotError.notWhatWasAsked
      }
      try assembly.take(piece)
    }
    let state = try assembly.state(genesis: genesis)
    verifier = LedgerVerifier(genesis: genesis, after: manifest.header, state: state)
    for era in state.eras.dropFirst() { segments.learn(era) }
  }

  private func remember(_ record: ActivationRecord) {
    ended[record.id] = record
    endedOrder.append(record.id)
    guard endedOrder.count > Self.rememberedActivations else { return }
    for id in endedOrder.prefix(Self.rememberedActivations / 2) { ended[id] = nil }
    endedOrder.removeFirst(Self.rememberedActivations / 2)
  }

  /// - Returns: false when there was nothing new.
  private func take(_ segments: [LedgerSegment]) -> Bool {
    let before = height
    for block in segments.flatMap(\.blocks) where block.header.height == height + 1 {
      do throws(LedgerDiscrepancy) {
        for archived in try verifier.check(block).archived { remember(archived.record) }
      } catch {
        discrepancy = "block \(error.height): \(error.difference)"
        changed()
        return false
      }
    }
    return height > before
  }
}
