import Effects
import Foundation
import Glibc
import Testing

@testable import Storage

@Suite struct DurabilityTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Where strace is, if it may attach to a running process here: Yama (ptrace(2)) forbids it to whoever has no
  /// CAP_SYS_PTRACE, which root in a container may lack.
  static let strace: String? = {
    let yama = (try? String(contentsOfFile: "/proc/sys/kernel/yama/ptrace_scope", encoding: .utf8)) ?? "0\n"
    guard yama == "0\n" || hasTraceCapability else { return nil }
    return ["/usr/bin/strace", "/bin/strace"].first { (path: String) in access(path, X_OK) == 0 }
  }()

  private static var hasTraceCapability: Bool {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let effective = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }?.split(separator: "\t").last
    // Bit 19 (capabilities(7), linux/capability.h).
    return effective.flatMap { UInt64($0, radix: 16) }.map { $0 >> 19 & 1 == 1 } ?? false
  }

  /// The trap of architecture.md: what SQLite says about itself is not enough, so the kernel is asked.
  @Test(.enabled(if: strace != nil, "no strace that may attach: syncs cannot be counted"))
  func everyCommitIsSynced() async throws {
    let strace = try #require(Self.strace)
    let (path, trace) = (directory.file("records.sqlite"), directory.file("trace"))
    let commits = 50
    await #expect(processExitsWith: .success) {
      [path = path as String, trace = trace as String, strace = strace as String, commits = commits as Int] in
      let store = try SQLiteRecordStore(path: path)
      try store.commit([.put(stream: 1, key: 0, bytes: [0])])
      let tracer = Process()
      tracer.executableURL = URL(fileURLWithPath: strace)
      tracer.arguments = ["-f", "-e", "trace=fdatasync,fsync,getppid", "-o", trace, "-p", "\(getpid())"]
      tracer.standardError = FileHandle.nullDevice
      try tracer.run()
      // Attached as soon as our own calls show up.
      while ((try? String(contentsOfFile: trace, encoding: .utf8)) ?? "").contains("getppid") == false {
        _ = getppid()
        guard tracer.isRunning else { throw CocoaError(.featureUnsupported) }
      }
      for number in 1...UInt64(commits) { try store.commit([.put(stream: 1, key: number, bytes: [1])]) }
      // It writes each line as it comes, and blocks gentler signals.
      kill(tracer.processIdentifier, SIGKILL)
    }
    let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    let syncs = lines.count { $0.contains("fdatasync(") || $0.contains("fsync(") }
    #expect(syncs >= commits, "\(syncs) syncs for \(commits) commits")
  }

  /// Killed at any moment: what was acknowledged is there, and every commit is there whole or not at all.
  @Test(arguments: [3_000, 20_000, 71_000] as [UInt32])
  func aKillLosesNothingAcknowledged(delay: UInt32) async throws {
    let (path, acknowledged) = (directory.file("records.sqlite"), directory.file("acknowledged"))
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, acknowledged = acknowledged as String, delay = delay as UInt32] in
      let store = try SQLiteRecordStore(path: path)
      let acknowledgements = Acknowledgements(path: acknowledged)
      killSelf(afterMicroseconds: delay)
      for number in 0..<UInt64.max {
        try store.commit([
          .put(stream: 1, key: number, bytes: .init(repeating: 1, count: 3_000)),
          .put(stream: 2, key: number, bytes: [2]), .put(stream: 3, key: 0, bytes: [UInt8(truncatingIfNeeded: number)]),
        ])
        acknowledgements.append()
      }
    }
    let store = try SQLiteRecordStore(path: path)
    let records = try store.recover()
    let blocks = records.filter { $0.stream == 1 }
    let done = UInt64(blocks.count)
    #expect(done >= Acknowledgements.count(path: acknowledged))
    #expect(blocks.map(\.key) == Array(0..<done))
    #expect(records.filter { $0.stream == 2 }.map(\.key) == Array(0..<done))
    if done > 0 { #expect(records.last?.bytes == [UInt8(truncatingIfNeeded: done - 1)]) }
  }

  /// A file that may not grow stands for a disk that fails in the middle of a commit.
  @Test func aFailedWriteStopsWithWhatWasThere() async throws {
    let path = directory.file("records.sqlite")
    await #expect(processExitsWith: .success) { [path = path as String] in
      signal(SIGXFSZ, SIG_IGN)
      let store = try SQLiteRecordStore(path: path)
      try store.commit([.put(stream: 1, key: 1, bytes: [1])])
      var limit = rlimit(rlim_cur: 200_000, rlim_max: 200_000)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #expect(throws: StorageError.self) {
        try store.commit([.put(stream: 1, key: 2, bytes: .init(repeating: 2, count: 500_000))])
      }
      #expect(try store.recover() == [StoredRecord(stream: 1, key: 1, bytes: [1])])
    }
    #expect(try SQLiteRecordStore(path: path).recover().map(\.key) == [1])
  }

  /// CAP_SYS_ADMIN, bit 21 of the effective set (capabilities(7)).
  static let mayMount: Bool = {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("CapEff:") }
    let capabilities = line.flatMap { UInt64($0.dropFirst("CapEff:".count).filter(\.isHexDigit), radix: 16) }
    return (capabilities ?? 0) & 1 << 21 != 0
  }()

  /// A real full disk: a small file system in a mount namespace that ends with its process.
  @Test(.enabled(if: mayMount, "mounting a small file system needs CAP_SYS_ADMIN"))
  func aFullDiskIsNamed() async throws {
    let path = directory.path
    await #expect(processExitsWith: .success) { [path = path as String] in
      // Only declared for _GNU_SOURCE.
      let unshare = unsafeBitCast(dlsym(nil, "unshare"), to: (@convention(c) (Int32) -> Int32).self)
      let newMountNamespace: Int32 = 0x0002_0000
      try #require(unshare(newMountNamespace) == 0)
      try #require(mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil) == 0)
      try #require(mount("tmpfs", path, "tmpfs", 0, "size=1m") == 0)
      let store = try SQLiteRecordStore(path: "\(path)/records.sqlite")
      try store.commit([.put(stream: 1, key: 1, bytes: [1])])
      #expect(throws: StorageError.diskFull(path: "\(path)/records.sqlite")) {
        try store.commit([.put(stream: 1, key: 2, bytes: .init(repeating: 2, count: 2 << 20))])
      }
      #expect(try store.recover() == [StoredRecord(stream: 1, key: 1, bytes: [1])])
      #expect(throws: StorageError.diskFull(path: "\(path)/data")) { try DataDirectory.open("\(path)/data") }
      #expect(access("\(path)/data", F_OK) != 0)
    }
  }
}
