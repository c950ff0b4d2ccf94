import ArgumentParser
import Ledger
import Messages
import Node
import Signing

struct MembersCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "members", abstract: "Who votes: list, take in, let go, suspend, and rotate keys.",
    discussion: """
      ajit members
      ajit members propose change.cbor --join echo
      ajit members approve change.cbor --as alpha --as bravo
      ajit members submit change.cbor
      ajit members rotate alpha --prepare

      A change is a file that goes from operator to operator until a quorum of members that do not leave by it has \
      signed it. A joiner is in the topology with `observes: true`: its validator follows the ledger, says by itself \
      when it has caught up, and votes from the next era on. Everything works on running consortia, through the data \
      directory of any member.
      """,
    subcommands: [
      MembersList.self, MembersPropose.self, MembersApprove.self, MembersSubmit.self, MembersRotate.self,
    ], defaultSubcommand: MembersList.self)
}

struct MembersList: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "The era, its members, and a change that waits for its joiners.")

  @OptionGroup var options: LedgerOptions

  func run() async throws {
    try await reporting {
      let state = try options.replay().state
      let era = state.era
      if !options.json {
        Terminal.write(
          "era \(era.era) since view \(era.firstView): \(Wording.counted(era.members.count, "member")),"
            + " a quorum is \(era.quorum.votes)\n")
      }
      var rows = era.members.enumerated().map { MemberRow($1, number: $0, standing: $1.leads ? "leads" : "votes") }
      if let pending = state.pendingChange, pending.expires >= state.height {
        for joiner in pending.change.joining {
          let standing = pending.ready.contains(joiner.key) ? "joins, ready" : "joins when it has caught up"
          rows.append(MemberRow(joiner, number: nil, standing: standing))
        }
        for index in rows.indices where pending.change.leaving.contains(where: { $0.hexadecimal == rows[index].key }) {
          rows[index].standing += ", leaves"
        }
      }
      try options.show(rows)
      return .asExpected
    }
  }
}

struct MemberRow: LedgerRow {
  let member: String
  /// In votes and certificates.
  @Nullable var number: Int?
  var standing: String
  let key: String

  init(_ member: Member, number: Int?, standing: String) {
    self.member = member.name
    self.standing = standing
    key = member.key.hexadecimal
    self.number = number
  }

  static let columns: [Table.Column] = [.init("member"), .init("number", .right), .init("standing"), .init("key")]

  var cells: [Table.Cell] {
    [
      Table.Cell(member), Table.Cell(number.map { "\($0)" } ?? ""), Table.Cell(standing),
      Table.Cell(String(key.prefix(8))),
    ]
  }
}

struct MembersPropose: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "propose", abstract: "Write down a change for members to approve.")

  @Argument(help: "The file to write.", completion: .file())
  var file: String

  @Option(help: "An operator or regulator of the topology that observes and is to vote. May be repeated.")
  var join: [String] = []

  @Option(help: "A member that is to leave, or be suspended. May be repeated.")
  var leave: [String] = []

  @Option(help: "For a suspension: the digest of the evidence on the ledger, 64 hexadecimal digits.")
  var grounds: String?

  @OptionGroup var location: DataOption

  func run() async throws {
    try await reporting {
      let consortium = try location.consortium
      let state = try consortium.latestState()
      let change = MemberChange(
        era: state.era.era, number: Self.number(state), joining: try join.map { try joiner($0, consortium, state) },
        leaving: try leave.map { try Self.member($0, state).key }, grounds: try evidence())
      guard !change.joining.isEmpty || !change.leaving.isEmpty else {
        throw CommandFailure(.usage, "say who joins (--join) or leaves (--leave)")
      }
      try checkOperators(change, state)
      try MemberProposal(network: consortium.genesis.networkID, change: change).write(file)
      Terminal.write(
        "\(file): approvals of \(state.era.quorum.votes) members are needed, of which none leaves by it\n")
      return .asExpected
    }
  }

  /// Above that of a change that waits: this one takes its place.
  private static func number(_ state: LedgerState) -> UInt64 {
    guard let waiting = state.pendingChange?.change, waiting.era == state.era.era else { return 1 }
    return waiting.number + 1
  }

  static func member(_ name: String, _ state: LedgerState) throws -> Member {
    guard let member = state.era.members.first(where: { $0.name == name }) else {
      let names = state.era.members.map(\.name).joined(separator: ", ")
      throw CommandFailure(.usage, "\(name) is no member: \(names)")
    }
    return member
  }

  private func joiner(_ name: String, _ consortium: StoredConsortium, _ state: LedgerState) throws -> Member {
    guard consortium.topology.validatorNames.contains(name), let account = state.account(named: name) else {
      throw CommandFailure(.usage, "\(name) has no validator in this topology: name an operator or a regulator of it")
    }
    guard !state.era.members.contains(where: { $0.name == name }) else {
      throw CommandFailure(.usage, "\(name) is a member already")
    }
    let enrolled = consortium.genesis.organisations.first { $0.name == name }?.keys.first { $0.role == .validator }
    let own = try consortium.validatorKeys(of: name)?.last?.publicKey
    guard let key = own ?? enrolled?.key else {
      throw CommandFailure(.missingInput, "the validator key of \(name) is not known here")
    }
    return Member(name: name, key: key, organisation: account.id, leads: account.kind == .networkOperator)
  }

  private func evidence() throws -> Digest? {
    guard let grounds else { return nil }
    guard let digest = Digest(hexadecimal: grounds) else {
      throw CommandFailure(.usage, "--grounds takes 64 hexadecimal digits")
    }
    return digest
  }

  /// The ledger would refuse it; better said now than after everybody signed.
  private func checkOperators(_ change: MemberChange, _ state: LedgerState) throws {
    let rest = state.era.members.filter { !change.leaving.contains($0.key) } + change.joining
    guard !rest.isEmpty else { throw CommandFailure(.usage, "nobody would be left") }
    let quorum = Quorum(members: rest.count).votes
    let operators = rest.count(where: \.leads)
    guard operators >= quorum else {
      throw CommandFailure(
        .usage,
        "a quorum of \(rest.count) members is \(quorum), and \(operators) operators cannot make it alone:"
          + " let a regulator observe, too (--leave)")
    }
  }
}
