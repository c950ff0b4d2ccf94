import FixtureSupport
import Foundation
import Glibc
import Testing

/// `ajit up` as a person runs it: real sockets, files, enclaves and time.
@Suite(.serialized, .limit(minutes: 3))
struct EndToEndTests {
  private typealias Object = [String: Any]

  private func result(_ outcome: Program.Outcome) throws -> Object {
    let last = try #require(outcome.outputLines.last, "\(outcome.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(last.utf8)) as? Object)
  }

  private func activations(_ result: Object) throws -> [Object] {
    try #require(result["activations"] as? [Object])
  }

  /// What a simulation and a real run must agree on; not how many epochs a busy machine let be measured.
  private func essence(_ activation: Object) -> [String] {
    let nullified = activation["state"] as? String == "NULLIFIED"
    let amounts = nullified ? ["escrow", "refunded"] : ["escrow"]
    let rules = (activation["verdicts"] as? [Object] ?? []).map { rule in
      let isJudged = ["met", "violated"].contains { (rule[$0] as? Int ?? 0) > 0 }
      return "\(rule["rule"] ?? "") \(isJudged ? "judged" : "not judged")"
    }
    return ["label", "state", "statusInfo"].map { "\(activation[$0] ?? "")" }
      + amounts.map { "\($0) \(activation[$0] ?? "")" } + rules
  }

  @Test func `a run that is interrupted goes on, settles and keeps its ledger`() throws {
    let folder = try Folder()
    let (file, data) = (Program.topology("remote-surgery"), folder.path + "/data")
    let first = try Program.start("up", file, "--data", data, "--until-settled", "--json")
    #expect(first.until("\"type\":\"epoch\""))
    // Meanwhile the directory is taken.
    let second = try Program.run("up", file, "--data", data)
    #expect(second.status == 75)
    #expect(second.errorLines.count == 1)
    first.interrupt()
    let stopped = try first.outcome()
    #expect(stopped.status == 130, "\(stopped.errors)")
    #expect(try result(stopped)["settled"] as? Bool == false)

    let resumed = try Program.run("up", file, "--data", data, "--until-settled", "--json")
    #expect(resumed.status == 0, "\(resumed.errors) \(resumed.outputLines.last ?? "")")
    let found = try result(resumed)
    #expect(found["interrupted"] as? Bool == true)
    #expect(found["settled"] as? Bool == true && found["conserved"] as? Bool == true)
    #expect(try #require(found["notes"] as? [String]).allSatisfy { $0.hasPrefix("interrupted run: ") })
    #expect((found["complaints"] as? [String]) == [])
    #expect(try Program.run("ledger", "verify", "--data", data).status == 0)

    // Nothing is left to do; what the ledger says is still the same.
    let again = try result(try Program.run("up", file, "--data", data, "--until-settled", "--json"))
    #expect(try activations(again).map(essence) == activations(found).map(essence))
  }

  @Test func `a directory that is not ours, or not whole, is left as it is`() throws {
    let folder = try Folder()
    let file = Program.topology("remote-surgery")
    try Data("mine".utf8).write(to: folder.url.appending(path: "diary.txt"))
    let foreign = try Program.run("up", file, "--data", folder.path, "--until-settled")
    #expect(foreign.status == 65 && foreign.errorLines.count == 1, "\(foreign.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(names == ["diary.txt"])
  }

  /// Root may write anywhere but where the kernel itself says no: then a file system of its own stands in.
  @Test func `a directory that cannot be written is refused`() throws {
    let folder = try Folder()
    let parent: String
    if geteuid() == 0 {
      parent = "/proc"
    } else {
      parent = folder.path
      try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: parent)
    }
    let outcome = try Program.run("up", Program.topology("remote-surgery"), "--data", parent + "/data")
    #expect(outcome.status == 77, "\(outcome.errors)")
    #expect(outcome.errorLines.count == 1)
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
  }

  @Test func `a network is founded with keys that were made before`() throws {
    let folder = try Folder()
    let file = Program.topology("remote-surgery")
    let (keys, data) = (folder.path + "/keys", folder.path + "/data")
    #expect(try Program.run("keys", "generate", file, "--out", keys).status == 0)
    let founded = try Program.run("up", file, "--data", data, "--keys", keys, "--for", "10ms", "--json")
    // Stopped long before its end: that is all that is wrong.
    #expect(founded.status == 2, "\(founded.errors)")
    func same(_ here: String, _ there: String) throws -> Bool {
      try Data(contentsOf: URL(filePath: "\(data)/\(here)")) == Data(contentsOf: URL(filePath: "\(keys)/\(there)"))
    }
    #expect(try same("keys/validator-alpha.key", "validator-alpha/keys/validator-alpha.key"))
    #expect(try same("keys/organisation-alpha.key", "OFFLINE/organisation-alpha.key"))
    #expect(try same("genesis.cbor", "CLIENT/genesis.cbor"))
    let others = folder.path + "/others"
    #expect(try Program.run("keys", "generate", file, "--out", others).status == 0)
    let refused = try Program.run("up", file, "--data", data, "--keys", others)
    #expect(refused.status == 65 && refused.errors.contains("--keys"), "\(refused.errors)")
  }
}
