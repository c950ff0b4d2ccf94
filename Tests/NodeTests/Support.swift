import Foundation
import Logging
import Messages
import Testing
import Topology

@testable import Node

/// Three operators and a regulator; alpha sells one-second epochs to a hospital.
enum Surgery {
  static func text(epochs: Int) -> [UInt8] {
    Array(
      """
      version: 1
      name: short-surgery
      seed: 7
      network: { heartbeat: 1s }
      operators:
        - name: alpha
          credit: 10000000
          substrate:
            nodes:
              - { name: theatre, domain: radio, attachment: cell }
              - { name: relay, computeUnits: 8, functions: [{ kind: user-plane, computeUnits: 1 }] }
              - { name: console, domain: compute, attachment: endpoint }
            links:
              - { from: theatre, to: relay, domain: radio, capacity: 50Mbit/s, delay: 1ms }
              - { from: relay, to: console, capacity: 1Gbit/s, delay: 1ms }
          edges:
            - { name: alpha-edge, cells: [theatre], endpoints: [console] }
          contracts:
            - name: surgery
              service:
                guaranteed: { up: 1Mbit/s, down: 1Mbit/s }
                functionChain: [user-plane]
              rules:
                - { name: loss-up, metric: lossRatio, direction: up, atMost: 20%, penalty: 300 }
                - { name: loss-down, metric: lossRatio, direction: down, atMost: 20%, penalty: 300 }
              context:
                serviceArea: [theatre]
                allowedPeers: [console]
                epochs: { minimum: 1, maximum: 60 }
              money: { pricePerEpoch: 1000, reservationFee: 500, terminationPenalty: 4000, inconclusiveShare: 50% }
              metering:
                epoch: 1s
                maximumTransit: 200ms
                grace: 250ms
                delaySpread: 200ms
                clockErrorBound: 1ms
                gated: true
                allowedMeasurements: [auto]
              deadlines: { confirmWithin: 5s, startLead: 300ms, settlementWindow: 2s, settleWithin: 30s }
        - { name: bravo, credit: 1000 }
        - { name: charlie, credit: 1000 }
      regulators: [{ name: ofcom }]
      customers:
        - name: hospital
          credit: 1000000
          enclaves: [{ name: ward }]
          activations:
            - name: operation
              contract: alpha/surgery
              epochs: \(epochs)
              cell: theatre
              peer: console
              enclave: ward
              startWithin: 10s
              traffic:
                up: { packetsPerSecond: 100, payloadBytes: 200 }
                down: { packetsPerSecond: 100, payloadBytes: 200 }

      """.utf8)
  }

  static func configuration(
    _ directory: String, epochs: Int = 3, customers: Int? = nil, enclaveProcesses: Int = 1, fresh: Bool = false,
    enclave: String? = nil
  ) throws -> ConsortiumConfiguration {
    var text = text(epochs: epochs)
    if let customers {
      let population = "name: hospital\n    count: \(customers)\n    enclaveProcesses: \(enclaveProcesses)"
      text = Array(String(decoding: text, as: UTF8.self).replacing("name: hospital", with: population).utf8)
    }
    var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = ProcessInfo.processInfo.environment["AJIT_TEST_LOG"] == nil ? .error : .debug
    return ConsortiumConfiguration(
      topology: try TopologyParser.parse(text, file: "short-surgery.yaml").topology, topologyText: text,
      dataDirectory: directory, isFresh: fresh, enclaveExecutable: enclave, handlesSignals: false, logger: logger)
  }
}

/// A directory of this test's own, gone afterwards. The path names something that does not exist yet.
func withScratch<Result>(_ body: (_ path: String) async throws -> Result) async throws -> Result {
  let parent = FileManager.default.temporaryDirectory.appendingPathComponent("ajit-node-\(UUID().uuidString.prefix(8))")
  try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: parent) }
  return try await body(parent.appendingPathComponent("data").path)
}

/// The one error of a start that must fail.
func refusal(_ configuration: ConsortiumConfiguration) async -> NodeError? {
  do throws(NodeError) {
    let consortium = try await Consortium.start(configuration)
    try await consortium.stop()
    return nil
  } catch {
    return error
  }
}

/// Whether a process is there (and not only waiting to be collected).
func isRunning(_ process: Int32) -> Bool {
  guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return false }
  return status.split(separator: ")").last?.split(separator: " ").first != "Z"
}

func entries(_ directory: String) -> [String] {
  ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
}
