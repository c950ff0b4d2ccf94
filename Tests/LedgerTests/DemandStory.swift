import Ledger
import Messages
import Metering
import Signing
import Testing

/// An activation whose receipts are real: what each side holds of every epoch, and what it says of it on the ledger.
struct DemandStory {
  var world: World
  let id: ActivationID
  let terms: ContractTerms
  /// The account as both sides would keep it; one entry more than there are records.
  private(set) var accounts: [JointAccount] = []
  private var chain: [MeteredPoint: Digest] = [:]
  private(set) var sets: [(customer: ReceiptSet, networkOperator: ReceiptSet)] = []

  static let keys: [AccountingSide: (anchor: String, sender: String)] = [
    .customer: ("hospital enclave", "hospital treasury"),
    .networkOperator: ("operator-0 edge", "operator-0 controller"),
  ]
  private static let signers = ["hospital enclave", "platoon enclave", "operator-0 edge", "operator-0 edge 2"]
  /// World's terms: E of 10 epochs at 10 with a fee of 7, B with one rule at 3 and the termination penalty of 40.
  static let (escrow, fee, price, penalty, termination): (Amount, Amount, Amount, Amount, Amount) = (107, 7, 10, 3, 40)

  /// ACTIVATED, with so many epochs over and closed.
  init(epochsOver: Int64 = 3, terms: ContractTerms = World.terms()) throws {
    world = try World()
    self.terms = terms
    let contract = try world.deploy(terms)
    id = try world.reserve(contract)
    accounts = [JointAccount(parties: try Self.parties(id, terms, world))]
    try proceed(to: epochsOver)
  }

  /// A flow between two customers: from epoch 2 on its near end is served by the far end's edge, under the dearer
  /// contract, which is booked for five epochs.
  init(flowWithEpochsOver epochsOver: Int64) throws {
    world = try World()
    terms = World.terms()
    let contract = try world.deploy(terms)
    let dearer = try world.deployDearer()
    id = try world.reserveFlow(contract)
    try world.start(id, epochs: 0)
    let order = world.segmentOrder(id, dearer)
    #expect(try world.send(world.renegotiate(order), by: "hospital treasury", after: .milliseconds(1)) == .accepted)
    let moved = world.handover(id, from: 2)
    #expect(try world.send(moved, by: "operator-0 controller", after: .milliseconds(1)) == .accepted)
    var parties = try Self.parties(id, terms, world)
    let handover = try #require(world.state.activation(id)?.reservation?.handovers.first)
    let fits = [
      parties.append(BookedSegment(terms: World.dearerTerms(), from: 2, bookedEpochs: 5)), parties.append(handover),
    ]
    #expect(fits == [true, true])
    accounts = [JointAccount(parties: parties)]
    try proceed(to: epochsOver)
  }

  private static func parties(_ id: ActivationID, _ terms: ContractTerms, _ world: World) throws -> AccountParties {
    let activation = try #require(world.state.activation(id))
    let reservation = try #require(activation.reservation)
    return AccountParties(
      activation: id, terms: terms, order: activation.order,
      confirmation: SliceConfirmation(
        activation: id, planHash: reservation.planHash, startAt: reservation.startAt, edge: reservation.edge,
        peerEdge: reservation.peerEdge))
  }

  /// So many epochs over and closed.
  mutating func proceed(to epochs: Int64) throws {
    let startAt = accounts[0].parties.startAt
    try world.advance(to: startAt + .seconds(epochs) + terms.metering.grace)
  }

  static func key(of side: AccountingSide) throws -> (anchor: String, sender: String) {
    try #require(keys[side])
  }

  // MARK: Epochs

  /// Both sides close the next epoch: a hundred packets each way, of which the core loses some on their way up.
  mutating func close(lost: UInt64 = 0) throws {
    let epoch = EpochNumber(sets.count)
    let parties = accounts[0].parties
    func set(_ side: AccountingSide, _ chain: inout [MeteredPoint: Digest]) throws -> ReceiptSet {
      var envelopes: [Envelope] = []
      for point in side.points(parties.ends) {
        let signer = parties.signer(of: point, in: epoch)
        if epoch > 0, signer != parties.signer(of: point, in: epoch - 1) { chain[point] = nil }
        let receipt = Self.receipt(id, point, epoch, lost: lost, previous: chain[point] ?? .zero)
        chain[point] = receipt.digest
        let key = try #require(Self.signers.map(World.key).first { $0.publicKey == signer })
        envelopes.append(Envelope(signing: receipt, with: key, network: world.genesis.networkID))
      }
      return ReceiptSet(envelopes)
    }
    let both = (customer: try set(.customer, &chain), networkOperator: try set(.networkOperator, &chain))
    sets.append(both)
    accounts.append(
      try accounts[Int(epoch)].appending(
        epoch: epoch, customer: both.customer, networkOperator: both.networkOperator))
  }

  private static func receipt(
    _ id: ActivationID, _ point: MeteredPoint, _ epoch: EpochNumber, lost: UInt64, previous: Digest
  ) -> SLAReceipt {
    var counts = PacketCounts()
    let lost = point.direction == .up ? lost : 0
    switch point.point {
    case .enclaveTransmit, .endpointTransmit: counts.packetsSent = 100
    case .edgeIngress, .edgeEgress:
      counts.uniqueReceived = point.point == .edgeEgress ? 100 - lost : 100
      counts.packetsSent = counts.uniqueReceived
    case .endpointReceive, .enclaveReceive: counts.uniqueReceived = 100 - lost
    }
    return SLAReceipt(
      activation: id, flow: 1, direction: point.direction, point: point.point, epoch: epoch, cell: "cell-1",
      condition: .whole, range: nil, counts: counts, delay: nil, delayVariation: nil, roundTrips: nil, slots: [],
      longestGap: 0, clock: ClockQuality(source: .common, synchronised: true, errorBound: .zero), previous: previous,
      attestation: .zero, terminal: false)
  }

  func record(_ epoch: Int) throws -> JointRecord { try #require(accounts[epoch + 1].last) }

  func base(before epoch: EpochNumber) throws -> AccountBase? {
    guard epoch > 0 else { return nil }
    return AccountBase(
      record: world.signed(try record(Int(epoch) - 1)), state: accounts[Int(epoch)].state.encoded)
  }

  func receipts(_ side: AccountingSide, _ epoch: EpochNumber) -> ReceiptSet {
    side == .customer ? sets[Int(epoch)].customer : sets[Int(epoch)].networkOperator
  }

  func commitment(_ side: AccountingSide, _ epoch: EpochNumber) throws -> Envelope {
    try commitment(side, epoch, to: receipts(side, epoch).digest)
  }

  func commitment(_ side: AccountingSide, _ epoch: EpochNumber, to receipts: Digest) throws -> Envelope {
    Envelope(
      signing: EpochCommitment(
        activation: id, epoch: epoch, side: side, receipts: receipts,
        previousRecord: accounts[Int(epoch)].lastDigest),
      with: World.key(try Self.key(of: side).anchor), network: world.genesis.networkID)
  }

  // MARK: On the ledger

  mutating func send(_ action: Action, by side: AccountingSide) throws -> TransactionResult {
    try world.send(action, by: try Self.key(of: side).sender, after: .milliseconds(1))
  }

  func demand(_ side: AccountingSide, _ epoch: EpochNumber, showing other: Bool = false) throws -> RecordDemand {
    RecordDemand(
      base: try base(before: epoch), commitment: try commitment(side, epoch),
      other: other ? try commitment(side.other, epoch) : nil)
  }

  func post(_ side: AccountingSide, _ epoch: EpochNumber) throws -> RecordPost {
    RecordPost(
      activation: id, epoch: epoch, commitment: try commitment(side, epoch), receipts: receipts(side, epoch))
  }

  /// A demand that is taken.
  mutating func demanding(_ side: AccountingSide, _ epoch: EpochNumber) throws {
    #expect(try send(.demandRecord(demand(side, epoch)), by: side) == .accepted)
  }

  /// Receipts that are taken.
  mutating func posting(_ side: AccountingSide, _ epoch: EpochNumber) throws {
    #expect(try send(.postRecord(post(side, epoch)), by: side) == .accepted)
  }

  /// Nobody says anything until the demands that are open have run out, each in its turn.
  mutating func silence() throws {
    while let answerBy = proceedings?.answerBy { try world.passDeadlines(to: answerBy) }
  }

  var proceedings: Proceedings? { world.state.activation(id)?.reservation?.proceedings }

  /// What it has come to; for one that left the state as its end was.
  var change: ActivationChange? { world.state.activation(id)?.change ?? world.ended(id) }

  /// Opens CLOSING with nothing and lets it run out: pays by what the ledger made itself.
  mutating func settled() throws -> ActivationChange {
    #expect(try send(.settleByRecord(id, nil), by: .customer) == .accepted)
    try world.passDeadlines(to: world.state.chain.clock + terms.deadlines.settlementWindow + .seconds(1))
    return try #require(world.ended(id))
  }
}
