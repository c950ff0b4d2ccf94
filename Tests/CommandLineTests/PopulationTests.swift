import FixtureSupport
import Foundation
import Testing

/// Many customers in one process, one of whom reads the ledger for all. `ops/soak population` runs the thousand as they
/// are shipped; a hundred of them are what a test's build and machine have time for.
@Suite(.serialized, .limit(minutes: 5))
struct PopulationTests {
  @Test func `a hundred customers of one process all get what they ordered`() throws {
    let folder = try Folder()
    let file = try TolerantTopology.write("population", to: folder, members: 100, everyMilliseconds: 200)
    let pressure = ProcessorPressure()
    try Self.run(file, folder, isCalm: { pressure.isCalm })
  }

  @Test(.enabled(if: ProcessInfo.processInfo.environment["AJIT_POPULATION"] == "shipped"))
  func `the shipped thousand, at the shipped rate, ends as the file expects`() throws {
    try Self.run(Program.topology("population"), Folder(), isCalm: { true })
  }

  /// - Parameter isCalm: asked afterwards: nobody else took the cores.
  private static func run(_ file: String, _ folder: Folder, isCalm: () -> Bool) throws {
    let outcome = try Program.run("up", file, "--data", folder.path + "/data", "--until-settled", "--json")
    let result = try SpreadRun.object(try #require(outcome.outputLines.last, "\(outcome.errors)"))
    let story: Comment = "\(outcome.errors) \(((result["complaints"] as? [String]) ?? []).prefix(10))"
    #expect(outcome.status == 0 || !isCalm() && outcome.status == 2, story)
    for key in ["settled", "conserved"] { #expect(result[key] as? Bool == true, "\(key)") }
  }
}
