import ArgumentParser
import Ledger
import Messages

struct LedgerBlocks: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "blocks", abstract: "Final blocks: height, view, time, leader, transactions, hash, state root.")

  @OptionGroup var options: LedgerOptions

  func run() async throws {
    try await reporting {
      var rows: [BlockRow] = []
      let replay = try options.replay { block, _, state in rows.append(BlockRow(block, state)) }
      try options.show(rows.map { $0.since(replay.genesis.time) })
      return .asExpected
    }
  }
}

struct LedgerTransactions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transactions", abstract: "Every transaction in its place: who signed it, what it does, its result.")

  @OptionGroup var options: LedgerOptions

  func run() async throws {
    try await reporting {
      var rows: [TransactionRow] = []
      _ = try options.replay { _, entries, state in rows += entries.map { TransactionRow($0, state) } }
      try options.show(rows)
      return .asExpected
    }
  }
}

struct LedgerContracts: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "contracts", abstract: "Offers that stand on the ledger.")

  @OptionGroup var options: LedgerOptions

  func run() async throws {
    try await reporting {
      let state = try options.replay().state
      var rows: [ContractRow] = []
      var last: ContractID?
      while true {
        let contracts = state.contracts(after: last)
        rows += contracts.map { ContractRow($0.id, $0.record, state) }
        guard let reached = contracts.last?.id else { break }
        last = reached
      }
      try options.show(rows.sorted { $0.contract < $1.contract })
      return .asExpected
    }
  }
}

struct LedgerActivations: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "activations", abstract: "Activations that ended, in order, then those under way.")

  @OptionGroup var options: LedgerOptions

  func run() async throws {
    try await reporting {
      let replay = try options.replay()
      var rows = replay.ended.map { ActivationRow($0.record, replay) }
      var last: ActivationID?
      while true {
        let activations = replay.state.activations(after: last)
        rows += activations.map { ActivationRow($0, replay) }
        guard let reached = activations.last?.id else { break }
        last = reached
      }
      try options.show(rows)
      return .asExpected
    }
  }
}

struct LedgerAccounts: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accounts", abstract: "Organisations, their balances, and where all the money is.")

  @OptionGroup var options: LedgerOptions

  func run() async throws {
    try await reporting {
      let state = try options.replay().state
      var rows: [AccountRow] = []
      var last: OrganisationID?
      while true {
        let accounts = state.accounts(after: last)
        rows += accounts.map { AccountRow($0) }
        guard let reached = accounts.last?.id else { break }
        last = reached
      }
      try options.show(rows.sorted { $0.name < $1.name })
      let totals = state.totals
      if !options.json {
        Terminal.write(
          "\nissued \(totals.issued) = balances \(totals.balances) + escrows \(totals.escrows) + bonds"
            + " \(totals.bonds)\(totals.isConserved ? "" : ": NOT CONSERVED")\n")
      }
      return totals.isConserved ? .asExpected : .badData
    }
  }
}
