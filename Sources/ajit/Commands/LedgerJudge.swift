import ArgumentParser
import Foundation
import Ledger
import Messages
import Signing
import Wire

struct LedgerJudge: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "judge", abstract: "Find who is guilty of two ledgers of one network that contradict each other.",
    discussion: """
      ajit ledger judge .ajit/remote-surgery /mnt/other/remote-surgery
      ajit ledger judge ours.ledger theirs.ledger --proofs guilty.cbor

      Each is a data directory or a file of `ajit ledger export`. Both are checked from the genesis on, with the \
      members of each era; behind the last block they share, every member that signed two things which exclude each \
      other is named, with its two votes. At least 2q − n of n members are, when both end in a finalization. Exit \
      status 0 when one is a prefix of the other, 2 when they contradict each other, 65 when one is no ledger.

      Stated assumption: no quorum of keys of a past era has leaked. Views further back than 64 behind a block are not \
      shown by its header; a fork across more skipped views needs the members' certificates as well.
      """)

  @Argument(help: "A data directory or an exported ledger.", completion: .file())
  var first: String

  @Argument(help: "The other.", completion: .file())
  var second: String

  @Option(help: "Write the proofs here: one CBOR array of evidence, as a transaction ReportEvidence carries it.")
  var proofs: String?

  @Flag(help: "One JSON object per line: one per culprit, then one of type `result`.")
  var json = false

  func run() async throws {
    try await reporting {
      let chains = [try ChainSource(first), try ChainSource(second)]
      guard chains[0].genesis == chains[1].genesis else {
        throw CommandFailure(.badData, "\(first) and \(second) are of different networks: nothing to compare")
      }
      var judge: ChainJudge
      do { judge = try ChainJudge(genesis: chains[0].genesis) } catch {
        throw CommandFailure(.badData, "the genesis begins no network: \(Wording.fault(error))")
      }
      for (index, chain) in chains.enumerated() {
        try chain.forEachSegment { segment in
          do throws(LedgerDiscrepancy) { try judge.take(segment, of: index) } catch {
            throw CommandFailure(.badData, "\(chain.path), height \(error.height): \(error.difference.text)")
          }
        }
      }
      return try show(judge)
    }
  }

  private func show(_ judge: ChainJudge) throws -> CommandStatus {
    switch judge.verdict() {
    case .agree(let height):
      if json {
        try JSONLine.print(Verdict(forked: false, commonHeight: height, culprits: 0, atLeast: 0))
      } else {
        Terminal.write("no contradiction: both hold the same blocks up to height \(height)\n")
      }
      return .asExpected
    case .forked(let fork):
      if let proofs { try write(fork.proofs, to: proofs) }
      for (member, proof) in zip(fork.culprits, fork.proofs) { try show(member, proof) }
      if json {
        try JSONLine.print(
          Verdict(
            forked: true, commonHeight: fork.commonHeight, culprits: fork.proofs.count, atLeast: fork.atLeast))
      } else {
        Terminal.write(
          "the ledgers contradict each other behind height \(fork.commonHeight): \(fork.proofs.count) of"
            + " \(fork.era.members.count) members of era \(fork.era.era) are guilty (at least \(fork.atLeast) are,"
            + " whenever both are final)\n")
      }
      return .notAsExpected
    }
  }

  private func show(_ member: Member, _ proof: ConsensusEvidence) throws {
    if json { return try JSONLine.print(Culprit(member, proof)) }
    Terminal.write("\(member.name): \(proof.kind.name) in view \(proof.view), proof \(proof.digest.hexadecimal)\n")
  }

  private func write(_ evidence: [ConsensusEvidence], to path: String) throws {
    var writer = CBORWriter()
    writer.write(list: evidence)
    do { try Data(writer.bytes).write(to: URL(filePath: path), options: .atomic) } catch {
      throw CommandFailure(.inputOutput, "\(path) cannot be written: \(error.localizedDescription)")
    }
  }

  private struct Culprit: Encodable {
    let type = "culprit"
    let member, kind, key, proof, evidence: String
    let era: Era
    let view: View

    init(_ member: Member, _ proof: ConsensusEvidence) {
      self.member = member.name
      kind = proof.kind.name
      key = member.key.hexadecimal
      self.proof = proof.digest.hexadecimal
      evidence = Hexadecimal.encode(proof.encoded)
      era = proof.era
      view = proof.view
    }
  }

  private struct Verdict: Encodable {
    let type = "result"
    let forked: Bool
    let commonHeight: Height
    let culprits: Int
    let atLeast: Int
  }
}

struct LedgerExport: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Write a member's ledger to one file, for others to check.")

  @Argument(help: "The file to write.", completion: .file())
  var file: String

  @OptionGroup var location: DataOption

  @Option(help: "Whose copy; the one that has come furthest if left out.")
  var member: String?

  func run() async throws {
    try await reporting {
      let height = try ChainSource(try location.directory, member: member).export(to: file)
      Terminal.write("\(file): \(Wording.counted(height, "block"))\n")
      return .asExpected
    }
  }
}
