import FixtureSupport
import Foundation
import Storage
import Testing

@testable import Node

/// What a start refuses, and what it leaves behind then: nothing.
@Suite(.serialized, .limit(minutes: 1))
struct StartTests {
  @Test func `a directory serves one node at a time`() async throws {
    try await withScratch { directory in
      let first = try await Consortium.start(try Surgery.configuration(directory))
      let error = await refusal(try Surgery.configuration(directory))
      guard case .storage(.locked(_, let process)) = error else {
        Issue.record("not locked: \(String(describing: error))")
        return
      }
      #expect(process == ProcessInfo.processInfo.processIdentifier)
      try await first.stop()
    }
  }

  @Test func `a key that others can read is refused`() async throws {
    try await withScratch { directory in
      try await Consortium.start(try Surgery.configuration(directory)).stop()
      let key = "\(directory)/keys/validator-alpha.key"
      try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
      guard case .keyExposed(key, "644") = await refusal(try Surgery.configuration(directory)) else {
        Issue.record("an exposed key was used")
        return
      }
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
      try FileManager.default.removeItem(atPath: key)
      guard case .keyMissing(key) = await refusal(try Surgery.configuration(directory)) else {
        Issue.record("a missing key was not noticed")
        return
      }
    }
  }

  @Test func `a directory of a newer version, or of another topology, is left alone`() async throws {
    try await withScratch { directory in
      try await Consortium.start(try Surgery.configuration(directory)).stop()
      guard case .topologyDiffers = await refusal(try Surgery.configuration(directory, epochs: 4)) else {
        Issue.record("another topology was taken for the same")
        return
      }
      let format = "\(directory)/format"
      try Data("AJIT data directory, format 99\n".utf8).write(to: URL(fileURLWithPath: format))
      guard case .storage(.newerFormat) = await refusal(try Surgery.configuration(directory)) else {
        Issue.record("a newer format was opened")
        return
      }
    }
  }

  @Test func `fresh forgets the network that was there`() async throws {
    try await withScratch { directory in
      try await Consortium.start(try Surgery.configuration(directory)).stop()
      let before = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/genesis.cbor"))
      try await Consortium.start(try Surgery.configuration(directory, fresh: true)).stop()
      #expect(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/genesis.cbor")) != before)
    }
  }

  @Test func `a founding that fails leaves nothing behind`() async throws {
    try await withScratch { directory in
      let missing = await refusal(try Surgery.configuration(directory, enclave: "/nowhere/ajit-enclave"))
      guard case .enclaveExecutableMissing("/nowhere/ajit-enclave") = missing else {
        Issue.record("started without an enclave: \(String(describing: missing))")
        return
      }
      #expect(!FileManager.default.fileExists(atPath: directory))
      // A program that is no enclave: everything else is up by then.
      let wrong = await refusal(try Surgery.configuration(directory, enclave: "/bin/true"))
      guard case .enclaveDidNotStart("ward", _) = wrong else {
        Issue.record("started with a wrong enclave: \(String(describing: wrong))")
        return
      }
      #expect(!FileManager.default.fileExists(atPath: directory))
    }
  }

  @Test func `a directory with a long path has its sockets elsewhere`() async throws {
    try await withScratch { directory in
      let long = directory + String(repeating: "/a-directory-name", count: 8)
      let consortium = try await Consortium.start(try Surgery.configuration(long))
      let sockets = SocketPaths(dataDirectory: long).directory
      #expect(!sockets.hasPrefix(long))
      #expect(entries(sockets).contains("bus"))
      try await consortium.stop()
      #expect(!FileManager.default.fileExists(atPath: sockets))
    }
  }
}
