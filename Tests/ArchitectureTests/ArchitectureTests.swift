import Testing

/// The arrows between modules, checked on the source text: no build system lets a wrong import through by accident,
/// as SwiftPM does when somebody else already built the module.
@Suite struct ArrowTests {
  @Test func everyImportFollowsAnArrow() throws {
    let files = try SourceTree.files(under: "Sources")
    #expect(files.count > 50)
    let violations = files.flatMap(Arrows.violations)
    report(violations)
  }

  /// The table itself keeps the rule: what a core may import is a core.
  @Test func coresReachNothingButCores() throws {
    let allowedBelow = Arrows.cores + Arrows.collections
    for core in Arrows.cores where core != "Signing" {
      let imports = try #require(Arrows.allowed[core], "\(core)")
      #expect(imports.allSatisfy(allowedBelow.contains), "\(core)")
    }
    #expect(Arrows.allowed["Signing"] == ["CSodium", "Synchronization", "Wire"])
  }

  /// Following arrows never leads back.
  @Test func arrowsMakeNoCircle() {
    var finished: [String] = []
    var remaining = Arrows.allowed.keys.sorted()
    while let next = remaining.firstIndex(where: { module in
      (Arrows.allowed[module] ?? []).allSatisfy { Arrows.allowed[$0] == nil || finished.contains($0) }
    }) {
      finished.append(remaining.remove(at: next))
    }
    #expect(remaining.isEmpty)
  }

  @Test(arguments: [
    ("Roles", "import Foundation"), ("Ledger", "import Bus"), ("Messages", "import Ledger"),
    ("Consensus", "import Logging"),
    ("Metering", "@preconcurrency import Dispatch"), ("Slicing", "import GRDB"), ("Wire", "import Glibc"),
    ("Effects", "internal import struct Foundation.Date"), ("Simulator", "import Storage"),
    ("Topology", "import Roles"),
    ("Storage", "import CZeroMQ"), ("ajit-enclave", "import Roles"), ("Hosting", "import Ledger"),
    ("Nobody", "import Wire"),
  ])
  func wrongArrowIsFound(_ module: String, _ line: String) {
    let file = SourceFile(path: "Sources/\(module)/File.swift", text: "// import Wire\n\(line)\n")
    #expect(Arrows.violations(in: file).count == 1)
  }

  @Test(arguments: [
    ("Roles", "import Ledger"), ("Node", "@testable import Storage"), ("Signing", "import Synchronization"),
    ("Wire", "// import Foundation"), ("Wire", "let text = \"important\""), ("Wire", "/// It does not import Glibc."),
    ("Wire", "import Swift"),
  ])
  func rightArrowIsNot(_ module: String, _ line: String) {
    let file = SourceFile(path: "Sources/\(module)/File.swift", text: line)
    #expect(Arrows.violations(in: file).isEmpty)
  }
}

@Suite struct TidyTests {
  @Test(arguments: Tidy.everywhere.map(\.name) + Tidy.inSources.map(\.name))
  func sourcesAreTidy(_ name: String) throws {
    let checks = (Tidy.everywhere + Tidy.inSources).filter { $0.name == name }
    let violations = try SourceTree.files(under: "Sources").flatMap { file in checks.flatMap { $0.violations(file) } }
    report(violations)
  }

  @Test(arguments: Tidy.everywhere.map(\.name) + Tidy.inTests.map(\.name))
  func testsAreTidy(_ name: String) throws {
    let checks = (Tidy.everywhere + Tidy.inTests).filter { $0.name == name }
    let violations = try SourceTree.files(under: "Tests").flatMap { file in checks.flatMap { $0.violations(file) } }
    report(violations)
  }

  // MARK: Each check can fail

  static let badTexts: [(String, String)] = [
    ("file length", String(repeating: "x\n", count: Tidy.maximumLines + 1)),
    ("line length", String(repeating: "ü", count: Tidy.maximumColumns + 1)),
    ("white space", "let a = 1 "), ("white space", "\tlet a = 1"),
    ("leftovers", "// TO" + "DO: later"), ("leftovers", "// FIX" + "ME"), ("leftovers", "let a = 1  // XX" + "X?"),
    ("traps", "let a = try! b()"), ("traps", "let a = b as! C"), ("traps", "default: fatalError(\"no\")"),
    ("sleeps", "try await Task" + ".sleep(for: .seconds(1))"), ("sleeps", "Thread" + ".sleep(forTimeInterval: 1)"),
    ("proofs", "final class A: @unchecked " + "Sendable {}"), ("proofs", "nonisolated(" + "unsafe) var a = 1"),
    (
      "proofs",
      "// Proof: none is needed here.\n" + String(repeating: "\n", count: 20) + "nonisolated(" + "unsafe) var a = 1"
    ),
  ]

  @Test(arguments: badTexts)
  func badTextIsFound(_ name: String, _ text: String) throws {
    let check = try #require((Tidy.everywhere + Tidy.inSources + Tidy.inTests).first { $0.name == name })
    #expect(check.violations(SourceFile(path: "Sources/Bad/Bad.swift", text: text)).count == 1)
  }

  @Test func everyCheckHasABadText() {
    let names = (Tidy.everywhere + Tidy.inSources + Tidy.inTests).map(\.name)
    for name in names { #expect(Self.badTexts.contains { $0.0 == name }, "\(name)") }
  }

  static let goodTexts: [(String, String)] = [
    ("file length", String(repeating: "x\n", count: Tidy.maximumLines)),
    ("line length", String(repeating: "ü", count: Tidy.maximumColumns)),
    ("white space", "let a = 1"), ("leftovers", "let TO" + "DOs = mastodon"), ("traps", "// never try! this"),
    ("traps", "try? a() as? B"), ("sleeps", "try await clock.sleep()"),
    ("proofs", "/// Proof: written once before any thread exists.\nfinal class A: @unchecked " + "Sendable {}"),
  ]

  @Test(arguments: goodTexts)
  func goodTextIsNot(_ name: String, _ text: String) throws {
    let check = try #require((Tidy.everywhere + Tidy.inSources + Tidy.inTests).first { $0.name == name })
    #expect(check.violations(SourceFile(path: "Sources/Good/Good.swift", text: text)).isEmpty)
  }
}

private func report(_ violations: [Violation], _ location: SourceLocation = #_sourceLocation) {
  guard !violations.isEmpty else { return }
  let list = violations.map(\.description).joined(separator: "\n")
  Issue.record(Comment(rawValue: "\n\(list)"), sourceLocation: location)
}
