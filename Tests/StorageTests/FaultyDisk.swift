import CFaultyDisk
import Foundation

/// A directory whose files are on a disk that fails when told to (``CFaultyDisk``).
final class FaultyDisk {
  private let disk: OpaquePointer
  let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    disk = faultyDiskOpen(directory.path)
  }

  deinit { faultyDiskClose(disk) }

  func file(_ name: String) -> String { directory.file(name) }

  /// The power goes before the n-th write, truncation or sync from now.
  func cut(after operations: UInt64) { faultyDiskCutAfter(disk, operations) }
  func cut() { faultyDiskCut(disk) }
  var isCut: Bool { faultyDiskIsCut(disk) != 0 }

  func failWrite(after operations: UInt64, isFull: Bool) { faultyDiskFailWrite(disk, operations, isFull ? 1 : 0) }
  func failSync(after syncs: UInt64) { faultyDiskFailSync(disk, syncs) }
  /// What was to fail and has not yet does not.
  func heal() {
    failWrite(after: 0, isFull: false)
    failSync(after: 0)
  }

  func ignoreSyncs(_ ignores: Bool) { faultyDiskIgnoreSyncs(disk, ignores ? 1 : 0) }
  var syncs: UInt64 { faultyDiskSyncs(disk) }

  /// The power is back. What was synced is there, and by the seed some of what was not.
  func restore(seed: UInt64) throws {
    guard faultyDiskRestore(disk, seed) == 0 else { throw CocoaError(.fileWriteUnknown) }
  }
}
