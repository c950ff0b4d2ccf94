import FixtureSupport
import Foundation
import Testing

@testable import Node

/// A network is never lost by accident, nor given up for one that does not run.
@Suite(.serialized, .limit(minutes: 1))
struct FoundingTests {
  @Test func `a directory that lost its genesis is not wiped`() async throws {
    try await withScratch { directory in
      try await Consortium.start(try Surgery.configuration(directory)).stop()
      try FileManager.default.removeItem(atPath: "\(directory)/genesis.cbor")
      let before = entries("\(directory)/validators")
      guard case .damaged = await refusal(try Surgery.configuration(directory)) else {
        Issue.record("a directory with state of members was founded anew")
        return
      }
      #expect(entries("\(directory)/validators") == before && !before.isEmpty)
      // Asked for, it is.
      try await Consortium.start(try Surgery.configuration(directory, fresh: true)).stop()
      #expect(!entries(directory).contains("before"))
    }
  }

  @Test func `a fresh start that fails leaves the old network as it was`() async throws {
    try await withScratch { directory in
      try await Consortium.start(try Surgery.configuration(directory)).stop()
      let (names, genesis) = (
        entries(directory), try Data(contentsOf: URL(fileURLWithPath: "\(directory)/genesis.cbor"))
      )
      let states = entries("\(directory)/validators")
      let error = await refusal(try Surgery.configuration(directory, fresh: true, enclave: "/bin/true"))
      guard case .enclaveDidNotStart = error else {
        Issue.record("started with a wrong enclave: \(String(describing: error))")
        return
      }
      #expect(entries(directory) == names)
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/genesis.cbor")) == genesis)
      #expect(entries("\(directory)/validators") == states)
      let resumed = try await Consortium.start(try Surgery.configuration(directory))
      #expect(!resumed.isNew)
      try await resumed.stop()
    }
  }

  /// Whatever rename was the last before the process was killed, one network is there whole afterwards.
  @Test(arguments: 0...7) func `a swap that was cut off is undone or done`(_ renames: Int) throws {
    try withFolder { folder in
      let names = ["genesis", "keys", "stores"]
      let swap = NetworkSwap(path: folder, names: names)
      for name in names { try Files.create("\(folder)/\(name)", Array("old".utf8)) }
      try Files.makeDirectory(swap.founding)
      for name in names { try Files.create("\(swap.founding)/\(name)", Array("new".utf8)) }
      // The steps of `putInPlace`, up to the cut.
      var steps: [() throws -> Void] = names.map { name in
        { try Files.move("\(folder)/\(name)", to: "\(folder)/before/\(name)") }
      }
      steps.append { try Files.create("\(folder)/before/whole", []) }
      steps += names.reversed().map { name in
        { try Files.move("\(swap.founding)/\(name)", to: "\(folder)/\(name)") }
      }
      try Files.makeDirectory("\(folder)/before")
      for step in steps.prefix(renames) { try step() }

      try swap.recover()
      let expected = renames == 7 ? "new" : "old"
      for name in names {
        #expect(try Files.read("\(folder)/\(name)").map { String(decoding: $0, as: UTF8.self) } == expected)
      }
      #expect(entries(folder) == names)
    }
  }

  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ajit-swap-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.path)
  }
}
