import Bus
import Effects
import Messages
import Signing
import Testing
import Wire

@testable import Hosting

/// What is refused before anything is decoded or verified.
struct AcceptanceTests {
  /// Every number that a message may begin with, found by what a decoder says of `[number, null]`.
  private static let numbers: [UInt64] = (0...255).filter { number in
    do throws(WireError) { _ = try Message(decoding: bytes(number)) } catch {
      return error != .invalidValue(field: "message number")
    }
    return true
  }

  private static func bytes(_ number: UInt64, kind: UInt64? = nil) -> [UInt8] {
    var writer = CBORWriter()
    writer.array(2)
    writer.write(number)
    if let kind {
      writer.array(2)
      writer.write(kind)
      writer.writeNull()
    } else {
      writer.writeNull()
    }
    return writer.bytes
  }

  private static func head(_ number: UInt64, kind: UInt64 = 1) throws -> MessageHead {
    try MessageHead(of: bytes(number, kind: number == MessageHead.consensus ? kind : nil))
  }

  private func roles(asked number: UInt64, kind: UInt64 = 1, by asker: ActorAddress.Role) throws -> [ActorAddress.Role]
  {
    let head = try Self.head(number, kind: kind)
    return ActorAddress.Role.allCases.filter { Acceptance.refusalOfRequest(head, to: $0, from: asker) == nil }
  }

  @Test func `every message is asked, published or an answer, and consensus is all three`() throws {
    #expect(Self.numbers.count > 30)
    for number in Self.numbers {
      let heads = try (1...10).map { try Self.head(number, kind: $0) }
      let roles = ActorAddress.Role.allCases
      let isAsked = heads.contains { head in
        roles.contains { asked in
          roles.contains { Acceptance.refusalOfRequest(head, to: asked, from: $0) == nil }
        }
      }
      let isPublished = heads.contains { head in
        roles.contains { to in
          Topic.allCases.contains { Acceptance.isPublication(head, under: $0, to: to, from: .validator) }
        }
      }
      let isAnswer = heads.contains(where: Acceptance.isAnswer)
      let uses = [isAsked, isPublished, isAnswer].count { $0 }
      // A commitment is answered with one; segments are asked for and answered.
      #expect(number == 10 ? uses == 3 : number == 52 ? uses == 2 : uses == 1, "message \(number)")
    }
  }

  @Test func `votes are taken at validators, from validators`() throws {
    #expect(try roles(asked: 10, kind: 1, by: .validator) == [.validator])
    // Vote, proposal, certificate and reproposal are published; questions and answers are not.
    let published = try (1...10).filter {
      Acceptance.isPublication(try Self.head(10, kind: $0), under: .consensus, to: .validator, from: .validator)
    }
    #expect(published == [1, 2, 3, 10])
    for role in ActorAddress.Role.allCases where role != .validator {
      #expect(try roles(asked: 10, kind: 1, by: role) == [])
      // Anybody may read the ledger.
      #expect(try roles(asked: 10, kind: 8, by: role) == [.validator])
      #expect(!Acceptance.isPublication(try Self.head(10), under: .consensus, to: .validator, from: role))
    }
  }

  @Test func `an edge takes orders from controllers and records from enclaves`() throws {
    for number: UInt64 in [46, 48, 49, 55, 60, 61, 62, 65, 81] {
      #expect(try roles(asked: number, by: .controller) == [.edge])
    }
    for number: UInt64 in [50, 52, 53, 55] { #expect(try roles(asked: number, by: .enclave) == [.edge]) }
    for number: UInt64 in [50, 52, 53, 55, 60, 61, 62, 65] { #expect(try roles(asked: number, by: .customer) == []) }
    #expect(try roles(asked: 56, by: .edge) == [.edge])
  }

  @Test func `an enclave takes sessions from customers and pairs with enclaves`() throws {
    for number: UInt64 in [46, 48, 49, 80, 81, 82] { #expect(try roles(asked: number, by: .customer) == [.enclave]) }
    #expect(try roles(asked: 82, by: .client) == [])
    for number: UInt64 in [56, 58] { #expect(try roles(asked: number, by: .enclave) == [.enclave]) }
  }

  @Test func `customers amend at controllers, and invite only one another`() throws {
    for number: UInt64 in [41, 42, 43] { #expect(try roles(asked: number, by: .customer) == [.controller]) }
    #expect(try roles(asked: 44, by: .customer) == [.customer])
    #expect(try roles(asked: 44, by: .client) == [])
  }

  @Test func `domain managers take orders from controllers; anybody reads the ledger`() throws {
    for number: UInt64 in [90, 91] {
      #expect(try roles(asked: number, by: .controller) == [.domain])
      #expect(try roles(asked: number, by: .customer) == [])
    }
    for role in ActorAddress.Role.allCases { #expect(try roles(asked: 20, by: role) == [.validator]) }
  }

  @Test func `nobody asks a client anything`() throws {
    for number in Self.numbers {
      for asker in ActorAddress.Role.allCases {
        #expect(try !roles(asked: number, kind: 8, by: asker).contains(.client))
      }
    }
  }

  @Test func `only the first bytes are looked at`() throws {
    // A submission whose body is nonsense: refused for what it is, at a contract, not for how it looks.
    let head = try MessageHead(of: [0x82, 13, 0xFF])
    #expect(Acceptance.refusalOfRequest(head, to: .contract, from: .customer)?.code == .unimplemented)
    #expect(throws: WireError.self) { try MessageHead(of: [0x83, 13, 0, 0]) }
    #expect(throws: WireError.self) { try MessageHead(of: [0x82, 10, 0xF6]) }
    #expect(throws: WireError.self) { try MessageHead(of: []) }
  }

  @Test func `what a role does not take is counted and its asker told; the core never sees it`() async throws {
    let counted = Log<String>()
    let core = Toy("alpha") { event, _ in
      if case .request(let token, _, _) = event { [.reply(token, .acknowledged)] } else { [] }
    }
    let scene = try await Scene(core) { _, observation in
      if case .counted(let name, _) = observation { counted.add(name) }
    }
    guard case .failure(let error) = await scene.ask(.getTerms) else {
      Issue.record("a validator answered for a contract")
      return
    }
    #expect(error.code == .unimplemented)
    #expect(await counted.first(1) == ["refused.unexpected"])
    try await scene.end()
  }
}
