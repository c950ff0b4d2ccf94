import Foundation
import Glibc
import Testing

@testable import Storage

@Suite struct DataDirectoryTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func isMadeWithItsParentsAndOpenedAgain() throws {
    let path = directory.file("a/b")
    do {
      let made = try DataDirectory.open("\(path)/")
      #expect(made.file("x.sqlite") == "\(path)/x.sqlite")
    }
    let again = try DataDirectory.open(path, creating: false)
    #expect(again.path == path)
    #expect(try String(contentsOfFile: "\(path)/format", encoding: .utf8) == "AJIT data directory, format 1\n")
  }

  @Test func aFreshStartRemovesWhatWasKept() throws {
    let opened = try DataDirectory.open(directory.file("data"))
    let store = try SQLiteRecordStore(path: opened.file("records.sqlite"))
    try store.commit([.put(stream: 1, key: 1, bytes: [1])])
    try store.close()
    try FileManager.default.createDirectory(atPath: opened.file("keys/a"), withIntermediateDirectories: true)
    try opened.removeContents()
    #expect(try FileManager.default.contentsOfDirectory(atPath: opened.path).sorted() == ["format", "lock"])
    #expect(throws: StorageError.self) { try DataDirectory.open(opened.path) }
    #expect(try SQLiteRecordStore(path: opened.file("records.sqlite")).recover().isEmpty)
  }

  @Test func theLockEndsWithItsObject() throws {
    let path = directory.file("data")
    let held = try DataDirectory.open(path)
    #expect(throws: StorageError.locked(path: path, processID: getpid())) { try DataDirectory.open(path) }
    withExtendedLifetime(held) {}
  }

  @Test func anotherProcessIsToldWhoHoldsIt() async throws {
    let path = directory.file("data")
    let held = try DataDirectory.open(path)
    let holder = getpid()
    await #expect(processExitsWith: .success) { [path = path as String, holder = holder as Int32] in
      #expect(throws: StorageError.locked(path: path, processID: holder)) { try DataDirectory.open(path) }
    }
    withExtendedLifetime(held) {}
  }

  @Test func aKilledProcessLeavesNoLock() async throws {
    let path = directory.file("data")
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
      let held = try DataDirectory.open(path)
      withExtendedLifetime(held) { _ = kill(getpid(), SIGKILL) }
    }
    #expect(throws: Never.self) { try DataDirectory.open(path) }
  }

  @Test func nothingHalfMadeStays() throws {
    let path = directory.file("a/b/c")
    #expect(throws: StorageError.diskFull(path: path)) { try DataDirectory.open(path, minimumFreeBytes: .max) }
    #expect(directory.entries.isEmpty)
    #expect(throws: StorageError.missing(path: path)) { try DataDirectory.open(path, creating: false) }
    #expect(directory.entries.isEmpty)
  }

  @Test func whatAnInterruptedMakingLeftIsTakenOver() throws {
    let path = directory.file("data")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for name in ["lock", "format.new"] { try Data().write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
    #expect(throws: Never.self) { try DataDirectory.open(path) }
  }

  @Test func someoneElsesDirectoryIsLeftAlone() throws {
    try Data().write(to: URL(fileURLWithPath: directory.file("thesis.tex")))
    #expect(
      throws: StorageError.notADataDirectory(
        path: directory.path, detail: "it holds 'thesis.tex' and no file 'format'")
    ) { try DataDirectory.open(directory.path) }
    #expect(directory.entries == ["thesis.tex"])
    let file = directory.file("thesis.tex")
    #expect(throws: StorageError.notADataDirectory(path: file, detail: "it is a file")) { try DataDirectory.open(file) }
    #expect(throws: StorageError.self) { try DataDirectory.open("\(file)/below") }
    #expect(throws: StorageError.self) { try DataDirectory.open("/proc/ajit") }
  }

  @Test func otherFormatsAreRefused() throws {
    let path = directory.file("data")
    _ = try DataDirectory.open(path)
    let format = URL(fileURLWithPath: "\(path)/format")
    try Data("AJIT data directory, format 2\n".utf8).write(to: format)
    #expect(throws: StorageError.newerFormat(path: path, detail: "format 2, this reads 1")) {
      try DataDirectory.open(path)
    }
    try Data("1.44 MB\n".utf8).write(to: format)
    #expect(throws: StorageError.notADataDirectory(path: path, detail: "its file 'format' is not AJIT's")) {
      try DataDirectory.open(path)
    }
  }

  @Test func everyErrorIsOneLine() {
    let errors: [StorageError] = [
      .locked(path: "d", processID: 7), .locked(path: "d", processID: nil), .newerFormat(path: "d", detail: "x"),
      .notADataDirectory(path: "d", detail: "x"), .missing(path: "d"), .unwritable(path: "d", detail: "x"),
      .diskFull(path: "d"), .corrupt(path: "d", detail: "x"), .substrateChanged(path: "d", liveSlices: 2),
      .unusableRecord(path: "d", detail: "x"), .failed(path: "d", detail: "x"),
    ]
    for error in errors {
      #expect(error.description.contains("d ") && error.description.contains(": "))
      #expect(!error.description.contains("\n"))
    }
  }
}
