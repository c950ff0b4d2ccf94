import Messages

/// Which messages an actor takes from whom: asked of the first bytes of a message, before its body is decoded and
/// before any signature in it is verified. Whoever may connect could otherwise make any actor verify what that actor
/// would then refuse anyway (a full block costs milliseconds, its refusal here a microsecond).
///
/// One table for all roles, by message number. A role not named is refused with `.unimplemented`, an asker not named
/// with `.permissionDenied`; which one of the named may ask, the core says.
///
///     number              asked at                    by
///     1   getStatus       every role but client       anybody
///     10  consensus       validator                   validators; anybody for getSegments (the ledger is readable)
///     13  submit          validator                   anybody: a transaction carries its own signature
///     20  getEntries      validator                   anybody
///     22  getSnapshot     validator                   anybody
///     24  getSnapshotChunk      validator             anybody
///     26  witness         validator                   anybody: a promise carries its member's signature
///     27  approval        validator; regulator        validators; regulators
///     30  getTerms        contract                    anybody
///     32  getQuote        contract                    anybody
///     34  getHistory      contract                    anybody
///     36  activate        contract                    customers, clients
///     40  activationRequested   controller            contracts
///     41  proposeSettlement     controller            customers, clients
///     42  requestHandover       controller            customers, clients
///     43  proposeSegment        controller            customers, clients
///     44  inviteToFlow    customer                    customers
///     46  getEpochMaterial      edge; enclave         controllers; customers
///     48  settleEpoch     edge; enclave               controllers; customers
///     49  updateBooking   edge; enclave               controllers; customers
///     50  openFlow        edge                        enclaves
///     52  commit          edge                        enclaves
///     53  reveal          edge                        enclaves
///     55  submitRecord    edge                        enclaves; edges: the anchor tells the others; controllers
///     56  getReceipts     enclave; edge               enclaves; edges
///     58  pair            enclave                     enclaves
///     60  openService     edge                        controllers
///     61  closeService    edge                        controllers
///     62  getServiceReport      edge                  controllers
///     65  routeService    edge                        controllers
///     70  getEvidence     platform                    anybody
///     80  openSession     enclave                     customers
///     81  endSession      enclave; edge               customers; controllers
///     82  getEnclaveStatus      enclave               customers
///     84  getEnclaveIdentity    enclave               anybody
///     90  allocateSubnet  domain                      controllers
///     91  releaseSubnet   domain                      controllers
///
///     number              published under             by validators to
///     10  consensus       consensus                   validators: votes, proposals, reproposals, certificates
///     11  ledger          ledger                      regulators, contracts, controllers, customers
///     12  transaction     transactions                validators
///
/// All other numbers are answers. Only answers are taken as responses, whoever was asked.
enum Acceptance {
  /// - Returns: nil when the message may be decoded.
  static func refusalOfRequest(_ head: MessageHead, to role: ActorAddress.Role, from asker: ActorAddress.Role)
    -> RemoteError?
  {
    guard let askers = askers(of: head, at: role) else {
      return RemoteError(.unimplemented, "a \(role.rawValue) does not answer message \(head.number)")
    }
    guard askers.includes(asker) else {
      return RemoteError(.permissionDenied, "a \(role.rawValue) takes message \(head.number) from no \(asker.rawValue)")
    }
    return nil
  }

  static func isPublication(
    _ head: MessageHead, under topic: Topic, to role: ActorAddress.Role, from publisher: ActorAddress.Role
  ) -> Bool {
    guard publisher == .validator else { return false }
    switch (head.number, topic, role) {
    // Vote, proposal, certificate, reproposal; everything else about consensus is between two members.
    case (10, .consensus, .validator): return (1...3).contains(head.kind) || head.kind == 10
    case (11, .ledger, .regulator), (11, .ledger, .contract), (11, .ledger, .controller), (11, .ledger, .customer):
      return true
    case (12, .transactions, .validator): return true
    default: return false
    }
  }

  static func isAnswer(_ head: MessageHead) -> Bool {
    switch head.number {
    case 0, 2, 14, 21, 23, 25, 31, 33, 35, 45, 47, 51, 52, 54, 57, 59, 63, 64, 71, 83, 85: true
    // Segments are what followers ask for.
    case 10: head.kind == 9
    default: false
    }
  }

  private enum Askers {
    case anybody
    case only([ActorAddress.Role])

    func includes(_ role: ActorAddress.Role) -> Bool {
      switch self {
      case .anybody: true
      case .only(let roles): roles.contains(role)
      }
    }
  }

  /// - Returns: nil when this role is never asked this.
  private static func askers(of head: MessageHead, at role: ActorAddress.Role) -> Askers? {
    switch (head.number, role) {
    case (1, .client): nil
    case (1, _): .anybody
    case (10, .validator): head.kind == 8 ? .anybody : .only([.validator])
    case (13, .validator): .anybody
    case (20, .validator), (22, .validator), (24, .validator): .anybody
    case (26, .validator): .anybody
    case (27, .validator): .only([.validator])
    case (27, .regulator): .only([.regulator])
    case (30, .contract), (32, .contract), (34, .contract): .anybody
    case (36, .contract): .only([.customer, .client])
    case (40, .controller): .only([.contract])
    case (41, .controller), (42, .controller), (43, .controller): .only([.customer, .client])
    case (44, .customer): .only([.customer])
    case (46, .edge), (48, .edge), (49, .edge): .only([.controller])
    case (46, .enclave), (48, .enclave), (49, .enclave): .only([.customer])
    case (50, .edge), (52, .edge), (53, .edge): .only([.enclave])
    case (55, .edge): .only([.enclave, .edge, .controller])
    case (56, .edge): .only([.edge])
    case (56, .enclave), (58, .enclave): .only([.enclave])
    case (60, .edge), (61, .edge), (62, .edge), (65, .edge), (81, .edge): .only([.controller])
    case (70, .platform): .anybody
    case (80, .enclave), (81, .enclave), (82, .enclave): .only([.customer])
    case (84, .enclave): .anybody
    case (90, .domain), (91, .domain): .only([.controller])
    default: nil
    }
  }
}
