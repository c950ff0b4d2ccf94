import Consensus
import FixtureSupport
import Messages
import Signing
import Testing
import Wire

/// The bytes of consensus on the wire, pinned.
struct VectorTests {
  struct MessageVector: Codable {
    var name: String
    /// Canonical CBOR of the consensus message.
    var message: String
    /// SHA-256 of the block's header, where there is a block.
    var blockHash: String?
  }

  private let network = Digest(label: "golden network")
  private let keys: [SigningKey]

  init() throws { keys = try (0..<4).map { try SigningKey(seed: Self.seed($0)) } }

  private static func seed(_ member: Int) -> [UInt8] { [UInt8](repeating: UInt8(0x40 + member), count: 32) }

  private func vote(_ ballot: Ballot, _ member: MemberIndex) -> Vote {
    Vote(ballot, by: member, with: keys[Int(member)], network: network)
  }

  private func certificate(_ ballot: Ballot, _ members: [MemberIndex]) -> Certificate {
    Certificate(ballot: ballot, votes: members.map { ($0, vote(ballot, $0).signature) })
  }

  /// The second block of a chain, in view 4: its parent is of view 2, view 3 was skipped.
  private var proposal: Proposal {
    let parent = Proposition(era: 0, view: 2, parentView: 0, blockHash: Digest(label: "golden parent"))
    let body = BlockBody(
      transactions: [Envelope(signing: Note(number: 7), with: keys[0], network: network)],
      outcomes: BlockOutcomes(results: [.accepted], events: []))
    let header = BlockHeader(
      era: 0, view: 4, parentView: 2, height: 2, parentHash: parent.blockHash,
      time: Instant(nanoseconds: 1_700_000_000_000_000_000), leader: 0, transactionsRoot: body.transactionsRoot,
      outcomesRoot: body.outcomesRoot, stateRoot: Digest(label: "golden state"),
      parentCertificate: certificate(.notarize(parent), [0, 1, 3]),
      skipped: [certificate(.nullify(era: 0, view: 3), [1, 2, 3])])
    let block = Block(header: header, body: body)
    return Proposal(block: block, vote: vote(.notarize(header.proposition(hash: block.hash)), 0))
  }

  private var messages: [(String, ConsensusMessage)] {
    let proposal = proposal
    let proposition = proposal.proposition
    let segment = LedgerSegment(blocks: [proposal.block], finalization: certificate(.finalize(proposition), [0, 1, 2]))
    return [
      ("vote notarize", .vote(vote(.notarize(proposition), 2))),
      ("vote nullify", .vote(vote(.nullify(era: 0, view: 3), 1))),
      ("vote finalize", .vote(vote(.finalize(proposition), 3))),
      ("proposal", .proposal(proposal)),
      ("certificate", .certificate(certificate(.finalize(proposition), [0, 1, 2]))),
      ("getBlock", .getBlock(proposition.blockHash)),
      ("block", .block(proposal.block)),
      ("getCertificates", .getCertificates(from: 3, through: 258)),
      ("certificates", .certificates([certificate(.nullify(era: 0, view: 3), [1, 2, 3])])),
      ("getSegments", .getSegments(from: 2)),
      ("segments", .segments([segment])),
    ]
  }

  @Test func messagesKeepTheirBytes() throws {
    let hash = proposal.hash.hexadecimal
    try Fixtures.check(
      "consensus", about: "Consensus messages, canonical CBOR; four members with the keys of messages-votes.",
      messages.map { name, message in
        let hasBlock = ["proposal", "block", "segments"].contains(name)
        return MessageVector(
          name: name, message: Hexadecimal.encode(message.encoded), blockHash: hasBlock ? hash : nil)
      })
  }

  @Test func votesKeepTheirBytes() throws {
    let proposition = proposal.proposition
    try Fixtures.check(
      "messages-votes", about: "The votes of consensus as COSE_Sign1 envelopes that do not name their signer.",
      [
        try EnvelopeVector(
          "notarize", signing: Notarize(proposition), seed: Self.seed(2), network: network, namesSigner: false),
        try EnvelopeVector(
          "nullify", signing: Nullify(era: 0, view: 3), seed: Self.seed(1), network: network, namesSigner: false),
        try EnvelopeVector(
          "finalize", signing: Finalize(proposition), seed: Self.seed(3), network: network, namesSigner: false),
      ])
  }

  @Test func everyMessageComesBackAndVerifies() throws {
    let context = VerificationContext(network: network, scheme: .ed25519, members: keys.map(\.publicKey))
    for (name, message) in messages {
      let bytes = message.encoded
      #expect(try ConsensusMessage(decoding: bytes) == message, "\(name)")
      var verifier = Verifier(context: context)
      #expect(throws: Never.self, "\(name)") { try verifier.verify(message) }
      for count in stride(from: 0, to: bytes.count, by: 7) {
        #expect(throws: WireError.self) { try ConsensusMessage(decoding: Array(bytes.prefix(count))) }
      }
    }
  }

  @Test func aCertificateGivesBackEveryVoteByteForByte() throws {
    let ballot = Ballot.finalize(proposal.proposition)
    let members: [MemberIndex] = [0, 2, 3]
    let certificate = certificate(ballot, members)
    #expect(certificate.members == members)
    for (member, rebuilt) in zip(members, certificate.votes) {
      let made = Envelope(
        anonymouslySigning: Finalize(proposal.proposition), with: keys[Int(member)], network: network)
      #expect(rebuilt.envelope.bytes == made.bytes)
    }
  }

  @Test func certificatesNeedAQuorumOfDistinctMembers() throws {
    let context = VerificationContext(network: network, scheme: .ed25519, members: keys.map(\.publicKey))
    var verifier = Verifier(context: context)
    #expect(throws: VerificationError.noQuorum) {
      try verifier.verify(certificate(.nullify(era: 0, view: 3), [1, 2]))
    }
    // Member 4 does not exist.
    let strange = Certificate(
      ballot: .nullify(era: 0, view: 3),
      votes: [MemberIndex(1), 2, 4].map { ($0, vote(.nullify(era: 0, view: 3), 1).signature) })
    #expect(throws: VerificationError.noQuorum) { try verifier.verify(strange) }
  }

  @Test func aSegmentWithAnotherBodyOrChainIsRefused() throws {
    let context = VerificationContext(network: network, scheme: .ed25519, members: keys.map(\.publicKey))
    var verifier = Verifier(context: context)
    var block = proposal.block
    let finalization = certificate(.finalize(proposal.proposition), [0, 1, 2])
    #expect(throws: Never.self) { try verifier.verify(LedgerSegment(blocks: [block], finalization: finalization)) }
    block.body = .empty
    #expect(throws: VerificationError.self) {
      try verifier.verify(LedgerSegment(blocks: [block], finalization: finalization))
    }
    block = proposal.block
    block.header.height = 3
    #expect(throws: VerificationError.self) {
      try verifier.verify(LedgerSegment(blocks: [block], finalization: finalization))
    }
    #expect(throws: VerificationError.self) {
      try verifier.verify(LedgerSegment(blocks: [proposal.block, proposal.block], finalization: finalization))
    }
  }

  @Test func recordsComeBackUnderOrderedKeys() throws {
    let records: [ConsensusRecord] = [
      .proposal(proposal), .vote(vote(.notarize(proposal.proposition), 2)), .vote(vote(.nullify(era: 0, view: 4), 2)),
      .certificate(certificate(.finalize(proposal.proposition), [0, 1, 2])),
    ]
    for record in records { #expect(try ConsensusRecord(decoding: record.encoded) == record) }
    let keys = records.map(\.key)
    #expect(keys == keys.sorted() && Set(keys).count == keys.count)
    #expect(
      keys.allSatisfy { $0 >= ConsensusRecord.firstKey(of: 4, era: 0) && $0 < ConsensusRecord.firstKey(of: 5, era: 0) })
  }
}
