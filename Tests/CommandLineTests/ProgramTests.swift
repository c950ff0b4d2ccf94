import Foundation
import Testing

@testable import ajit

/// The built program from outside: statuses, streams and messages.
struct ProgramTests {
  @Test(arguments: ["remote-surgery", "congested"]) func `shipped topologies are valid`(name: String) throws {
    let path = Program.topology(name)
    let outcome = try Program.run("validate", path)
    #expect(outcome.status == 0)
    #expect(outcome.output.hasPrefix("\(path): ok: "))
  }

  @Test func `a bad topology says where and what`() throws {
    let folder = try Folder()
    let file = folder.url.appending(path: "bad.yaml")
    try Data("version: 1\nname: bad\nfrobnicate: 3\n".utf8).write(to: file)
    let outcome = try Program.run("validate", "bad.yaml", in: folder.url)
    #expect(outcome.status == 65)
    #expect(outcome.output.isEmpty)
    #expect(outcome.errors.contains("bad.yaml:3:1: error: "))
  }

  @Test func `every file is checked, whatever the first one is`() throws {
    let outcome = try Program.run("validate", "/nowhere.yaml", Program.topology("congested"))
    #expect(outcome.status == 66)
    #expect(outcome.errorLines == ["ajit: /nowhere.yaml: no such file: check the path"])
    #expect(outcome.outputLines.count == 1)
  }

  @Test(arguments: ["up", "simulate"]) func `a missing file is one line and 66`(command: String) throws {
    let outcome = try Program.run(command, "/nowhere.yaml")
    #expect(outcome.status == 66)
    #expect(outcome.errorLines.count == 1)
  }

  @Test func `help explains itself`() throws {
    let outcome = try Program.run("--help")
    #expect(outcome.status == 0)
    for command in ["validate", "up", "simulate", "status", "keys", "ledger"] {
      #expect(outcome.output.contains("  \(command) "))
    }
    #expect(outcome.output.contains("65  "))
    #expect(try Program.run("up", "--help").output.contains("ajit up topologies/remote-surgery.yaml --until-settled"))
  }

  @Test(arguments: ["bash", "zsh", "fish"]) func `completions are generated`(shell: String) throws {
    let outcome = try Program.run("--generate-completion-script", shell)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("until-settled"))
  }

  @Test func `an unknown option is 64`() throws {
    #expect(try Program.run("up", "--frobnicate").status == 64)
  }

  @Test func `status of nothing is 69`() throws {
    let fixture = try LedgerFixture()
    let outcome = try Program.run("status", "--data", fixture.folder.path)
    #expect(outcome.status == 69)
    #expect(outcome.errors.contains("nothing runs on"))
  }

  @Test func `without --data there must be exactly one directory`() throws {
    let folder = try Folder()
    #expect(try Program.run("status", in: folder.url).status == 66)
    for name in ["one", "two"] {
      try FileManager.default.createDirectory(
        at: folder.url.appending(path: ".ajit/\(name)"), withIntermediateDirectories: true)
    }
    let outcome = try Program.run("ledger", "accounts", in: folder.url)
    #expect(outcome.status == 64)
    #expect(outcome.errors.contains("one, two"))
  }

  @Test func `keys are made once, for their owner only`() throws {
    let folder = try Folder()
    let file = Program.topology("remote-surgery")
    let outcome = try Program.run("keys", "generate", file, "--out", "keys", in: folder.url)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let names = try FileManager.default.subpathsOfDirectory(atPath: folder.url.appending(path: "keys").path)
      .filter { $0.hasSuffix(".key") }
    #expect(names.contains("validator-alpha/keys/validator-alpha.key"))
    #expect(names.contains("OFFLINE/organisation-alpha.key"))
    for name in names {
      let path = folder.url.appending(path: "keys/\(name)").path
      let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
    let again = try Program.run("keys", "generate", file, "--out", "keys", in: folder.url)
    #expect(again.status != 0)
    #expect(again.errorLines.count == 1)
  }

  @Test func `an exposed key is shown as refused`() throws {
    let fixture = try LedgerFixture()
    let file = Program.topology("remote-surgery")
    let bundles = fixture.folder.path + "/bundles"
    #expect(try Program.run("keys", "generate", file, "--out", bundles).status == 0)
    // A consortium of one process has every key in one directory.
    let keys = fixture.folder.url.appending(path: "keys")
    try FileManager.default.createDirectory(at: keys, withIntermediateDirectories: true)
    for path in try FileManager.default.subpathsOfDirectory(atPath: bundles) where path.hasSuffix(".key") {
      let new = keys.appending(path: URL(filePath: path).lastPathComponent)
      guard !FileManager.default.fileExists(atPath: new.path) else { continue }
      try FileManager.default.copyItem(at: URL(filePath: bundles + "/" + path), to: new)
    }
    #expect(try Program.run("keys", "show", "--data", fixture.folder.path).status == 0)
    let key = fixture.folder.path + "/keys/validator-alpha.key"
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
    let outcome = try Program.run("keys", "show", "--data", fixture.folder.path)
    #expect(outcome.status == 77)
    #expect(outcome.errors.contains("chmod 600"))
  }
}
