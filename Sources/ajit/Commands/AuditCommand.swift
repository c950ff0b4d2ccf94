import ArgumentParser
import Ledger
import Messages
import Node
import Roles
import Storage
import Wire

struct AuditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Print what a regulator found, from its own data directory.",
    discussion: """
      ajit audit
      ajit audit --data .ajit/remote-surgery --regulator ofcom --json

      Its findings in order (convictions, measures, flags with their figures), how far its checkpoints go, and what \
      its validator keeps: evidence that it found itself, invalid blocks, promises of members that it watches. Flags \
      are statistics without a consequence. Reads, never writes.
      """)

  @OptionGroup var location: DataOption

  @Option(help: "Which regulator's; the first one's if left out.")
  var regulator: String?

  @Flag(help: "One JSON object per finding, then one of type `result`.")
  var json = false

  func run() async throws {
    try await reporting {
      let consortium = try location.consortium
      let names = consortium.topology.regulators.map(\.name)
      guard let name = regulator ?? names.first, names.contains(name) else {
        throw CommandFailure(.usage, "there is no regulator \(regulator ?? ""): choose one of \(names)")
      }
      let audit = try Audit(name, consortium)
      try show(audit)
      return .asExpected
    }
  }

  private func show(_ audit: Audit) throws {
    if json {
      for finding in audit.findings { try JSONLine.print(finding) }
      try JSONLine.print(audit.summary)
      return
    }
    let terminal = Terminal()
    var table = Table([.init("height", .right), .init("finding"), .init("about"), .init("figures")])
    for finding in audit.findings {
      table.add([
        Table.Cell(finding.height), Table.Cell(finding.finding), Table.Cell(finding.subject), Table.Cell(finding.text),
      ])
    }
    if !audit.findings.isEmpty { Terminal.write(lines: table.lines(width: terminal.tableWidth, terminal)) }
    let summary = audit.summary
    Terminal.write(
      "\(audit.regulator): \(Wording.counted(audit.findings.count, "finding")); witnessed up to height"
        + " \(summary.checkpoint) (\(summary.checkpointHash.prefix(8))); its validator keeps"
        + " \(Wording.counted(Int(summary.evidence), "piece")) of evidence, \(summary.invalidBlocks) invalid blocks,"
        + " \(summary.watchedPromises) watched promises\n")
  }
}

/// A regulator's records and its validator's.
private struct Audit {
  struct Finding: Encodable {
    let type = "finding"
    let finding, subject, text: String
    let height: Height
    let timeNs: UInt64
  }

  struct Summary: Encodable {
    let type = "result"
    let regulator: String
    let checkpoint: Height
    let checkpointHash: String
    let evidence, invalidBlocks, watchedPromises: Int
  }

  let regulator: String
  let findings: [Finding]
  let summary: Summary

  private static let batch = 4_096

  init(_ name: String, _ consortium: StoredConsortium) throws {
    regulator = name
    let own = try SQLiteRecordReader(path: try Self.path(ActorAddress(.regulator, name), consortium))
    findings = try own.records(stream: RegulatorCore.Stream.findings, from: 0, limit: Self.batch).map { record in
      let finding: RegulatorFinding
      do throws(WireError) { finding = try RegulatorFinding(decoding: record.bytes) } catch {
        throw CommandFailure(.badData, "finding \(record.key) of \(name): \(Wording.fault(error))")
      }
      return Finding(
        finding: finding.kind.name, subject: finding.subject, text: finding.text, height: finding.height,
        timeNs: finding.time.nanoseconds)
    }
    let last = try own.lastKey(stream: RegulatorCore.Stream.checkpoints)
    let checkpoint = try last.flatMap { key in
      try own.records(stream: RegulatorCore.Stream.checkpoints, from: key, limit: 1).first
    }
    let witnessed = try checkpoint.map { try RegulatorCore.checkpoint($0.bytes) }
    let validator = try SQLiteRecordReader(path: try Self.path(ActorAddress(.validator, name), consortium))
    func count(_ stream: UInt16) throws -> Int {
      try validator.records(stream: stream, from: 0, limit: Self.batch).count
    }
    summary = Summary(
      regulator: name, checkpoint: witnessed?.height ?? 0, checkpointHash: witnessed?.hash.hexadecimal ?? "",
      evidence: try count(ValidatorCore.Stream.evidence), invalidBlocks: try count(ValidatorCore.Stream.refuted),
      watchedPromises: try count(ValidatorCore.Stream.witnessed))
  }

  private static func path(_ actor: ActorAddress, _ consortium: StoredConsortium) throws -> String {
    guard let path = consortium.storePath(of: actor) else {
      throw CommandFailure(.missingInput, "\(actor) keeps nothing under \(consortium.path): name its own directory")
    }
    return path
  }
}
