import Consensus
import FixtureSupport
import Messages
import Signing
import Testing

/// The known traps of consensus.md, by number. Where the trap is a mixture of what members hold, their disks are
/// written and they are started: recovery by replay is the only way a core ever gets a past.
struct TrapTests {
  let four: TestConsortium
  let six: TestConsortium

  init() throws {
    four = try TestConsortium(operators: 4)
    six = try TestConsortium(operators: 4, regulators: 2)
  }

  private func nullify(_ view: View) -> Ballot { .nullify(era: 0, view: view) }

  private func network(_ records: [[ConsensusRecord]], weather: TestNetwork.Weather = .calm) -> TestNetwork {
    let network = TestNetwork(four, seed: 7, weather: weather)
    for (index, list) in records.enumerated() {
      for record in list {
        network.members[index].records[record.key] = record
        if case .certificate(let certificate) = record { network.checker.saw(certificate) }
      }
    }
    return network
  }

  private func expectProgress(_ network: TestNetwork, within span: Span = .seconds(10)) {
    network.submit(1)
    #expect(network.run(atMost: span) { network.leastHeight >= 2 })
    #expect(network.checker.violations.isEmpty, "\(network.checker.violations)")
  }

  @Test("1: half hold a notarization and a nullification, half the reverse")
  func crossedCertificates() {
    let first = four.proposal(view: 1, on: four.genesis, certificate: nil)
    let nullified = four.certificate(nullify(1), by: [1, 2, 3])
    let second = four.proposal(view: 2, on: four.genesis, certificate: nil, skipped: [nullified])
    let everybody: [MemberIndex] = [0, 1, 2, 3]
    let past: [[ConsensusRecord]] = everybody.map { member in
      [
        .vote(four.vote(.notarize(first.proposition), by: member)), .vote(four.vote(nullify(1), by: member)),
        .vote(four.vote(.notarize(second.proposition), by: member)), .vote(four.vote(nullify(2), by: member)),
      ]
    }
    let one: [ConsensusRecord] = [
      .proposal(first), .certificate(four.certificate(.notarize(first.proposition), by: [0, 1, 2])),
      .certificate(four.certificate(nullify(2), by: [0, 1, 3])),
    ]
    let other: [ConsensusRecord] = [
      .certificate(nullified), .proposal(second),
      .certificate(four.certificate(.notarize(second.proposition), by: [0, 2, 3])),
    ]
    let network = network([past[0] + one, past[1] + one, past[2] + other, past[3] + other])
    network.start()
    #expect((0..<4).allSatisfy { network.view($0) == 3 })
    expectProgress(network)
  }

  @Test("2: one certified, the others nullified, and a laggard on an idle, lossy bus")
  func laggardOnAnIdleBus() {
    let block = four.proposal(view: 1, on: four.genesis, certificate: nil)
    let notarize = { (member: MemberIndex) in ConsensusRecord.vote(four.vote(.notarize(block.proposition), by: member))
    }
    let nullification = ConsensusRecord.certificate(four.certificate(nullify(1), by: [1, 2, 3]))
    let network = network(
      [
        [
          .proposal(block), notarize(0), .vote(four.vote(.finalize(block.proposition), by: 0)),
          .certificate(four.certificate(.notarize(block.proposition), by: [0, 1, 2])),
        ],
        [.proposal(block), notarize(1), .vote(four.vote(nullify(1), by: 1)), nullification],
        [.proposal(block), notarize(2), .vote(four.vote(nullify(1), by: 2)), nullification],
        [.vote(four.vote(nullify(1), by: 3))],
      ], weather: .init(lossPercent: 30))
    network.start()
    #expect(network.run(atMost: .seconds(2)) { network.view(3) >= 2 })
    #expect(network.run(atMost: .seconds(20)) { network.leastHeight >= 2 })
    #expect(network.checker.violations.isEmpty, "\(network.checker.violations)")
  }

  @Test("3: everybody crashed with its nullify durable; each counts its own again")
  func everybodyRecountsItself() {
    let network = network((0..<4).map { [.vote(four.vote(nullify(1), by: MemberIndex($0)))] })
    // Three of four are a quorum only if each counts itself.
    for member in 0..<3 { network.boot(MemberIndex(member)) }
    #expect(network.run(atMost: .seconds(1)) { (0..<3).allSatisfy { network.view($0) >= 2 } })
  }

  @Test("4: a notarization after the own nullify is used, and not finalized")
  func notarizationAfterNullify() throws {
    var script = ScriptedCore(four, 0)
    _ = script.tell(.start)
    _ = script.tell(.transactionsWaiting(true))
    #expect(script.pass(.seconds(1)).spoken == [nullify(1)])
    let block = four.proposal(view: 1, on: four.genesis, certificate: nil)
    let effects = try script.hear(
      .certificate(four.certificate(.notarize(block.proposition), by: [1, 2, 3])), from: 1)
    #expect(script.core.view == 2)
    #expect(!effects.spoken.contains(.finalize(block.proposition)))
    // The view is settled by the other kind of certificate as well, and still nothing is finalized.
    let late = try script.hear(.certificate(four.certificate(nullify(1), by: [0, 1, 2])), from: 1)
    #expect(late.spoken.isEmpty)
  }

  @Test("5: a vote is durable before it leaves, and binds after a crash")
  func persistBeforeSpeaking() throws {
    var script = ScriptedCore(four, 0)
    _ = script.tell(.start)
    let block = four.proposal(view: 1, on: four.genesis, certificate: nil, notes: [1])
    let effects = try script.hear(.proposal(block), from: 1)
    #expect(effects.spoken == [.notarize(block.proposition)])
    let persisted = try #require(effects.firstIndex { if case .persist(.vote) = $0 { true } else { false } })
    let spoken = try #require(effects.firstIndex { if case .broadcast(.vote) = $0 { true } else { false } })
    #expect(persisted < spoken)

    // The records are durable, the vote never left, and the leader offers another block.
    var again = ScriptedCore(four, 0, records: effects.records)
    let repeated = again.tell(.start)
    #expect(repeated.spoken == [.notarize(block.proposition)])
    let other = try again.hear(.proposal(Equivocator.twin(of: block, four)), from: 1)
    #expect(other.spoken.isEmpty)
    #expect(other.evidence.map(\.member) == [1])
  }

  @Test("6: a block log ahead of the journal: nothing is signed below it, and the member goes on")
  func logAheadOfJournal() {
    let network = TestNetwork(four, seed: 5)
    network.start()
    network.submitEvery(.milliseconds(20))
    #expect(network.run(atMost: .seconds(10)) { network.leastHeight >= 5 })
    network.crash(2)
    network.members[2].records = [:]
    network.members[2].log = network.members[0].log
    network.boot(2)
    #expect(network.view(2) > network.members[2].tip?.view ?? 0)
    let height = network.greatestHeight
    #expect(network.run(atMost: .seconds(10)) { network.leastHeight >= height + 3 })
    #expect(network.checker.violations.isEmpty, "\(network.checker.violations)")
  }

  @Test("7: a lost finalization does not block the commit of later blocks")
  func lostFinalization() {
    let network = TestNetwork(four, seed: 3)
    network.passes = { message, _, receiver in
      guard receiver == 3 else { return true }
      switch message {
      case .vote(let vote): return vote.ballot.view != 1 || vote.ballot.kind != MessageKind.finalize
      // Neither by asking nor from a neighbour.
      case .certificate(let certificate): return certificate.ballot.kind != MessageKind.finalize
      case .certificates, .segments: return false
      default: return true
      }
    }
    network.start()
    network.submit(1)
    #expect(network.run(atMost: .milliseconds(100)) { network.members[0].height == 1 })
    network.submit(2)
    #expect(network.run(atMost: .seconds(1)) { network.members[3].height >= 2 })
    #expect(network.members[3].log.flatMap(\.blocks).map(\.header.height).prefix(2) == [1, 2])
    #expect(network.checker.violations.isEmpty)
  }

  @Test("8: after a last-moment proposal some hold a nullification, some a notarization")
  func lastMomentProposal() {
    let block = four.proposal(view: 1, on: four.genesis, certificate: nil)
    let notarize = { (member: MemberIndex) in ConsensusRecord.vote(four.vote(.notarize(block.proposition), by: member))
    }
    let notarization = ConsensusRecord.certificate(four.certificate(.notarize(block.proposition), by: [0, 1, 2]))
    let nullification = ConsensusRecord.certificate(four.certificate(nullify(1), by: [1, 2, 3]))
    let network = network([
      [.proposal(block), notarize(0), notarization],
      [.proposal(block), notarize(1), .vote(four.vote(nullify(1), by: 1)), notarization],
      [.proposal(block), notarize(2), .vote(four.vote(nullify(1), by: 2)), nullification],
      [.vote(four.vote(nullify(1), by: 3)), nullification],
    ])
    network.start()
    expectProgress(network)
  }

  @Test("9: floods and far-future votes do not grow memory")
  func floodsAreBounded() throws {
    var script = ScriptedCore(four, 0)
    _ = script.tell(.start)
    for view in View(1)...2_000 {
      for ballot in [nullify(view), .finalize(Proposition(era: 0, view: view, parentView: 0, blockHash: four.network))]
      {
        _ = try script.hear(.vote(four.vote(ballot, by: 2)), from: 2)
      }
    }
    #expect(script.core.load.views <= Int(ConsensusConfiguration.viewsAhead) + 1)
    var answers = 0
    for _ in 0..<1_000 {
      answers += try script.hear(.getSegments(from: 1), from: 2).count {
        if case .sendSegments = $0 { true } else { false }
      }
    }
    #expect(answers == ConsensusConfiguration.answersPerInterval)
  }

  @Test("11: who notarized b′ does not finalize b, and names the leader")
  func otherBlockIsNotFinalized() throws {
    var script = ScriptedCore(six, 5)
    _ = script.tell(.start)
    let block = six.proposal(view: 1, on: six.genesis, certificate: nil)
    let twin = Equivocator.twin(of: block, six)
    #expect(try script.hear(.proposal(twin), from: 1).spoken == [.notarize(twin.proposition)])
    let effects = try script.hear(
      .certificate(six.certificate(.notarize(block.proposition), by: [0, 1, 2, 3])), from: 0)
    #expect(script.core.view == 2)
    #expect(effects.spoken.isEmpty)
    #expect(effects.evidence.map(\.member) == [1])
    #expect(effects.halts.isEmpty)
  }

  @Test("12: votes of a network with the same keys mean nothing in another")
  func votesOfAnotherNetwork() throws {
    let fresh = try TestConsortium(operators: 4, salt: 1)
    var verifier = Verifier(context: fresh.context)
    let vote = four.vote(nullify(1), by: 2)
    #expect(throws: VerificationError.badSignature(signer: four.keys[2].publicKey)) {
      try verifier.verify(ConsensusMessage.vote(vote))
    }
    let certificate = four.certificate(nullify(1), by: [0, 1, 2])
    #expect(throws: VerificationError.badSignature(signer: four.keys[0].publicKey)) { try verifier.verify(certificate) }
  }

  @Test("14: two of four nullified a notarized view, two finalized it: its block becomes final")
  func halfNullifiedHalfFinalized() {
    let block = four.proposal(view: 1, on: four.genesis, certificate: nil)
    let network = network(
      (0..<4).map { index in
        let member = MemberIndex(index)
        let voted: [ConsensusRecord] = [
          .proposal(block), .vote(four.vote(.notarize(block.proposition), by: member)),
        ]
        guard index < 2 else { return voted + [.vote(four.vote(nullify(1), by: member))] }
        return voted + [
          .certificate(four.certificate(.notarize(block.proposition), by: [0, 1, 2])),
          .vote(four.vote(.finalize(block.proposition), by: member)),
        ]
      })
    network.start()
    // Before any heartbeat: the next leader builds because its parent is not final.
    #expect(network.run(atMost: .milliseconds(1500)) { network.leastHeight >= 2 })
    #expect(network.honest.allSatisfy { $0.log.first?.blocks.first?.hash == block.hash })
    #expect(network.checker.violations.isEmpty)
  }
}
