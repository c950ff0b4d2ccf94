import Bus
import Foundation
import Ledger
import Messages
import Node
import Signing

/// Hands a transaction to a validator of a running consortium over its data directory's socket, and waits until the
/// ledger on disk shows what became of it.
struct Submission {
  let consortium: StoredConsortium

  /// How long a validator has to answer.
  private static let deadline = Span.seconds(5)
  /// Heights in which it may stand: some minutes at the least.
  private static let lifetime: Height = 1_000
  /// Looks at the disk, and how long between them.
  private static let looks = 120
  private static let pause = Duration.milliseconds(500)

  /// - Parameter state: of the ledger as it is here.
  func signed(_ action: Action, with key: SigningKey, on state: LedgerState) -> SignedTransaction {
    SignedTransaction(
      signing: Transaction(nonce: .random(in: 1 ... .max), expiry: state.height + Self.lifetime, action: action),
      with: key, network: consortium.genesis.networkID)
  }

  /// - Returns: what the ledger made of it.
  func submit(_ transaction: SignedTransaction) async throws -> TransactionResult {
    let bus: Bus
    do { bus = try Bus() } catch { throw NodeError.bus(error) }
    do {
      try await hand(transaction, over: bus)
    } catch {
      await bus.shutdown()
      throw error
    }
    await bus.shutdown()
    for _ in 0..<Self.looks {
      if let result = try result(of: transaction) { return result }
      try await Task.sleep(for: Self.pause)
    }
    throw CommandFailure(.unavailable, "the transaction was taken and is not final yet: look again with `ajit ledger`")
  }

  private func hand(_ transaction: SignedTransaction, over bus: Bus) async throws {
    var refusal = "nothing runs on \(consortium.path): start it with `ajit up FILE --data \(consortium.path)`"
    for place in consortium.places {
      let endpoint = Consortium.busEndpoint(dataDirectory: place.directory)
      guard case .ipc(let path) = endpoint, FileManager.default.fileExists(atPath: path) else { continue }
      for validator in place.actors where validator.role == .validator {
        do {
          try await bus.route(validator, to: endpoint)
          let client = ActorAddress(.client, "members-\(ProcessInfo.processInfo.processIdentifier)")
          _ = try await bus.request(
            from: client, to: validator, body: Message.submit(transaction).encoded, deadline: Self.deadline)
          return
        } catch {
          refusal = "\(validator): \(error)"
        }
      }
    }
    throw CommandFailure(.unavailable, refusal)
  }

  private func result(of transaction: SignedTransaction) throws -> TransactionResult? {
    guard let log = try consortium.longestLog() else { return nil }
    var result: TransactionResult?
    try log.forEachSegment { segment in
      for block in segment.blocks {
        for (envelope, outcome) in zip(block.body.transactions, block.body.outcomes.results)
        where envelope.digest == transaction.id { result = outcome }
      }
      return result == nil
    }
    return result
  }
}

extension StoredConsortium {
  /// Of the members here, the copy that has come furthest; nil where none has one.
  func longestLog() throws -> BlockLog? {
    var longest: (log: BlockLog, height: Height)?
    for place in blockLogs where FileManager.default.fileExists(atPath: place.path) {
      let log = try BlockLog(member: place.member, path: place.path)
      let height = try log.height()
      if height >= longest?.height ?? 0 { longest = (log, height) }
    }
    return longest?.log
  }

  /// The ledger as the member here that has come furthest holds it.
  func latestState() throws -> LedgerState {
    guard let log = try longestLog() else {
      throw CommandFailure(.missingInput, "\(path): no member's ledger is here")
    }
    return try LedgerReplay(self, log).state
  }
}
