import Consensus
import Effects
import Ledger
import Messages
import Signing

/// Consensus and the ledger, connected: what consensus wants done, and the answers it gets at once.
extension ValidatorCore {
  /// Hands consensus one event and carries out its effects, answering what it wants built and checked at once.
  mutating func drive(_ event: ConsensusEvent, _ turn: inout Turn) {
    var events = [event]
    while !events.isEmpty {
      for effect in consensus.handle(events.removeFirst(), at: turn.now) {
        if let answer = perform(effect, &turn) { events.append(answer) }
      }
    }
  }

  mutating func perform(_ effect: ConsensusEffect, _ turn: inout Turn) -> ConsensusEvent? {
    switch effect {
    case .persist(let record):
      turn.add(.persist(.put(stream: Stream.journal, key: record.key, bytes: record.encoded)))
    case .prune(let era, let view):
      turn.add(.persist(.prune(stream: Stream.journal, below: ConsensusRecord.firstKey(of: view, era: era))))
    case .broadcast(let message): turn.add(.publish(.consensus, .consensus(message)))
    case .send(let message, let member):
      let id = numbers.next()
      if case .getSegments = message {
        // A snapshot on its way takes their place.
        guard download == nil else { return nil }
        readings[id] = members[Int(member)]
        inquire(members[Int(member)], &turn)
      }
      turn.add(.request(id, to: members[Int(member)], .consensus(message), deadline: Self.sendDeadline))
    case .sendSegments(let height, let member):
      let id = numbers.next()
      recalls[id] = (members[Int(member)], nil)
      turn.add(.recall(id, stream: Stream.segments, from: height, limit: ConsensusMessage.maximumSegments))
    case .build(let request): return build(request, &turn)
    case .assembled(let view, let hash): executions.assembled(view: view, hash: hash)
    case .validate(let block, let hash): return validate(block, hash, &turn)
    case .notarized(let block, _): mempool.notarized(block)
    case .finalized(let segment): finalized(segment, &turn)
    case .setTimer(let timer, let at): turn.add(.setTimer(timerID(timer), at: at))
    case .cancelTimer(let timer): turn.add(.cancelTimer(timerID(timer)))
    case .evidence(let evidence): keep(evidence, &turn)
    case .refuted(let proposal, let reason): refute(proposal, reason, &turn)
    case .recollected(let recollection):
      turn.add(.persist(.put(stream: Stream.recollection, key: 0, bytes: recollection.encoded)))
      turn.note("what was signed before is known: \(recollection)")
    case .halt(let text): turn.add(.halt(HaltReason(text)))
    case .observe(let observation): observe(observation, &turn)
    }
    return nil
  }

  func timerID(_ timer: ConsensusTimer) -> TimerID { TimerID(Purpose.consensus + UInt16(timer.rawValue)) }

  mutating func build(_ request: BuildRequest, _ turn: inout Turn) -> ConsensusEvent {
    guard let leader = consensus.membership.identity?.member else { return .nothingToBuild(view: request.view) }
    do throws(ExecutionError) {
      if let built = try executions.build(request, leader: leader, from: mempool) {
        return .built(view: request.view, body: built.body, stateRoot: built.root)
      }
    } catch {
      turn.add(.halt(HaltReason("\(address) cannot execute its own block: \(error)")))
    }
    mempool.purge(executions.final)
    declined = true
    return .nothingToBuild(view: request.view)
  }

  mutating func validate(_ block: Block, _ hash: Digest, _ turn: inout Turn) -> ConsensusEvent? {
    do throws(LedgerFault) {
      return .validated(block: hash, try executions.validate(block, hash: hash))
    } catch {
      turn.add(.halt(HaltReason("\(address) cannot execute block \(block.header.height): \(error)")))
      return nil
    }
  }

  mutating func finalized(_ segment: LedgerSegment, _ turn: inout Turn) {
    var ended: [ArchivedActivation] = []
    if let fault = executions.finalize(segment, ended: &ended) { return turn.add(.halt(HaltReason(fault))) }
    guard let last = segment.blocks.last else { return }
    if let checkpoint = configuration.history.checkpoint,
      let block = segment.blocks.first(where: { $0.header.height == checkpoint.height }), block.hash != checkpoint.hash
    {
      return turn.add(
        .halt(HaltReason("block \(checkpoint.height) is \(block.hash), the checkpoint says \(checkpoint.hash)")))
    }
    turn.add(.persist(.put(stream: Stream.segments, key: last.header.height, bytes: segment.encoded)))
    mempool.finalized(segment)
    for effect in acknowledged.finalized(segment, executions.final) { turn.add(effect) }
    watch(from: segment.blocks[0].header.height, &turn)
    reading.finalized(segment)
    finalView = last.header.view
    archive(ended, &turn)
    keepBoundary(segment, &turn)
    if let next = segment.nextEra { begin(next, &turn) }
    takeSnapshot(of: segment, &turn)
    turn.add(.publish(.ledger, .ledger(segment)))
    for block in segment.blocks {
      turn.add(
        .observe(
          .blockFinal(
            height: block.header.height, view: block.header.view, transactions: block.body.transactions.count,
            blockTime: block.header.time)))
    }
  }

  mutating func observe(_ observation: ConsensusObservation, _ turn: inout Turn) {
    switch observation {
    case .entered: break
    case .eraBegan(let era, let view): turn.note("era \(era) began with view \(view)")
    case .timedOut(let view, let leader, _, let reason):
      turn.count("consensus.timedOut.\(reason.rawValue)")
      turn.note("view \(view): leader \(name(of: leader)) timed out: \(reason.rawValue)")
      viewWatch.timedOut(view, leader: name(of: leader), reason)
    case .skipped:
      turn.count("consensus.leaderSkipped")
      viewWatch.skippedLeader()
    case .joinedNullify: turn.count("consensus.joinedNullify")
    case .waiting(_, let reason): turn.count("consensus.waiting.\(reason)")
    case .refused(let view, let leader, let reason):
      turn.note(
        "view \(view): proposal of \(name(of: leader)) refused: \(reason)", .warning)
      viewWatch.refused(view, leader: name(of: leader), reason)
    case .catchingUp(let height, _): turn.note("catching up from height \(height)")
    case .dropped(_, let reason): turn.count("consensus.dropped.\(reason)")
    }
  }
}
