import ArgumentParser
import Messages
import Roles
import Signing

/// How much of the past validators keep, and what they take on trust.
struct HistoryArguments: ParsableArguments {
  @Option(
    name: .customLong("restored"),
    help: "A validator whose file was put back from an old copy, if that cannot be seen. Repeatable.")
  var restored: [String] = []

  @Option(help: "A final block known from elsewhere, HEIGHT:HASH: no chain without it is followed.")
  var checkpoint: CheckpointArgument?

  @Option(help: "Blocks from one snapshot to the next.")
  var snapshotEvery: UInt64 = HistoryPolicy().snapshotInterval

  @Option(help: "Blocks below the last snapshot that are kept: the evidence horizon.")
  var keepBlocks: UInt64 = HistoryPolicy().evidenceHorizon

  /// Customers, controllers and regulators read block by block: one that starts, or lags, must still find its next one.
  static let leastKept: UInt64 = 256

  func validate() throws {
    if snapshotEvery == 0 { throw ValidationError("--snapshot-every: at least one block.") }
    if keepBlocks < Self.leastKept {
      throw ValidationError("--keep-blocks: at least \(Self.leastKept), or who follows the ledger loses its place.")
    }
  }

  var policy: HistoryPolicy {
    HistoryPolicy(
      snapshotInterval: snapshotEvery, evidenceHorizon: keepBlocks, checkpoint: checkpoint?.checkpoint)
  }
}

/// `1024:9f86d0…`: a height, and the block's hash as `ajit ledger blocks --json` prints it.
struct CheckpointArgument: ExpressibleByArgument {
  let checkpoint: HistoryPolicy.Checkpoint

  init?(argument: String) {
    let parts = argument.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let height = Height(parts[0]), height > 0,
      let bytes = Hexadecimal.decode(String(parts[1])), let hash = Digest(bytes)
    else { return nil }
    checkpoint = HistoryPolicy.Checkpoint(height: height, hash: hash)
  }
}
