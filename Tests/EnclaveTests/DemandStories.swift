import Effects
import Messages
import Metering
import Roles
import Signing
import Testing

/// What customer and controller take to the ledger when the two ends do not come to a record, and how the two go on
/// from what the ledger opened.
struct DemandStories {
  private func world(isForTwo: Bool) throws -> FlowWorld {
    let world = try FlowWorld(try FlowStories.terms(), epochs: 8, isForTwo: isForTwo)
    try world.openService()
    try world.openSession(down: Traffic(packetsPerSecond: 40, payloadBytes: 400))
    world.send(from: .enclave, packetsPerSecond: 40)
    if isForTwo { world.send(from: .farEnclave, packetsPerSecond: 40) }
    return world
  }

  /// Both sides hand out what opens their commitments; the record of the epoch before is the base.
  @Test(arguments: [false, true]) func bothSidesHaveWhatADemandNeeds(isForTwo: Bool) throws {
    let world = try world(isForTwo: isForTwo)
    world.at(FlowWorld.start + .milliseconds(2_900)) { world.control.loss = 1000 }
    try world.run(until: FlowWorld.start + .seconds(5))
    let material = try [FlowWorld.Actor.enclave, .edge].map { try #require(try world.material(of: $0, epoch: 2)) }
    for material in material {
      let commitment = try #require(material.commitment).decode(EpochCommitment.self)
      #expect(commitment.epoch == 2)
      #expect(commitment.receipts == material.receipts.digest)
      let base = try #require(material.base)
      let record = try base.record.byEdge.decode(JointRecord.self)
      #expect(record.epoch == 1)
      #expect(record.account == Digest(hashing: base.state))
      #expect(commitment.previousRecord == record.digest)
    }
    // Asked again, also in another life, it is the same.
    world.crash(.enclave, for: .milliseconds(10))
    world.crash(.edge, for: .milliseconds(10))
    try world.run(until: world.now + .milliseconds(100))
    let again = try [FlowWorld.Actor.enclave, .edge].map { try #require(try world.material(of: $0, epoch: 2)) }
    let areSame = again == material
    #expect(areSame)
    // An epoch that is over long since is read back.
    let past = try #require(try world.material(of: .enclave, epoch: 0))
    let opensIt = try #require(past.commitment).decode(EpochCommitment.self).receipts == past.receipts.digest
    #expect(opensIt && past.base == nil)
  }

  /// The ledger opened both sets: the record follows, the gate opens, service goes on.
  @Test(arguments: [false, true]) func afterASettledEpochTheFlowGoesOn(isForTwo: Bool) throws {
    let world = try world(isForTwo: isForTwo)
    // Only what makes records is lost: packets, and what the two ends of one side say to each other, get through.
    world.tamper = { message in
      guard case .commit = message, world.now > FlowWorld.start + .milliseconds(2_900),
        world.now < FlowWorld.start + .milliseconds(4_600)
      else { return message }
      return .acknowledged
    }
    world.at(FlowWorld.start + .milliseconds(4_600)) {
      let customer = try #require(try world.material(of: .enclave, epoch: 2))
      let networkOperator = try #require(try world.material(of: .edge, epoch: 2))
      let settling = EpochSettling(
        activation: world.activation, epoch: 2, customer: customer.receipts, networkOperator: networkOperator.receipts)
      for actor in [FlowWorld.Actor.enclave, .edge] {
        try world.accepted(actor, .settleEpoch(settling))
        try world.accepted(actor, .settleEpoch(settling))
      }
    }
    try world.run(until: FlowWorld.start + .seconds(20))
    let record = try world.agreed()
    #expect(record.epochCounters.checkedTotal == 8)
    #expect(record.epochCounters.notServed >= 1, "the gate was shut while the record was missing")
    #expect(record.epochCounters.met + record.epochCounters.notServed == 8, "\(record.epochCounters)")
  }

  @Test func onlyItsOwnerIsGivenAnything() throws {
    let world = try world(isForTwo: true)
    try world.run(until: FlowWorld.start + .milliseconds(1_500))
    let request = Message.getEpochMaterial(ReceiptsRequest(activation: world.activation, epoch: 0))
    for actor in [FlowWorld.Actor.enclave, .edge] {
      guard case .failure(let refusal)? = try world.ask(actor, from: ActorAddress(.customer, "stranger"), request)
      else {
        Issue.record("\(actor) answered")
        continue
      }
      #expect(refusal.code == .permissionDenied)
    }
    // Nor does a stranger's key become a tag key.
    let opening = FlowOpening(
      activation: world.activation, agreementKey: try KeyAgreementKey(seed: [UInt8](repeating: 9, count: 32)).publicKey,
      address: .loopback(port: 9), down: .silent)
    let pair = Message.pair(SignedMessage(signing: opening, with: try FlowWorld.key(9), network: FlowWorld.network))
    guard case .failure(let refusal)? = try world.ask(.enclave, from: FlowWorld.Actor.farEnclave.address, pair) else {
      Issue.record("paired with a stranger")
      return
    }
    #expect(refusal.code == .permissionDenied)
  }
}
