import ArgumentParser
import Foundation
import Ledger
import Messages
import Signing

struct LedgerEvidence: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evidence", abstract: "List what the ledger holds against members, and check each piece again.",
    discussion: """
      ajit ledger evidence
      ajit ledger evidence --data .ajit/remote-surgery --export proofs

      Every signature is verified again and every piece judged again, from the genesis and the members of each era. \
      With --export each is written to a file of its own, which `ajit evidence verify` checks with the genesis alone. \
      Exit status 65 when one does not hold.

      Stated assumption: no quorum of keys of a past era has leaked.
      """)

  @OptionGroup var options: LedgerOptions

  @Option(help: "Write each piece, and the genesis, into this directory.", completion: .directory)
  var export: String?

  func run() async throws {
    try await reporting {
      let replay = try options.replay()
      var inspector = EvidenceInspector(replay.genesis, eras: replay.state.eras)
      var rows: [EvidenceRow] = []
      for record in replay.state.evidence {
        rows.append(EvidenceRow(record, inspector.verdict(on: record.evidence), replay.state))
      }
      try options.show(rows)
      if let export { try write(replay, to: export) }
      return rows.allSatisfy(\.holds) ? .asExpected : .badData
    }
  }

  private func write(_ replay: LedgerReplay, to directory: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
      for record in replay.state.evidence {
        let bundle = EvidenceBundle(
          genesis: replay.genesis, eras: Array(replay.state.eras.dropFirst()), evidence: record.evidence)
        let name = "\(record.evidence.digest.short).evidence"
        try Data(bundle.encoded).write(to: URL(filePath: directory).appending(path: name), options: .atomic)
      }
    } catch {
      throw CommandFailure(.inputOutput, "\(directory) cannot be written: \(error.localizedDescription)")
    }
  }
}

struct EvidenceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evidence", abstract: "Check evidence that somebody exported.", subcommands: [EvidenceVerify.self])
}

struct EvidenceVerify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check one exported piece of evidence, offline.",
    discussion: """
      ajit evidence verify proofs/1f00ba12.evidence

      The file holds the genesis, the member sets of later eras and the evidence. The network id that is printed must \
      be the one you know: the file is worth as much as its genesis, and later member sets are the file's own word \
      until `ajit ledger verify` has checked the chain that made them. Exit status 65 when it proves nothing.
      """)

  @Argument(help: "A file of `ajit ledger evidence --export`.", completion: .file())
  var file: String

  @Flag(help: "One JSON object.")
  var json = false

  func run() async throws {
    try await reporting {
      guard let bytes = try? Data(contentsOf: URL(filePath: file)) else {
        throw CommandFailure(.missingInput, "\(file) cannot be read")
      }
      let bundle: EvidenceBundle
      do { bundle = try EvidenceBundle(decoding: Array(bytes)) } catch {
        throw CommandFailure(.badData, "\(file) is no exported evidence: \(Wording.fault(error))")
      }
      var inspector = EvidenceInspector(bundle.genesis, eras: [bundle.genesis.firstEra] + bundle.eras)
      let verdict = inspector.verdict(on: bundle.evidence)
      let line = EvidenceLine(bundle, verdict)
      if json {
        try JSONLine.print(line)
      } else {
        Terminal.write(line.text)
      }
      return verdict.convicts ? .asExpected : .badData
    }
  }
}

/// `{"network": …, "member": …, "kind": …, …}`
private struct EvidenceLine: Encodable {
  let network, member, kind, verdict: String
  let era: Era
  let view: View
  let convicts: Bool

  init(_ bundle: EvidenceBundle, _ verdict: EvidenceInspector.Verdict) {
    let evidence = bundle.evidence
    let era = ([bundle.genesis.firstEra] + bundle.eras).first { $0.era == evidence.era }
    let index = Int(evidence.member)
    network = bundle.genesis.networkID.hexadecimal
    member = era.flatMap { index < $0.members.count ? $0.members[index].name : nil } ?? "member \(index)"
    kind = evidence.kind.name
    self.verdict = verdict.text
    self.era = evidence.era
    view = evidence.view
    convicts = verdict.convicts
  }

  var text: String { "network \(network)\n\(member): \(kind) in view \(view) of era \(era): \(verdict)\n" }
}
