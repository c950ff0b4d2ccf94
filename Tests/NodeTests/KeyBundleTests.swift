import FixtureSupport
import Foundation
import Messages
import Testing
import Topology

@testable import Node

/// Bundles made, handed over, and refused.
@Suite(.limit(minutes: 1))
struct KeyBundleTests {
  private func made(
    _ directory: String, epochs: Int = 3
  ) throws -> (bundles: KeyBundles, topology: Topology, path: String) {
    let text = Surgery.text(epochs: epochs)
    let topology = try TopologyParser.parse(text, file: "short-surgery.yaml").topology
    let path = directory + "/keys"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    return (try KeyBundles.generate(topology, text: text, in: path), topology, path)
  }

  @Test func `every node gets its own secrets and nobody else's`() async throws {
    try await withScratch { directory in
      let (bundles, topology, path) = try made(directory)
      let keys = { (node: String) in entries("\(path)/\(node)/keys") }
      #expect(keys("validator-alpha") == ["curve.key", "validator-alpha.key"])
      #expect(keys("controller-alpha") == ["controller-alpha.key", "curve.key"])
      #expect(keys("edge-alpha-edge") == ["curve.key", "edge-alpha-edge.key"])
      #expect(
        keys("customer-hospital") == ["curve-ward.key", "curve.key", "platform-hospital.key", "treasury-hospital.key"])
      #expect(keys("CLIENT") == ["curve.key"])
      #expect(entries("\(path)/OFFLINE").contains("organisation-alpha.key"))
      var seen: Set<Data> = []
      for node in topology.placement.nodes {
        for name in keys(node.name) {
          let file = "\(path)/\(node.name)/keys/\(name)"
          let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
          #expect(mode == 0o600)
          #expect(seen.insert(try #require(FileManager.default.contents(atPath: file))).inserted)
        }
      }
      // One network, one book.
      let networks = Set(
        entries(path).filter { $0 != "OFFLINE" }.map { node in
          FileManager.default.contents(atPath: "\(path)/\(node)/genesis.cbor")
        })
      #expect(networks.count == 1)
      let enclave = try #require(bundles.book.place("enclaves/ward"))
      #expect(enclave.node == "customer-hospital" && enclave.actors == ["enclave/ward"])
      #expect(Set(enclave.data.keys) == ["enclave/ward/application", "enclave/ward/network"])
      let controller = try #require(bundles.book.place("controller-alpha"))
      #expect(controller.actors.contains { $0.hasPrefix("contract/") })
    }
  }

  @Test func `keys are never overwritten, and a making that fails leaves nothing`() async throws {
    try await withScratch { directory in
      let (_, topology, path) = try made(directory)
      let before = entries(path)
      #expect(throws: NodeError.self) {
        try KeyBundles.generate(topology, text: Surgery.text(epochs: 3), in: path)
      }
      #expect(entries(path) == before)
      let other = directory + "/others"
      #expect(throws: NodeError.self) {
        try KeyBundles.generate(
          topology, text: Surgery.text(epochs: 3), in: other, enclaveExecutable: "/nonexistent/ajit-enclave")
      }
      #expect(entries(directory) == ["keys"])
    }
  }

  private func refusal(
    _ node: String, keys: String?, _ directory: String, epochs: Int = 3
  ) async throws -> NodeError? {
    var configuration = try Surgery.configuration(directory + "/data", epochs: epochs)
    configuration.extent = .node(node)
    configuration.keyDirectory = keys
    return await NodeTests.refusal(configuration)
  }

  @Test func `a node starts with its own bundle of this topology, and never makes a network`() async throws {
    try await withScratch { directory in
      let (_, _, path) = try made(directory)
      guard case .bundleMissing("validator-alpha", .none) = try await refusal("validator-alpha", keys: nil, directory)
      else { return #expect(Bool(false), "no bundle was named") }
      guard case .bundleMissing = try await refusal("validator-alpha", keys: directory + "/nowhere", directory)
      else { return #expect(Bool(false), "there is none") }
      guard case .bundleDiffers = try await refusal("validator-alpha", keys: path + "/validator-bravo", directory)
      else { return #expect(Bool(false), "it is bravo's") }
      guard
        case .bundleDiffers = try await refusal(
          "validator-alpha", keys: path + "/validator-alpha", directory, epochs: 5)
      else { return #expect(Bool(false), "it is another topology's") }
      guard case .unknownNode = try await refusal("validator-zulu", keys: path + "/validator-alpha", directory)
      else { return #expect(Bool(false), "there is no such node") }
      #expect(entries(directory) == ["keys"])
      #expect(try await refusal("validator-alpha", keys: path + "/validator-alpha", directory) == nil)
      #expect(entries(directory) == ["data", "keys"])
      // Its keys are its own now; another network's bundle is not taken.
      #expect(try await refusal("validator-alpha", keys: nil, directory) == nil)
      let (_, _, others) = try made(directory + "/again")
      guard case .keysDiffer = try await refusal("validator-alpha", keys: others + "/validator-alpha", directory)
      else { return #expect(Bool(false), "it is another network's") }
      guard case .extentDiffers = try await refusal("validator-bravo", keys: path + "/validator-bravo", directory)
      else { return #expect(Bool(false), "the directory is alpha's") }
    }
  }

  @Test func `a frame may come in any pieces`() throws {
    let frames: [[UInt8]] = [[], [1], Array(repeating: 7, count: 300)]
    let bytes: [UInt8] = frames.flatMap { (frame: [UInt8]) -> [UInt8] in
      [0, 0, UInt8(frame.count >> 8), UInt8(frame.count & 255)] + frame
    }
    for size in [1, 2, 3, 5, 64, 1000] {
      var buffer = FrameBuffer(maximumBytes: 300)
      var taken: [[UInt8]] = []
      for start in stride(from: 0, to: bytes.count, by: size) {
        taken += buffer.take(Array(bytes[start..<min(start + size, bytes.count)]))
      }
      #expect(taken == frames)
    }
    var small = FrameBuffer(maximumBytes: 299)
    #expect(small.take(bytes) == [[], [1]] && small.isBroken)
  }
}
