import Consensus
import Effects
import Messages
import Roles
import Signing

/// Watches everything that honest members say and store, at the moment they do and across their lives, and has every
/// rule of ``Check`` looked at that can be seen from one step to the next.
struct SafetyMonitor {
  private(set) var consortium: Consortium
  /// The checkers' numbers of validators.
  private var members: [ActorAddress: MemberIndex]
  private(set) var votes = VoteCheck()
  private var certificates = CertificateCheck()
  private(set) var chain = ChainCheck()
  private(set) var evidence = EvidenceCheck()
  /// Per member: what it has cut off its journal.
  private var pruned: [MemberIndex: UInt64] = [:]
  private let maximumAhead: Span
  private var found = Violations()

  var violations: [Violation] { found.all }

  /// - Parameter faulty: members that a topology lets cheat.
  init(genesis: Genesis, faulty: Set<MemberIndex> = []) {
    consortium = Consortium(genesis: genesis, faulty: faulty)
    var members: [ActorAddress: MemberIndex] = [:]
    for (index, member) in genesis.members.enumerated() {
      members[ActorAddress(.validator, member.name)] = MemberIndex(index)
    }
    self.members = members
    maximumAhead = genesis.parameters.maximumAhead
  }

  /// Somebody whose disk lost what it acknowledged counts as faulty from now on.
  mutating func excuse(_ actor: ActorAddress) {
    if let member = members[actor] { consortium.excuse(member) }
  }

  /// - Parameters:
  ///   - life: of the actor, from 1.
  ///   - disk: as a crash before the effect would leave it.
  mutating func inspect(_ effect: Effect, by actor: ActorAddress, life: UInt64, disk: VirtualDisk, at now: Instant) {
    guard let member = member(actor), consortium.isHonest(member) else { return }
    switch effect {
    case .recognise(let era):
      if !consortium.learn(era.era, era.members) {
        found.add(.oneState, "\(consortium.name(member)) knows other members of era \(era.era)", at: now)
      }
    case .publish(_, .consensus(let message)), .request(_, _, .consensus(let message), _),
      .reply(_, .consensus(let message)):
      said(message, by: member, disk: disk, at: now)
    case .publish(_, .ledger(let segment)): finalized(segment, by: member, life: life, disk: disk, at: now)
    case .persist(let record): stored(record, by: member, at: now)
    default: break
    }
  }

  /// Whoever joins later is known from then on.
  private mutating func member(_ actor: ActorAddress) -> MemberIndex? {
    if let member = members[actor] { return member }
    guard actor.role == .validator else { return nil }
    let member = consortium.number(of: actor.name)
    members[actor] = member
    return member
  }

  private mutating func said(_ message: ConsensusMessage, by member: MemberIndex, disk: VirtualDisk, at now: Instant) {
    switch message {
    case .vote(let vote): left(vote, by: member, disk: disk, at: now)
    case .proposal(let proposal): left(proposal.vote, by: member, disk: disk, at: now)
    case .reproposal(let reproposal): left(reproposal.vote, by: member, disk: disk, at: now)
    case .certificate(let certificate):
      certificates.saw(certificate, by: member, consortium, at: now, &found)
    case .certificates(let certificates):
      for certificate in certificates { self.certificates.saw(certificate, by: member, consortium, at: now, &found) }
    default: break
    }
  }

  private mutating func left(_ vote: Vote, by member: MemberIndex, disk: VirtualDisk, at now: Instant) {
    guard consortium.voter(of: vote) == member else {
      return found.add(.honestNeverNamed, "\(consortium.name(member)) says what somebody else voted", at: now)
    }
    votes.left(vote, by: member, disk: disk, final: chain.finalPlace(of: member), consortium, at: now, &found)
  }

  private mutating func finalized(
    _ segment: LedgerSegment, by member: MemberIndex, life: UInt64, disk: VirtualDisk, at now: Instant
  ) {
    if let last = segment.blocks.last,
      disk.record(of: ValidatorCore.Stream.segments, key: last.header.height) == nil
    {
      found.add(
        .durableFirst, "\(consortium.name(member)) publishes height \(last.header.height), which is not durable",
        at: now)
    }
    for block in segment.blocks {
      if let parent = block.header.parentCertificate {
        certificates.saw(parent, by: member, consortium, at: now, &found)
      }
      for nullification in block.header.skipped {
        certificates.saw(nullification, by: member, consortium, at: now, &found)
      }
    }
    certificates.saw(segment.finalization, by: member, consortium, at: now, &found)
    chain.finalized(segment, by: member, life: life, consortium, at: now, &found)
  }

  private mutating func stored(_ record: Record, by member: MemberIndex, at now: Instant) {
    switch record {
    case .put(ValidatorCore.Stream.journal, _, let bytes):
      // Own votes are looked at when they leave: `[2, vote]`.
      if bytes.count > 1, bytes[1] == 2 { return }
      guard let record = try? ConsensusRecord(decoding: bytes) else {
        return found.add(.encodings, "\(consortium.name(member)) stores a record that does not decode", at: now)
      }
      switch record {
      case .certificate(let certificate): certificates.saw(certificate, by: member, consortium, at: now, &found)
      case .proposal(let proposal): votedFor(proposal, by: member, at: now)
      case .vote, .reproposal: break
      }
    case .put(ValidatorCore.Stream.evidence, _, let bytes):
      guard let proof = try? ConsensusEvidence(decoding: bytes) else { return }
      evidence.kept(proof, by: member, consortium, at: now, &found)
    case .prune(ValidatorCore.Stream.journal, let key):
      if key < pruned[member] ?? 0 {
        found.add(.neverBack, "the prune mark of \(consortium.name(member)) goes back", at: now)
      }
      pruned[member] = max(pruned[member] ?? 0, key)
    default: break
    }
  }

  /// The record of a proposal stands before the notarize vote for it.
  private mutating func votedFor(_ proposal: Proposal, by member: MemberIndex, at now: Instant) {
    let header = proposal.block.header
    guard consortium.voter(header.leader, in: header.era) != member,
      header.time > now + maximumAhead + clockError
    else { return }
    found.add(
      .blockTime,
      "\(consortium.name(member)) votes for a block \(header.time - now) ahead of its clock, in view \(header.view)",
      at: now)
  }

  /// How far a member's clock may be off by what the world does to it.
  var clockError = Span.zero
}

extension [Fault] {
  /// How far any clock can be off within so long.
  func clockError(within span: Span) -> Span {
    reduce(.zero) { sum, fault in
      guard case .clock(_, let error, _) = fault.kind else { return sum }
      let drift = Int64(error.drift.magnitude) * (span.nanoseconds / 1_000_000_000)
      let step = error.step < .zero ? .zero - error.step : error.step
      return sum + step + Span(nanoseconds: drift)
    }
  }
}
