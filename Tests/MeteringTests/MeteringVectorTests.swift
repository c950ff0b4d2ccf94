import FixtureSupport
import Messages
import Metering
import Signing
import Testing

/// The bytes of metering, pinned: packets, receipts, commitments, the record they make, evidence.
struct MeteringVectorTests {
  struct PacketVector: Codable {
    var name: String
    var key: String
    var purpose: UInt8
    var direction: UInt8
    var flow: UInt32
    var epoch: UInt64
    var sequence: UInt64
    var sent: UInt64
    var payload: String
    /// The whole packet.
    var packet: String
  }

  @Test func packets() throws {
    let keyBytes = [UInt8](0..<16)
    let key = try #require(PacketTag.Key(keyBytes))
    let headers: [(String, PacketHeader, [UInt8])] = [
      (
        "the first packet up, empty",
        PacketHeader(direction: .up, flow: 1, epoch: 0, peer: Samples.peer, sequence: 0, sent: Samples.start), []
      ),
      (
        "a probe",
        PacketHeader(
          purpose: .probe, direction: .up, flow: 7, epoch: 3, peer: PeerNumber(rawValue: 258), sequence: 600,
          sent: Samples.start),
        [UInt8](repeating: 0, count: EchoPayload.byteCount)
      ),
      (
        "its echo",
        PacketHeader(
          purpose: .echo, direction: .down, flow: 7, epoch: 3, peer: PeerNumber(rawValue: 258), sequence: 42,
          sent: Samples.start),
        EchoPayload(sequence: 600, sent: Samples.start, held: .microseconds(17)).bytes
      ),
      (
        "the greatest numbers",
        PacketHeader(
          direction: .down, flow: .max, epoch: UInt64(UInt32.max), peer: .stranger, sequence: .max,
          sent: Instant(nanoseconds: UInt64(Int64.max))), [0xFF]
      ),
    ]
    try Fixtures.check(
      "packets",
      about: """
        Packets of the data plane: 32 bytes of header (version 1, purpose, direction, 0, flow, epoch, whole length, \
        peer, sequence, sent; big-endian), payload, and 8 bytes SipHash-2-4 under `key` over all before it, read as a \
        little-endian number and written big-endian.
        """,
      headers.map { name, header, payload in
        PacketVector(
          name: name, key: Hexadecimal.encode(keyBytes), purpose: header.purpose.rawValue,
          direction: header.direction.rawValue, flow: header.flow, epoch: header.epoch, sequence: header.sequence,
          sent: header.sent.nanoseconds, payload: Hexadecimal.encode(payload),
          packet: Hexadecimal.encode(header.packet(payload: payload, key: key)))
      })
  }

  /// Everything signed for one epoch, in the order in which it is said.
  @Test func oneEpoch() throws {
    let (enclaveSeed, edgeSeed) = ([UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32))
    let (enclave, edge) = (try SigningKey(seed: enclaveSeed), try SigningKey(seed: edgeSeed))
    let network = Samples.network
    let terms = try Samples.terms([
      Samples.rule(.lossRatio, reference: 10_000_000), Samples.rule(.oneWayDelay, .p99, reference: 10_000_000),
    ])
    let parties = AccountParties(
      activation: Samples.activation, terms: terms,
      order: ActivationOrder(
        contract: terms.id, epochs: 10, earliestStart: Samples.start, latestStart: Samples.start, cell: "cell",
        peer: "peer", enclaves: [enclave.publicKey]),
      confirmation: SliceConfirmation(
        activation: Samples.activation, planHash: .zero, startAt: Samples.start, edge: edge.publicKey))
    let story = EpochStory(sent: 10, lostOnAccess: 1)
    let (ours, theirs) = (try story.receipts(.customer, terms), try story.receipts(.networkOperator, terms))
    var customer = CustomerExchange(parties: parties, key: enclave, network: network)
    var networkOperator = OperatorExchange(parties: parties, key: edge, network: network)
    _ = customer.close(0, receipts: ours)
    _ = networkOperator.close(0, receipts: theirs)
    guard case .commit(let commit)? = customer.ask else { throw Samples.Missing() }
    let committed = try networkOperator.answer(commit).reply
    _ = try customer.take(committed)
    guard case .reveal(let reveal)? = customer.ask else { throw Samples.Missing() }
    _ = try customer.take(try networkOperator.answer(reveal).reply)
    let record = try #require(customer.lastRecord)

    func vector<Payload: SignedPayload>(_ name: String, _ payload: Payload, _ seed: [UInt8]) throws -> EnvelopeVector {
      try EnvelopeVector(name, signing: payload, seed: seed, network: network)
    }
    var vectors = try ours.map { try vector("receipt \($0.point)", $0, enclaveSeed) }
    vectors += try theirs.map { try vector("receipt \($0.point)", $0, edgeSeed) }
    vectors.append(
      try vector("commitment of the customer", commit.commitment.decode(EpochCommitment.self), enclaveSeed))
    vectors.append(
      try vector("commitment of the operator", committed.commitment.decode(EpochCommitment.self), edgeSeed))
    vectors.append(try vector("record by the enclave", record, enclaveSeed))
    vectors.append(try vector("record by the edge", record, edgeSeed))
    let agreement = try KeyAgreementKey(seed: enclaveSeed).publicKey
    vectors.append(
      try vector(
        "flow opening",
        FlowOpening(
          activation: Samples.activation, agreementKey: agreement, address: .loopback(port: 4000),
          down: Traffic(packetsPerSecond: 200, payloadBytes: 400)), enclaveSeed))
    vectors.append(
      try vector(
        "flow opened",
        FlowOpened(
          activation: Samples.activation, flow: 1, agreementKey: agreement, address: .loopback(port: 4001)), edgeSeed))
    let platformSeed = [UInt8](repeating: 30, count: 32)
    vectors.append(
      try vector(
        "attestation evidence",
        AttestationEvidence(
          nonce: Digest(hashing: [3]), measurement: Digest(hashing: [4]), receiptKey: enclave.publicKey,
          platform: try SigningKey(seed: platformSeed).publicKey, bootCount: 1, level: .software), platformSeed))
    let signed = try #require(customer.lastSigned)
    #expect(vectors.contains { $0.envelope == Hexadecimal.encode(signed.byEnclave.bytes) })
    #expect(vectors.contains { $0.envelope == Hexadecimal.encode(signed.byEdge.bytes) })
    try Fixtures.check(
      "messages-metering",
      about: "Everything signed for one epoch of a one-customer flow, flow opening and attestation evidence included.",
      vectors)
  }
}
