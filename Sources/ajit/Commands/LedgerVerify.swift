import ArgumentParser
import Ledger
import Messages
import Node
import Storage

struct LedgerVerify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check members' ledgers from the genesis: certificates, signatures, roots, money.",
    discussion: """
      ajit ledger verify
      ajit ledger verify --data .ajit/remote-surgery --member bravo

      Trusts the genesis and nothing else. Where the first blocks were deleted (`ajit up --keep-blocks`), it begins \
      with the snapshot, which a quorum certified, and says so. Every block is executed again, every signature and \
      certificate verified, all money counted, and all members must hold the same blocks up to their common height. \
      Exit status 65 when anything differs, with the member, the height and what it is.
      """)

  @OptionGroup var location: DataOption

  @Option(help: "Check only this member's copy.")
  var member: String?

  @Flag(help: "One JSON object per line: one per member, then one of type `result`.")
  var json = false

  func run() async throws {
    try await reporting {
      let consortium = try location.consortium
      let logs = consortium.blockLogs.filter { member == nil || $0.member == member }
      guard !logs.isEmpty else {
        let names = consortium.blockLogs.map(\.member).joined(separator: ", ")
        throw CommandFailure(.usage, "there is no member \(member ?? ""): choose one of \(names)")
      }
      var auditor: LedgerAuditor
      do { auditor = try LedgerAuditor(genesis: consortium.genesis) } catch {
        throw CommandFailure(.badData, "\(consortium.path)/genesis.cbor begins no network: \(Wording.fault(error))")
      }
      var findings: [LedgerAuditor.Finding] = []
      // Who still has the first blocks comes first: its copy says what the others' snapshots must be.
      for log in Self.earliestFirst(logs) {
        let finding = Self.examine(log, &auditor)
        try show(finding)
        findings.append(finding)
      }
      let verdict = Verdict(auditor, findings)
      try show(verdict)
      return verdict.holds ? .asExpected : .badData
    }
  }

  private static func earliestFirst(_ logs: [(member: String, path: String)]) -> [(member: String, path: String)] {
    var ranked: [(first: Height, position: Int, log: (member: String, path: String))] = []
    for (position, log) in logs.enumerated() {
      let first = (try? BlockLog(member: log.member, path: log.path).firstHeight()) ?? 0
      ranked.append((first, position, log))
    }
    return ranked.sorted { ($0.first, $0.position) < ($1.first, $1.position) }.map(\.log)
  }

  private static func examine(_ log: (member: String, path: String), _ auditor: inout LedgerAuditor)
    -> LedgerAuditor.Finding
  {
    do throws(StorageError) {
      return auditor.examine(try BlockLog(member: log.member, path: log.path))
    } catch {
      return LedgerAuditor.Finding(member: log.member, problem: "\(log.member): \(error)")
    }
  }

  // MARK: Output

  private func show(_ finding: LedgerAuditor.Finding) throws {
    if json { return try JSONLine.print(MemberLine(finding)) }
    let terminal = Terminal()
    if let problem = finding.problem {
      Terminal.printError(problem)
    } else {
      Terminal.write(
        "\(finding.member): \(terminal.styled("holds", .green)): \(Wording.counted(finding.height, "block")),"
          + " \(Wording.counted(finding.transactions, "transaction"))"
          + (finding.snapshot > 0 ? ", from the snapshot of height \(finding.snapshot) on" : "") + "\n")
    }
  }

  private func show(_ verdict: Verdict) throws {
    if json { return try JSONLine.print(verdict) }
    let terminal = Terminal()
    if let problem = verdict.money { Terminal.printError("money: \(problem)") }
    Terminal.write(
      "money at height \(verdict.height): issued \(verdict.issued) = balances \(verdict.balances) + escrows"
        + " \(verdict.escrows) + bonds \(verdict.bonds): "
        + (verdict.conserved ? terminal.styled("conserved", .green) : terminal.styled("NOT conserved", .red)) + "\n")
    guard verdict.holds else {
      return Terminal.write(terminal.styled("the ledger does NOT hold", .red) + "\n")
    }
    Terminal.write(
      "\(Wording.counted(verdict.members, "member")) \(verdict.members == 1 ? "holds" : "hold") the same blocks up to"
        + " height \(verdict.commonHeight); certificates, signatures, roots and money hold from the "
        + (verdict.fromHeight == 0
          ? "genesis on\n"
          : "snapshot of height \(verdict.fromHeight) on, which a quorum certified (assuming that no quorum of keys"
            + " of an era up to then has leaked); what was before it is deleted\n"))
  }

  private struct MemberLine: Encodable {
    let type = "member"
    let member: String
    let height: Height
    let transactions: Int
    /// The snapshot that the copy begins with; 0 for one that begins with the first block.
    let snapshot: Height
    @Nullable var problem: String?

    init(_ finding: LedgerAuditor.Finding) {
      member = finding.member
      height = finding.height
      transactions = finding.transactions
      snapshot = finding.snapshot
      problem = finding.problem
    }
  }

  private struct Verdict: Encodable {
    let type = "result"
    let holds: Bool
    let conserved: Bool
    let members: Int
    let height: Height
    /// Where execution began: 0 for the genesis, otherwise a snapshot's height.
    let fromHeight: Height
    /// What every member that holds has.
    let commonHeight: Height
    let issued, balances, escrows, bonds: Amount
    @Nullable var money: String?

    init(_ auditor: LedgerAuditor, _ findings: [LedgerAuditor.Finding]) {
      var money: String?
      do throws(LedgerDiscrepancy) { try auditor.audit() } catch { money = error.difference.text }
      let totals = auditor.state.totals
      conserved = money == nil && totals.isConserved
      holds = conserved && findings.allSatisfy { $0.problem == nil }
      members = findings.count
      height = auditor.height
      fromHeight = auditor.origin
      commonHeight = findings.map(\.height).min() ?? 0
      (issued, balances, escrows, bonds) = (totals.issued, totals.balances, totals.escrows, totals.bonds)
      self.money = money
    }
  }
}
