import ArgumentParser
import Ledger
import Messages
import Node
import Signing

struct MembersApprove: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "approve", abstract: "Sign a proposed change with the validator keys of members here.")

  @Argument(help: "The proposal.", completion: .file())
  var file: String

  @Option(
    name: .customLong("as"), help: "A member to sign as. May be repeated; every member whose key is here if left out.")
  var members: [String] = []

  @OptionGroup var location: DataOption

  func run() async throws {
    try await reporting {
      let consortium = try location.consortium
      let state = try consortium.latestState()
      var proposal = try MemberProposal.read(file, of: consortium.genesis.networkID)
      guard proposal.change.era == state.era.era else {
        throw CommandFailure(
          .badData, "\(file) is for era \(proposal.change.era), and era \(state.era.era) has begun: propose it again")
      }
      for member in state.era.members where members.isEmpty || members.contains(member.name) {
        guard let key = try consortium.memberKey(member) else {
          guard members.isEmpty else {
            throw CommandFailure(.missingInput, "the validator key of \(member.name) is not here")
          }
          continue
        }
        if !proposal.change.leaving.contains(member.key) { proposal.approve(with: key) }
      }
      if let stranger = members.first(where: { name in !state.era.members.contains { $0.name == name } }) {
        throw CommandFailure(.usage, "\(stranger) is no member")
      }
      try proposal.write(file)
      let approvers = proposal.approvers(state.era)
      Terminal.write(
        "approved by \(approvers.map(\.name).joined(separator: ", ")): \(approvers.count) of"
          + " \(state.era.quorum.votes) that are needed\n")
      return .asExpected
    }
  }
}

struct MembersSubmit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit", abstract: "Put an approved change on the ledger of a running consortium.")

  @Argument(help: "The proposal.", completion: .file())
  var file: String

  @OptionGroup var location: DataOption

  func run() async throws {
    try await reporting {
      let consortium = try location.consortium
      let state = try consortium.latestState()
      let proposal = try MemberProposal.read(file, of: consortium.genesis.networkID)
      guard proposal.approvers(state.era).count >= state.era.quorum.votes else {
        throw CommandFailure(
          .usage,
          "\(proposal.approvers(state.era).count) approvals of \(state.era.quorum.votes) that are needed:"
            + " `ajit members approve \(file)`")
      }
      guard let carrier = try state.era.members.lazy.compactMap({ try consortium.memberKey($0) }).first else {
        throw CommandFailure(.missingInput, "no member's validator key is here to carry the transaction")
      }
      let submission = Submission(consortium: consortium)
      let transaction = submission.signed(
        .changeMembers(approvals: proposal.approvals), with: carrier, on: state)
      return report(try await submission.submit(transaction), consortium, from: state.era.era)
    }
  }

  private func report(
    _ result: TransactionResult, _ consortium: StoredConsortium, from era: Era
  ) -> CommandStatus {
    guard result == .accepted else {
      Terminal.printError("the ledger refuses the change: \(result.name)")
      return .notAsExpected
    }
    if let now = try? consortium.latestState(), now.era.era == era {
      Terminal.write("accepted: era \(era + 1) begins when the joiners have caught up\n")
    } else {
      Terminal.write("accepted: era \(era + 1) begins\n")
    }
    return .asExpected
  }
}

struct MembersRotate: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rotate", abstract: "Give a member a new validator key.",
    discussion: """
      ajit members rotate alpha --prepare     makes the new key; start alpha's node again, it holds both
      ajit members rotate alpha               old and new key sign; the new one votes from the next era on

      Started again in between, the member misses no view. Until the era ends the old key votes, and late votes of the \
      era still count under it: that is the overlap.
      """)

  @Argument(help: "The member.")
  var member: String

  @Flag(help: "Only make the key.")
  var prepare = false

  @OptionGroup var location: DataOption

  func run() async throws {
    try await reporting {
      let consortium = try location.consortium
      let state = try consortium.latestState()
      let member = try MembersPropose.member(self.member, state)
      guard let keys = try consortium.validatorKeys(of: member.name), let old = try consortium.memberKey(member) else {
        throw CommandFailure(.missingInput, "the validator key of \(member.name) is not here")
      }
      let waits = keys.last?.publicKey != member.key ? keys.last : nil
      if prepare {
        guard waits == nil else { throw CommandFailure(.usage, "a new key waits already: rotate it in") }
        guard let made = try consortium.createNextValidatorKey(of: member.name) else { return .missingInput }
        Terminal.write(
          "\(member.name) will be \(made.publicKey.hexadecimal): start its node again, then"
            + " `ajit members rotate \(member.name)`\n")
        return .asExpected
      }
      guard let new = waits else {
        throw CommandFailure(.usage, "there is no new key: `ajit members rotate \(member.name) --prepare` first")
      }
      let rotation = KeyRotation(era: state.era.era, old: member.key, new: new.publicKey)
      let consent = Envelope(signing: rotation, with: new, network: consortium.genesis.networkID)
      let submission = Submission(consortium: consortium)
      let result = try await submission.submit(submission.signed(.rotateKey(consent), with: old, on: state))
      guard result == .accepted else {
        Terminal.printError("the ledger refuses the rotation: \(result.name)")
        return .notAsExpected
      }
      Terminal.write(
        "accepted: \(member.name) votes with \(new.publicKey.hexadecimal) from era \(state.era.era + 1) on\n")
      return .asExpected
    }
  }
}

extension StoredConsortium {
  /// The secret half of a member's key in its era, if it is here.
  func memberKey(_ member: Member) throws -> SigningKey? {
    try validatorKeys(of: member.name)?.first { $0.publicKey == member.key }
  }
}
