/// The direction of the arrows between modules: who may import whom. Names may change, the direction may not.
///
/// Cores are pure: they import other cores and nothing of the system, so that an interpreter other than the node (the
/// simulator) can run them, and so that they cannot read a clock or a file by accident.
enum Arrows {
  /// Clocks, files, threads, sockets, logs: what only shells may touch.
  static let system = [
    "Atomics", "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Logging", "Metrics", "Prometheus",
    "ServiceLifecycle", "Synchronization", "UnixSignals",
  ]
  /// Data structures without effects (swift-collections).
  static let collections = ["BitCollections", "Collections", "DequeModule", "HeapModule", "OrderedCollections"]

  static let wireAndUp = ["Messages", "Signing", "Wire"]
  static let parts = ["Consensus", "Ledger", "Metering", "Slicing"]
  static let cores = parts + wireAndUp + ["Effects", "Enclave", "Roles"]

  /// A module that is not here may not exist: whoever adds one decides where it stands.
  static let allowed: [String: [String]] = [
    "Wire": [],
    // The only user of libsodium; a shared slab of keys needs a lock.
    "Signing": ["CSodium", "Synchronization", "Wire"],
    "Messages": ["Signing", "Wire"],
    "Effects": wireAndUp,
    "Consensus": wireAndUp + collections,
    // A disputed epoch is judged by the same pure function that both sides use.
    "Ledger": wireAndUp + ["Metering"] + collections,
    "Slicing": wireAndUp + collections,
    "Metering": wireAndUp + collections,
    "Enclave": wireAndUp + ["Effects", "Metering"] + collections,
    "Roles": wireAndUp + parts + ["Effects", "Enclave"] + collections,
    // Plain data from a file; Assembly makes cores of it.
    "Topology": wireAndUp + ["Yams"],
    "Assembly": cores + ["Topology"],
    // The only user of libzmq.
    "Bus": wireAndUp + system + collections + ["CZeroMQ"],
    "Storage": wireAndUp + system + ["Effects", "GRDB", "Slicing"],
    // What every process that runs a core needs, the enclave's too: so it knows no role.
    "Hosting": wireAndUp + system + collections + ["Bus", "Effects"],
    "Node": cores + system + collections + ["Assembly", "Bus", "Hosting", "Storage", "Topology"],
    // One thread and virtual time: no shell, no system.
    "Simulator": cores + collections + ["Assembly", "Topology"],
    "LoadGenerator": cores + system + collections + ["Assembly", "Bus", "Hosting", "HdrHistogram", "Node", "Topology"],
    "ajit": cores + system + collections + [
      "ArgumentParser", "Assembly", "Bus", "Hosting", "LoadGenerator", "Node", "Simulator", "Storage", "Topology",
    ],
    // As little inside as possible.
    "ajit-enclave": wireAndUp + system + ["Bus", "Effects", "Enclave", "Hosting", "Metering"],
  ]

  /// Modules that any file may import without being a dependency.
  static let always = ["Swift"]

  /// The module that a line imports: `import Wire`, `@testable import Wire`, `import struct Foundation.URL`.
  static func imported(by line: String) -> String? {
    let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
    guard let position = words.firstIndex(of: "import"), position + 1 < words.count else { return nil }
    let modifiers = words[..<position]
    guard
      modifiers.allSatisfy({
        $0.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains($0)
      })
    else { return nil }
    var name = words[position + 1]
    if ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias", "actor"].contains(name),
      position + 2 < words.count
    {
      name = words[position + 2]
    }
    return name.split(separator: ".").first.map(String.init)
  }

  static func violations(in file: SourceFile) -> [Violation] {
    guard let allowed = allowed[file.module] else {
      return [
        Violation(
          path: file.path, line: 1, message: "module \(file.module) is not in Arrows.allowed; decide where it stands")
      ]
    }
    return file.codeLines.enumerated().compactMap { index, line in
      guard let module = imported(by: line), !allowed.contains(module), !always.contains(module) else { return nil }
      return Violation(path: file.path, line: index + 1, message: "\(file.module) must not import \(module)")
    }
  }
}
