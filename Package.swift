// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors everywhere; the modules that touch C are also checked for unsafe memory use.
let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
let strictAndSafe: [SwiftSetting] = strict + [.strictMemorySafety()]

let package = Package(
  name: "AJIT",
  targets: [
    .systemLibrary(name: "CSodium", pkgConfig: "libsodium", providers: [.apt(["libsodium-dev"])]),
    .systemLibrary(name: "CZeroMQ", pkgConfig: "libzmq", providers: [.apt(["libzmq3-dev"])]),
    .target(name: "Wire", swiftSettings: strict),
    .target(name: "Signing", dependencies: ["CSodium", "Wire"], swiftSettings: strictAndSafe),
    .target(name: "Messages", dependencies: ["Signing", "Wire"], swiftSettings: strict),
    .target(name: "Effects", dependencies: ["Messages", "Signing", "Wire"], swiftSettings: strict),
  ]
)
