import ArgumentParser
import Bus
import Foundation
import Messages
import Node

struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Ask the actors of a running consortium how they are.",
    discussion: """
      ajit status
      ajit status --data .ajit/remote-surgery --json

      Exit status 69 when nothing runs on that directory.
      """)

  @OptionGroup var location: DataOption

  @Flag(help: "One JSON object per line and actor.")
  var json = false

  func run() async throws {
    try await reporting {
      let directory = try location.directory
      let answers = try await StatusInquiry(consortium: StoredConsortium.read(directory)).answers()
      guard answers.contains(where: { $0.error == nil }) else {
        throw CommandFailure(
          .unavailable, "no actor answers on \(directory): start one with `ajit up FILE --data \(directory)`")
      }
      try show(answers)
      return .asExpected
    }
  }

  private func show(_ answers: [StatusInquiry.Answer]) throws {
    if json {
      for answer in answers { try JSONLine.print(answer) }
      return
    }
    let terminal = Terminal()
    let indent = (answers.map(\.shortActor.count).max() ?? 0) + 2
    for answer in answers {
      let text = answer.items.map { "\($0.name) \($0.isLongName ? String($0.value.prefix(8)) : $0.value)" }
      let style: Terminal.Style = answer.error == nil ? .plain : .yellow
      // All of it, over as many lines as it takes: what is cut off is what somebody looked for.
      let lines = VisibleText.wrapped(
        answer.error ?? text.joined(separator: ", "), to: max(20, terminal.tableWidth - indent))
      for (index, line) in lines.enumerated() {
        let actor = index == 0 ? answer.shortActor : ""
        Terminal.write(
          actor + String(repeating: " ", count: indent - actor.count) + terminal.styled(line, style) + "\n")
      }
    }
  }
}

/// Asks every actor of a node over its socket. Who knows the directory may ask: the socket is its owner's.
struct StatusInquiry {
  let consortium: StoredConsortium
  /// Who is asked; nil for everybody.
  var roles: [ActorAddress.Role]?

  /// How long one actor has to answer.
  private static let deadline = Span.seconds(2)

  struct Answer: Encodable, Sendable {
    let actor: String
    let items: [Item]
    @Nullable var error: String?

    struct Item: Encodable, Sendable {
      let name: String
      let value: String

      /// Of 64 digits, of which eight are enough for people.
      var isLongName: Bool { value.count == 64 && value.allSatisfy(\.isHexDigit) }
    }

    /// Contracts are named by 64 digits; eight are enough for people.
    var shortActor: String { actor.count > 40 ? String(actor.prefix(17)) : actor }
  }

  func answers() async throws -> [Answer] {
    let places = consortium.places.map { (endpoint: Consortium.busEndpoint(dataDirectory: $0.directory), $0.actors) }
    let live = places.filter { place in
      if case .ipc(let path) = place.endpoint { FileManager.default.fileExists(atPath: path) } else { false }
    }
    guard !live.isEmpty else {
      throw CommandFailure(
        .unavailable, "nothing runs on \(consortium.path): start it with `ajit up FILE --data \(consortium.path)`")
    }
    let bus: Bus
    do { bus = try Bus() } catch { throw NodeError.bus(error) }
    let contracts = roles == nil ? contracts() : []
    var questions: [(actor: ActorAddress, endpoint: BusEndpoint)] = []
    for (endpoint, actors) in places {
      // Enclaves answer their customers only, and their launchers have nothing to say.
      questions += actors.filter { $0.role != .enclave && $0.role != .platform && asks($0) }.map { ($0, endpoint) }
      for actor in actors where actor.role == .controller && asks(actor) {
        questions += contracts.filter { $0.owner == actor.name }.map { ($0.contract, endpoint) }
      }
    }
    let answers = await ask(questions, over: bus)
    await bus.shutdown()
    return answers
  }

  private func asks(_ actor: ActorAddress) -> Bool { roles?.contains(actor.role) ?? true }

  /// As far as the ledger here can be read: contracts are known by their ids only there.
  private func contracts() -> [(contract: ActorAddress, owner: String)] {
    guard let first = consortium.blockLogs.first,
      let log = try? BlockLog(member: first.member, path: first.path),
      let state = try? LedgerReplay(consortium, log).state
    else { return [] }
    return state.contracts().compactMap { contract in
      let owner = consortium.genesis.organisations.first { $0.id == contract.record.terms.operatorID }
      return owner.map { (.contract(contract.id), $0.name) }
    }
  }

  private func ask(
    _ questions: [(actor: ActorAddress, endpoint: BusEndpoint)], over bus: Bus
  ) async -> [Answer] {
    let client = ActorAddress(.client, "status-\(ProcessInfo.processInfo.processIdentifier)")
    return await withTaskGroup(of: (Int, Answer).self) { group in
      for (index, question) in questions.enumerated() {
        group.addTask { (index, await Self.ask(question.actor, from: client, at: question.endpoint, over: bus)) }
      }
      var answers: [(Int, Answer)] = []
      for await answer in group { answers.append(answer) }
      return answers.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }

  private static func ask(
    _ address: ActorAddress, from client: ActorAddress, at endpoint: BusEndpoint, over bus: Bus
  ) async -> Answer {
    do {
      try await bus.route(address, to: endpoint)
      let body = try await bus.request(
        from: client, to: address, body: Message.getStatus.encoded, deadline: deadline)
      guard case .status(let items) = try Message(decoding: body) else {
        return Answer(actor: "\(address)", items: [], error: "answers something else")
      }
      return Answer(
        actor: "\(address)", items: items.map { Answer.Item(name: $0.name, value: $0.value) }, error: nil)
    } catch {
      return Answer(actor: "\(address)", items: [], error: "\(error)")
    }
  }
}
