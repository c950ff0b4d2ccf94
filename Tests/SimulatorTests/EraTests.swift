import Effects
import Ledger
import Messages
import Roles
import Signing
import Testing

@testable import Simulator

/// Members come, change keys and go while the network loses messages and members crash: whole validators with the real
/// ledger, one of which observes until it is taken in.
@Suite struct EraTests {
  @Test(arguments: Seeds.few(4)) func membersChangeUnderCrashes(seed: UInt64) throws {
    let story = try EraStory()
    var random = VirtualRandom(seed: seed)
    let faults = (0..<5).map { _ in
      Fault.crash(
        story.validators[Int(random.below(UInt64(story.validators.count)))],
        at: .milliseconds(Int64(random.below(6_000))), down: .milliseconds(300 + Int64(random.below(2_000))))
    }
    let world = story.world(seed: seed, conditions: .lossy, faults: faults)
    let ending = world.run(
      until: { [unowned world] in story.isOver(world) }, timeLimit: .seconds(180), eventLimit: 2_000_000)
    let eras = world.ledgers(of: story.validators).map { $0?.era.era ?? 0 }
    #expect(ending == .satisfied, "seed \(seed): eras \(eras)")
    #expect(world.halts.isEmpty, "seed \(seed): \(world.halts.map(\.reason))")

    // One chain, verified from the genesis through every era.
    var verifier = try LedgerVerifier(genesis: story.genesis)
    let segments = try story.segments(world.disk(story.validators[0]))
    for block in segments.flatMap(\.blocks) { try verifier.check(block) }
    let last = verifier.state.era
    #expect(last.era == 3)
    #expect(last.members.map(\.name) == ["operator-0", "operator-1", "operator-2", "operator-3", "operator-4"])
    #expect(last.members[1].key == story.newKey.publicKey)
    for validator in story.validators.dropFirst() {
      let other = try story.segments(world.disk(validator)).flatMap(\.blocks).map(\.hash)
      let own = segments.flatMap(\.blocks).map(\.hash)
      let common = min(own.count, other.count)
      #expect(own.prefix(common) == other.prefix(common), "seed \(seed): \(validator)")
    }
  }
}

/// operator-4 joins, operator-1 takes a new key, the regulator goes. n = 5 → 6 → 6 → 5.
private struct EraStory: Sendable {
  let genesis: Genesis
  let validators: [ActorAddress]
  let newKey: SigningKey
  private let keys: [SigningKey]
  private let steps: [Action]

  init() throws {
    func key(_ name: String) throws -> SigningKey {
      try SigningKey(seed: Digest(label: name, []).bytes, scheme: .simulated)
    }
    let names = (0..<5).map { "operator-\($0)" } + ["regulator"]
    let keys = try names.map { try key("validator \($0)") }
    let identities = try names.map { OrganisationID(try key($0).publicKey) }
    let all = names.indices.map { index in
      Member(name: names[index], key: keys[index].publicKey, organisation: identities[index], leads: index < 5)
    }
    let genesis = Genesis(
      salt: [UInt8](repeating: 5, count: Genesis.saltBytes), scheme: .simulated, time: World.start - .seconds(1),
      parameters: .standard, members: [0, 1, 2, 3, 5].map { all[$0] },
      organisations: names.indices.map { index in
        Organisation(
          id: identities[index], name: names[index], kind: index < 5 ? .networkOperator : .regulator, credit: 0,
          keys: [Enrolment(key: keys[index].publicKey, role: .validator)])
      }, platformKeys: [])
    let network = genesis.networkID
    func change(_ change: MemberChange, by members: [Int], _ keys: [SigningKey]) -> Action {
      .changeMembers(approvals: members.map { Envelope(signing: change, with: keys[$0], network: network) })
    }
    let newKey = try key("validator operator-1, the second")
    var rotated = keys
    rotated[1] = newKey
    let rotation = KeyRotation(era: 1, old: keys[1].publicKey, new: newKey.publicKey)
    steps = [
      change(MemberChange(era: 0, number: 1, joining: [all[4]]), by: [0, 1, 2, 3], keys),
      .rotateKey(Envelope(signing: rotation, with: newKey, network: network)),
      change(MemberChange(era: 2, number: 1, leaving: [keys[5].publicKey]), by: [0, 1, 2, 4], rotated),
    ]
    self.genesis = genesis
    self.keys = keys
    self.newKey = newKey
    validators = names.map { ActorAddress(.validator, $0) }
  }

  func world(seed: UInt64, conditions: NetworkConditions, faults: [Fault]) -> World {
    let names = validators.map(\.name)
    let seats = validators.indices.map { index in
      let own = index == 1 ? [keys[1], newKey] : [keys[index]]
      let configuration = ValidatorCore.Configuration(
        genesis: genesis, name: names[index], keys: own, peers: names)
      return ActorSeat(validators[index]) { _, records in try ValidatorCore(configuration, recovering: records) }
    }
    let carriers = [keys[0], keys[1], keys[0]]
    let clerk = ActorSeat(ActorAddress(.client, "clerk")) { [steps, validators, genesis] _, _ in
      Clerk(steps: Array(zip(steps, carriers)), validators: validators, network: genesis.networkID)
    }
    return World(
      seed: seed, conditions: conditions, context: genesis.verificationContext, seats: seats + [clerk],
      faults: faults)
  }

  func isOver(_ world: World) -> Bool {
    guard world.calmSince != nil else { return false }
    let ledgers = world.ledgers(of: validators)
    return ledgers.allSatisfy { $0?.era.era == 3 } && ledgers.compactMap { $0?.height }.min() ?? 0 > 20
  }

  func segments(_ disk: VirtualDisk?) throws -> [LedgerSegment] {
    try (disk?.records(of: ValidatorCore.Stream.segments, from: 0, limit: .max) ?? []).map {
      try LedgerSegment(decoding: $0.bytes)
    }
  }
}

/// Submits every step again and again, each time as a new transaction, to one validator after another: what does not
/// fit the era yet, or any more, is refused.
private struct Clerk: RoleCore {
  let steps: [(action: Action, carrier: SigningKey)]
  let validators: [ActorAddress]
  let network: Digest
  let address = ActorAddress(.client, "clerk")
  private var tries: UInt64 = 0

  init(steps: [(Action, SigningKey)], validators: [ActorAddress], network: Digest) {
    self.steps = steps.map { (action: $0.0, carrier: $0.1) }
    self.validators = validators
    self.network = network
  }

  var subscriptions: [Subscription] { [] }

  mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    switch event {
    case .started, .timer: break
    default: return []
    }
    let step = steps[Int(tries) % steps.count]
    let transaction = SignedTransaction(
      signing: Transaction(nonce: tries, expiry: 5_000, action: step.action), with: step.carrier, network: network)
    tries += 1
    return [
      .request(
        RequestID(tries), to: validators[Int(tries) % validators.count], .submit(transaction), deadline: .seconds(1)),
      .setTimer(TimerID(1), at: now + .milliseconds(200)),
    ]
  }
}
