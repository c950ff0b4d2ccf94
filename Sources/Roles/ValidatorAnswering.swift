import Effects
import Ledger
import Messages
import Signing

/// What a validator is asked: by members, by followers that read the ledger, by parties that submit and look things up.
extension ValidatorCore {
  mutating func answer(
    _ token: ReplyToken, _ from: ActorAddress, _ message: Verified<Message>, _ turn: inout Turn
  ) {
    switch message.value {
    case .consensus(.getSegments(let height)) where !members.contains(from):
      // A follower: anybody may read the ledger.
      guard recalls.count < Self.maximumRecalls else {
        let text = "\(Self.maximumRecalls) others are reading old blocks"
        return turn.add(.refuse(token, RemoteError(.tooManyRequests, text)))
      }
      let id = numbers.next()
      recalls[id] = (from, token)
      turn.add(.recall(id, stream: Stream.segments, from: height, limit: ConsensusMessage.maximumSegments))
    case .consensus(let content):
      received(content, message, from: from, &turn)
      turn.add(.reply(token, .acknowledged))
    case .submit(let transaction): submitted(token, transaction, &turn)
    case .witness(let witnessed): witness(token, witnessed, &turn)
    case .approval(let approval) where members.contains(from): approved(token, approval, &turn)
    case .getEntries(let request): read(token, request, &turn)
    case .getSnapshot(let request): answer(token, request, &turn)
    case .getSnapshotChunk(let request): answer(token, request, &turn)
    case .getStatus: turn.add(.reply(token, .status(status(at: turn.now))))
    default:
      let text = "a validator answers submit, witness, consensus, getEntries, getSnapshot, getSnapshotChunk, getStatus"
      turn.add(.refuse(token, RemoteError(.unimplemented, text)))
    }
  }

  mutating func read(_ token: ReplyToken, _ request: EntriesRequest, _ turn: inout Turn) {
    do throws(RemoteError) {
      turn.add(.reply(token, .entries(try reading.answer(request, from: executions.final, at: turn.now))))
    } catch {
      turn.count("validator.readRefused")
      turn.add(.refuse(token, error))
    }
  }

  /// Old blocks read back: whole segments, as many as one answer takes.
  mutating func recalled(_ id: RequestID, _ records: [StoredRecord], _ turn: inout Turn) {
    guard let (member, asker) = recalls.removeValue(forKey: id) else { return }
    var segments: [LedgerSegment] = []
    var bytes = 0
    for record in records {
      bytes += record.bytes.count
      guard segments.isEmpty || bytes <= ConsensusMessage.maximumSegmentBytes else { break }
      guard let segment = try? LedgerSegment(decoding: record.bytes) else {
        turn.add(.halt(HaltReason("a stored block of \(address) is damaged: restore the directory or start fresh")))
        return
      }
      segments.append(segment)
    }
    if let asker {
      turn.add(.reply(asker, .consensus(.segments(segments))))
    } else {
      turn.add(.request(numbers.next(), to: member, .consensus(.segments(segments)), deadline: Self.sendDeadline))
    }
  }

  func status(at now: Instant) -> [StatusItem] {
    let state = executions.final
    var items = [
      StatusItem("height", state.height), StatusItem("era", state.chain.era), StatusItem("view", consensus.view),
      StatusItem("finalView", finalView), StatusItem("stateRoot", state.root.hexadecimal),
      StatusItem("waiting", mempool.count), StatusItem("evidence", evidenceCount),
      StatusItem("standing", consensus.membership.identity == nil ? "observes" : "votes"),
    ]
    items += viewWatch.items(
      others: members.filter { $0 != address }, started: startedAt, at: now,
      heartbeat: configuration.genesis.parameters.heartbeat)
    return items
  }
}
