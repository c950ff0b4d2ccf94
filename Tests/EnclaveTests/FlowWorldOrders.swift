import Effects
import Enclave
import Messages
import Metering
import Roles
import Signing
import Testing

/// What the story does as the controller and as the customers.
extension FlowWorld {
  static let flow: UInt32 = 77

  func service(
    _ end: FlowEnd, at edge: Actor, from: EpochNumber = 0, pathDelay: Span = .milliseconds(4), rate: UInt64 = 1_000_000
  ) -> ServiceOrder {
    ServiceOrder(
      activation: activation, terms: terms, order: order, confirmation: confirmation, end: end, from: from,
      flow: Self.flow, anchor: edge == .edge ? nil : Actor.edge.address,
      peerEdge: isForTwo ? (end == .near ? Actor.farEdge : .edge).address : nil, maintenance: maintenance,
      pathDelay: pathDelay, pathLoss: 0, rateUp: rate, rateDown: rate)
  }

  /// As the controller does it: opens the service at every edge, and tells each where the other is.
  func openService(rate: UInt64 = 1_000_000) throws {
    try accepted(.edge, .openService(service(.near, at: .edge, rate: rate)))
    guard isForTwo else { return }
    try accepted(.farEdge, .openService(service(.far, at: .farEdge)))
    try route(.edge, to: .farEdge)
    try route(.farEdge, to: .edge)
  }

  func route(_ edge: Actor, to other: Actor, from: EpochNumber = 0) throws {
    try accepted(edge, .routeService(ServiceRoute(activation: activation, from: from, port: other.port)))
  }

  func session(_ enclave: Actor, down: Traffic, attestation: Digest = .zero) -> EnclaveSession {
    EnclaveSession(
      activation: activation, terms: terms, order: order, confirmation: confirmation,
      end: enclave == .enclave ? .near : .far, edge: (enclave == .enclave ? Actor.edge : .farEdge).address,
      peerEnclave: isForTwo ? (enclave == .enclave ? Actor.farEnclave : .enclave).address : nil,
      maintenance: maintenance, host: hosts[enclave] ?? .loopback(port: 9), down: down, attestation: attestation)
  }

  func openSession(
    down: Traffic = Traffic(packetsPerSecond: 200, payloadBytes: 400), attestation: Digest = .zero
  ) throws {
    for enclave in enclaves {
      try ask(
        enclave, from: enclave.customer,
        .openSession(session(enclave, down: isForTwo ? .silent : down, attestation: attestation)))
    }
  }

  /// An end moves, make before break: the new edge is ready before anybody uses it.
  /// - Parameter other: serves the other end then; where it does at first if nil.
  func handOver(
    _ end: FlowEnd, to edge: Actor, from: EpochNumber, cell: String = "new cell", other: Actor? = nil
  ) throws {
    try accepted(edge, .openService(service(end, at: edge, from: from)))
    let others = edges.filter { $0 != edge }
    for other in others { try route(other, to: edge, from: from) }
    try route(edge, to: other ?? (isForTwo && end == .near ? .farEdge : .edge), from: from)
    let handover = SliceHandover(
      activation: activation, end: end, from: from, cell: cell, edge: try edge.key.publicKey, plan: .zero)
    try update(.handover(handover, edge: edge.address, port: edge.port), at: enclaves + edges + [edge])
  }

  func update(_ update: BookingUpdate, at actors: [Actor]) throws {
    for actor in actors { try accepted(actor, .updateBooking(update)) }
  }

  /// Something that must not be refused.
  func accepted(_ actor: Actor, _ message: Message) throws {
    let asker = actor.isEdge ? Self.controller : actor.customer
    switch try ask(actor, from: asker, message) {
    case .success?: break
    case .failure(let error)?: Issue.record("\(actor) refused message \(message.number): \(error)")
    case nil: Issue.record("\(actor) did not answer message \(message.number)")
    }
  }

  /// A host that sends at a constant rate for the booked time.
  func send(
    from enclave: Actor = .enclave, to peer: PeerNumber? = nil, packetsPerSecond: Int64 = 200,
    payloadBytes: UInt64 = 400, epochs: UInt64? = nil
  ) {
    let interval = Span(nanoseconds: 1_000_000_000 / packetsPerSecond)
    let end = Self.start + terms.metering.epoch * Int64(epochs ?? order.epochs)
    let datagram = ApplicationDatagram(
      activation: activation, peer: peer ?? self.peer, payloadBytes: payloadBytes
    ).bytes
    func next(_ time: Instant) {
      guard time < end else { return }
      at(time) {
        let host = self.hosts[enclave] ?? .loopback(port: 9)
        try self.deliver(
          enclave, .datagrams([Datagram(from: host, to: enclave.innerPort, at: self.now, bytes: datagram)]))
        next(time + interval)
      }
    }
    next(Self.start)
  }

  func report(epochs: UInt64? = nil) throws -> ServiceReport? {
    try ask(.edge, from: Self.controller, .getServiceReport(ReportRequest(activation, epochs: epochs)))
    guard case .success(.serviceReport(let report))? = lastReply else { return nil }
    return report
  }

  func status(of enclave: Actor = .enclave, epochs: UInt64? = nil) throws -> EnclaveStatus? {
    try ask(enclave, from: enclave.customer, .getEnclaveStatus(ReportRequest(activation, epochs: epochs)))
    guard case .success(.enclaveStatus(let status))? = lastReply else { return nil }
    return status
  }

  func material(of actor: Actor, epoch: EpochNumber) throws -> EpochMaterial? {
    try ask(
      actor, from: actor.isEdge ? Self.controller : actor.customer,
      .getEpochMaterial(ReceiptsRequest(activation: activation, epoch: epoch)))
    guard case .success(.epochMaterial(let material))? = lastReply else { return nil }
    return material
  }

  /// What an actor signed, oldest first, as it stands in its journals.
  func receipts(of actor: Actor) throws -> [SLAReceipt] {
    let rows = disks[actor]?[actor.isEdge ? 0x0503 : 0x0402] ?? [:]
    let signer = try actor.key.publicKey
    return try rows.sorted { $0.key < $1.key }.flatMap { _, bytes in
      try EpochJournal(decoding: bytes).ownReceipts.receipts.filter { $0.signer == signer }
        .map { try $0.decode(SLAReceipt.self) }
    }
  }

  /// Both sides hold the very same record of the last epoch, signed by both.
  func agreed(epochs: UInt64? = nil) throws -> JointRecord {
    let report = try #require(try report())
    let status = try #require(try status())
    let areFinished = (report.isFinished, status.isFinished)
    #expect(areFinished == (true, true), "\(notes.suffix(3)) \(counted)")
    let isSame = report.record == status.record
    #expect(isSame)
    let signed = try #require(report.record)
    var verifier = Verifier(context: VerificationContext(network: Self.network, scheme: .simulated, members: []))
    _ = try verifier.verify(signed)
    let isSamePayload = signed.byEnclave.payload == signed.byEdge.payload
    #expect(isSamePayload)
    let record: JointRecord = try signed.byEdge.decode()
    #expect(record.epoch == (epochs ?? order.epochs) - 1)
    return record
  }
}

extension JointRecord {
  /// Of the first segment.
  var epochCounters: EpochCounters { segments[0].epochCounters }
  var ruleCounters: [RuleCounters] { segments[0].ruleCounters }
  var amountDue: Amount { segments.reduce(0) { $0 + $1.amountDue } }
  var penaltiesDue: Amount { segments.reduce(0) { $0 + $1.penaltiesDue } }
}
