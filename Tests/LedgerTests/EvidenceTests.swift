import Ledger
import Messages
import Signing
import Testing

/// What convicts a member, on the ledger once; and what does not.
@Suite struct EvidenceTests {
  /// A vote of an operator in view 7.
  private static func vote(
    _ world: World, _ kind: UInt16, of block: UInt8 = 1, by index: MemberIndex = 2, view: View = 7
  ) -> Vote {
    let proposition = Proposition(era: 0, view: view, parentView: 6, blockHash: Digest(hashing: [block]))
    let ballot: Ballot =
      switch kind {
      case MessageKind.notarize: .notarize(proposition)
      case MessageKind.finalize: .finalize(proposition)
      default: .nullify(era: 0, view: view)
      }
    let key = World.key("\(world.genesis.members[Int(index)].name) validator")
    return Vote(ballot, by: index, with: key, network: world.genesis.networkID)
  }

  /// One of each kind that votes alone prove, and the same with the votes the other way round.
  private static func contradictions(_ world: World) -> [(ConsensusEvidence, ConsensusEvidence)] {
    let notarize = vote(world, MessageKind.notarize)
    let other = vote(world, MessageKind.notarize, of: 2)
    let finalize = vote(world, MessageKind.finalize)
    let finalizeOther = vote(world, MessageKind.finalize, of: 2)
    let nullify = vote(world, MessageKind.nullify)
    return [
      (.conflictingNotarize(notarize, other), .conflictingNotarize(other, notarize)),
      (.conflictingFinalize(finalize, finalizeOther), .conflictingFinalize(finalizeOther, finalize)),
      (
        .nullifyFinalize(nullify: nullify, finalize: finalize),
        .nullifyFinalize(nullify: nullify, finalize: finalizeOther)
      ),
      (
        .notarizeFinalize(notarize: notarize, finalize: finalizeOther),
        .notarizeFinalize(notarize: other, finalize: finalize)
      ),
    ]
  }

  @Test func contradictingVotesConvictOnce() throws {
    var world = try World()
    let guilty = World.key("operator-2 validator").publicKey
    for (evidence, again) in Self.contradictions(world) {
      // Signatures of votes hold under the keys of the era's members.
      var verifier = Verifier(context: world.genesis.verificationContext)
      _ = try verifier.verify(world.sign(.reportEvidence(evidence), by: "hospital treasury"))
      #expect(try world.send(.reportEvidence(evidence), by: "hospital treasury") == .accepted)
      let conviction = Conviction(signer: guilty, era: 0, view: 7, kind: evidence.kind)
      #expect(world.last?.outcomes.events == [.memberConvicted(conviction)])
      #expect(world.state.evidence(for: conviction)?.evidence == evidence)
      // By anybody else, in other words: it stands there already.
      #expect(try world.send(.reportEvidence(evidence), by: "operator-0 validator") == .alreadyExists)
      #expect(try world.send(.reportEvidence(again), by: "platoon treasury") == .alreadyExists)
      #expect(world.last?.outcomes.events == [])
    }
    #expect(world.state.convictions(of: guilty).map(\.evidence.kind.rawValue) == [1, 2, 3, 4])
    #expect(world.state.evidence.count == 4)
  }

  @Test func whatContradictsNothingConvictsNobody() throws {
    var world = try World()
    let notarize = Self.vote(world, MessageKind.notarize)
    let finalize = Self.vote(world, MessageKind.finalize)
    let worthless: [ConsensusEvidence] = [
      .conflictingNotarize(notarize, notarize),
      .conflictingNotarize(notarize, finalize),
      .conflictingNotarize(notarize, Self.vote(world, MessageKind.notarize, of: 2, view: 8)),
      .conflictingNotarize(notarize, Self.vote(world, MessageKind.notarize, of: 2, by: 3)),
      .notarizeFinalize(notarize: notarize, finalize: finalize),
      // Notarize, then nullify: legal.
      .nullifyFinalize(nullify: Self.vote(world, MessageKind.nullify), finalize: notarize),
    ]
    for evidence in worthless {
      #expect(try world.send(.reportEvidence(evidence), by: "hospital treasury") == .invalidArgument)
    }
    let ofNoEra = Proposition(era: 5, view: 7, parentView: 6, blockHash: .zero)
    let key = World.key("operator-2 validator")
    let votes = [Digest(hashing: [1]), Digest(hashing: [2])].map { hash in
      Vote(
        .notarize(Proposition(era: ofNoEra.era, view: 7, parentView: 6, blockHash: hash)), by: 2, with: key,
        network: world.genesis.networkID)
    }
    #expect(
      try world.send(.reportEvidence(.conflictingNotarize(votes[0], votes[1])), by: "hospital treasury") == .notFound)
    #expect(world.state.evidence.isEmpty)
  }

  @Test func aLiarThatGoesOnFillsNoState() throws {
    var world = try World()
    let guilty = World.key("operator-2 validator").publicKey
    for view in View(1)...View(LedgerLimits.evidencePerSigner + 1) {
      let evidence = ConsensusEvidence.conflictingNotarize(
        Self.vote(world, MessageKind.notarize, view: view), Self.vote(world, MessageKind.notarize, of: 2, view: view))
      let result = try world.send(.reportEvidence(evidence), by: "hospital treasury")
      #expect(result == (view <= View(LedgerLimits.evidencePerSigner) ? .accepted : .outOfRange))
    }
    #expect(world.state.convictions(of: guilty).count == LedgerLimits.evidencePerSigner)
  }

  // MARK: InvalidProposal

  private static func statement(_ world: World, _ vote: Vote, by name: String) throws -> Envelope {
    let proposition = try #require(vote.ballot.proposition)
    return Envelope(
      signing: InvalidProposalStatement(proposition), with: World.key(name), network: world.genesis.networkID)
  }

  @Test func oneMemberAloneConvictsNoLeaderOfAnInvalidBlock() throws {
    var world = try World()
    let vote = Self.vote(world, MessageKind.notarize)
    func evidence(_ names: String...) throws -> Action {
      .reportEvidence(
        .invalidProposal(
          InvalidProposal(vote: vote, statements: try names.map { try Self.statement(world, vote, by: $0) })))
    }
    let conviction = Conviction(
      signer: World.key("operator-2 validator").publicKey, era: 0, view: 7, kind: .invalidProposal)
    #expect(try world.send(try evidence("operator-0 validator"), by: "operator-0 validator") == .accepted)
    #expect(world.last?.outcomes.events == [])
    #expect(world.state.evidence(for: conviction)?.isComplete == false)
    #expect(try world.send(try evidence("operator-0 validator"), by: "operator-0 validator") == .alreadyExists)
    // No member, the accused itself, one member twice: no statement of an honest member among them.
    for names in [["hospital treasury"], ["operator-2 validator"], ["operator-1 validator", "operator-1 validator"]] {
      let statements = try names.map { try Self.statement(world, vote, by: $0) }
      let action = Action.reportEvidence(.invalidProposal(InvalidProposal(vote: vote, statements: statements)))
      #expect(try world.send(action, by: "hospital treasury") == .invalidArgument)
    }
    // n = 5, f = 1: the second makes sure of an honest one.
    #expect(try world.send(try evidence("regulator validator"), by: "hospital treasury") == .accepted)
    #expect(world.last?.outcomes.events == [.memberConvicted(conviction)])
    #expect(world.state.evidence(for: conviction)?.isComplete == true)
    #expect(try world.send(try evidence("operator-3 validator"), by: "hospital treasury") == .alreadyExists)
  }
}
