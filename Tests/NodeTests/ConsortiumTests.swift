import Effects
import FixtureSupport
import Foundation
import Messages
import Testing

@testable import Node

/// Whole consortia on real sockets, files and processes.
@Suite(.serialized, .limit(minutes: 2))
struct ConsortiumTests {
  @Test func `a bought operation is delivered, recorded and paid, and nothing is left afterwards`() async throws {
    try await withScratch { directory in
      let consortium = try await Consortium.start(try Surgery.configuration(directory))
      let enclaves = await consortium.enclaveProcessIDs
      #expect(enclaves.count == 1 && enclaves.allSatisfy(isRunning))
      #expect(entries("\(directory)/run").contains("bus"))

      try await consortium.untilSettled()
      let summary = await consortium.summary()
      #expect(summary.isSettled && summary.isConserved && summary.discrepancy == nil)
      let result = try #require(summary.activations.first?.result)
      #expect(result.state == .settled)
      #expect(result.statusInfo == .durationExpired)
      #expect(result.settlement == .agreed)
      #expect(result.epochs.total == 3)
      #expect(result.segments.flatMap(\.rules).count == 2)
      // 500 for the reservation and 1000 for each epoch that was kept.
      #expect(result.money.paid >= 500 && result.money.paid + result.money.refunded == result.money.escrow)

      try await consortium.stop()
      #expect(!enclaves.contains(where: isRunning))
      #expect(!FileManager.default.fileExists(atPath: "\(directory)/run"))
      var observed = 0
      for await (_, observation) in consortium.observations {
        if case .epochRecorded = observation { observed += 1 }
      }
      #expect(observed > 0)
    }
  }

  @Test func `an operation that is interrupted by a restart still ends in a settlement`() async throws {
    try await withScratch { directory in
      let first = try await Consortium.start(try Surgery.configuration(directory, epochs: 6))
      // Serving, and at least one epoch is recorded.
      for await (_, observation) in first.observations {
        if case .epochRecorded = observation { break }
      }
      try await first.stop()

      let second = try await Consortium.start(try Surgery.configuration(directory, epochs: 6))
      #expect(!second.isNew)
      try await second.untilSettled()
      let summary = await second.summary()
      #expect(summary.isConserved)
      let result = try #require(summary.activations.first?.result)
      #expect(result.state == .settled)
      try await second.stop()
    }
  }

  @Test func `an enclave that dies is started again with its key, and the operation is still paid`() async throws {
    try await withScratch { directory in
      let consortium = try await Consortium.start(try Surgery.configuration(directory, epochs: 6))
      let first = try #require(await consortium.enclaveProcessIDs.first)
      var recorded = 0
      for await (_, observation) in consortium.observations {
        guard case .epochRecorded = observation else { continue }
        recorded += 1
        if recorded == 1 { kill(first, SIGKILL) }
        // An epoch after the crash needs the new process, with the old key: the order names no other.
        if recorded == 4 { break }
      }
      let second = try #require(await consortium.enclaveProcessIDs.first)
      #expect(second != first && !isRunning(first))
      try await consortium.untilSettled()
      let result = try #require(await consortium.summary().activations.first?.result)
      #expect(result.state == .settled && result.settlement == .agreed)
      try await consortium.stop()
      #expect(!isRunning(second))
      #expect(try String(contentsOfFile: "\(directory)/enclaves/ward/boot", encoding: .utf8) == "2 2\n")
    }
  }

  @Test func `enclaves share processes; one process that dies takes no promise of its enclaves along`() async throws {
    try await withScratch { directory in
      let consortium = try await Consortium.start(
        try Surgery.configuration(directory, epochs: 6, customers: 4, enclaveProcesses: 2))
      let first = await consortium.enclaveProcessIDs
      #expect(first.count == 2)
      var recorded = 0
      for await (_, observation) in consortium.observations {
        guard case .epochRecorded = observation else { continue }
        recorded += 1
        if recorded == 1 { kill(first[0], SIGKILL) }
        if recorded == 12 { break }
      }
      try await consortium.untilSettled()
      let second = await consortium.enclaveProcessIDs
      #expect(second[0] != first[0] && second[1] == first[1])
      let results = await consortium.summary().activations.map(\.result)
      #expect(results.count == 4)
      for result in results { #expect(result?.state == .settled && result?.settlement == .agreed) }
      try await consortium.stop()
      let processes = entries("\(directory)/enclaves")
      #expect(processes == ["hospital-enclaves-1", "hospital-enclaves-2"])
      #expect(try String(contentsOfFile: "\(directory)/enclaves/\(processes[0])/boot", encoding: .utf8) == "2 2\n")
      #expect(try String(contentsOfFile: "\(directory)/enclaves/\(processes[1])/boot", encoding: .utf8) == "1 1\n")
    }
  }
}
