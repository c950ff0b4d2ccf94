// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors everywhere; the modules that touch C are also checked for unsafe memory use.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
let strictAndSafe: [SwiftSetting] = strict + [.strictMemorySafety()]

let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// The foundation: bytes, signatures, messages, effects.
let foundation: [Target] = [
  .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
  .systemLibrary(name: "CZeroMQ", pkgConfig: "libzmq", providers: [.apt(["libzmq3-dev"])]),
  .target(name: "Wire", swiftSettings: strict),
  .target(name: "Signing", dependencies: ["CSodium", "Wire"], swiftSettings: strictAndSafe),
  .target(name: "Messages", dependencies: ["Signing", "Wire"], swiftSettings: strict),
  .target(name: "Effects", dependencies: ["Messages", "Signing", "Wire"], swiftSettings: strict),
]

/// Cores decide: pure, synchronous, no I/O.
let cores: [Target] = [
  .target(name: "Consensus", dependencies: ["Messages", "Signing", "Wire"], swiftSettings: strict),
  .target(name: "Ledger", dependencies: ["Metering", "Messages", "Signing", "Wire"], swiftSettings: strict),
  .target(name: "Slicing", dependencies: ["Messages", "Signing", "Wire"], swiftSettings: strict),
  .target(name: "Metering", dependencies: ["Messages", "Signing", "Wire"], swiftSettings: strict),
  .target(
    name: "Enclave", dependencies: ["Metering", "Effects", "Messages", "Signing", "Wire"], swiftSettings: strict),
  .target(
    name: "Roles",
    dependencies: ["Consensus", "Ledger", "Slicing", "Metering", "Effects", "Messages", "Signing", "Wire"],
    swiftSettings: strict),
]

/// Shells act: files, sockets, processes, virtual worlds.
let shells: [Target] = [
  .target(name: "Topology", dependencies: ["Messages", "Signing", "Wire", yams], swiftSettings: strict),
  .target(
    name: "Assembly",
    dependencies: [
      "Roles", "Topology", "Consensus", "Ledger", "Slicing", "Metering", "Effects", "Messages", "Signing", "Wire",
    ], swiftSettings: strict),
  .target(name: "Bus", dependencies: ["CZeroMQ", "Messages", "Signing", "Wire"], swiftSettings: strictAndSafe),
  .target(
    name: "Storage", dependencies: ["Slicing", "Effects", "Messages", "Signing", "Wire", grdb], swiftSettings: strict),
  .target(name: "Hosting", dependencies: ["Bus", "Effects", "Messages", "Signing", "Wire"], swiftSettings: strict),
  .target(
    name: "Simulator",
    dependencies: [
      "Assembly", "Roles", "Enclave", "Topology", "Consensus", "Ledger", "Slicing", "Metering", "Effects", "Messages",
      "Signing", "Wire",
    ], swiftSettings: strict),
  .target(
    name: "Node",
    dependencies: [
      "Assembly", "Roles", "Enclave", "Topology", "Ledger", "Slicing", "Metering", "Storage", "Bus", "Hosting",
      "Effects", "Messages", "Signing", "Wire", logging, metrics, lifecycle, unixSignals,
    ], swiftSettings: strict),
  .executableTarget(
    name: "ajit",
    dependencies: [
      "Node", "Simulator", "Assembly", "Topology", "Storage", "Ledger", "Consensus", "Roles", "Slicing", "Metering",
      "Bus", "Hosting", "Effects", "Messages", "Signing", "Wire", argumentParser, logging, lifecycle,
    ], swiftSettings: strict),
  .executableTarget(
    name: "ajit-enclave",
    dependencies: ["Enclave", "Metering", "Hosting", "Bus", "Effects", "Messages", "Signing", "Wire"],
    swiftSettings: strict),
]

/// `Tests/<module>Tests` for a module and what else its stories need.
func tests(_ module: String, _ others: Target.Dependency...) -> Target {
  .testTarget(
    name: "\(module)Tests", dependencies: [.byName(name: module), "FixtureSupport"] + others, swiftSettings: strict)
}

/// Fast and pure first; then a whole world in virtual time; then real sockets, files and processes.
let testTargets: [Target] = [
  .target(
    name: "FixtureSupport", dependencies: ["Signing", "Wire"], path: "Tests/FixtureSupport", swiftSettings: strict),
  // Disks that lose what was not synced: a SQLite VFS.
  .target(name: "CFaultyDisk", path: "Tests/CFaultyDisk", linkerSettings: [.linkedLibrary("sqlite3")]),
  .testTarget(name: "ArchitectureTests", swiftSettings: strict),
  tests("Wire", "Signing"),
  tests("Signing", "Wire"),
  tests("Messages", "Signing", "Wire"),
  tests("Consensus", "Messages", "Signing", "Wire"),
  tests("Ledger", "Metering", "Messages", "Signing", "Wire"),
  tests("Slicing", "Messages", "Signing", "Wire"),
  tests("Metering", "Messages", "Signing", "Wire"),
  tests("Roles", "Ledger", "Slicing", "Effects", "Messages", "Signing", "Wire"),
  tests("Enclave", "Roles", "Metering", "Effects", "Messages", "Signing", "Wire"),
  tests("Topology", "Messages", "Signing", "Wire"),
  tests(
    "Simulator", "Assembly", "Roles", "Enclave", "Topology", "Ledger", "Consensus", "Metering", "Slicing", "Effects",
    "Messages", "Signing", "Wire"),
  tests(
    "Storage", "CFaultyDisk", "Roles", "Ledger", "Slicing", "Effects", "Messages", "Signing", "Wire", grdb),
  tests("Bus", "Messages", "Signing", "Wire"),
  tests("Hosting", "Bus", "Effects", "Messages", "Signing", "Wire"),
  tests(
    "Node", "ajit-enclave", "Storage", "Assembly", "Topology", "Bus", "Hosting", "Ledger", "Roles", "Enclave",
    "Effects", "Messages", "Signing", "Wire", logging),
  .testTarget(
    name: "CommandLineTests",
    dependencies: [
      "ajit", "ajit-enclave", "Node", "Simulator", "Assembly", "Topology", "Storage", "Ledger", "Consensus", "Roles",
      "Bus", "Effects", "Messages", "Signing", "Wire", "FixtureSupport", argumentParser, yams,
    ], swiftSettings: strict),
]

let package = Package(
  name: "AJIT",
  products: [
    .executable(name: "ajit", targets: ["ajit"]),
    .executable(name: "ajit-enclave", targets: ["ajit-enclave"]),
  ],
  dependencies: [
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: foundation + cores + shells + testTargets
)
