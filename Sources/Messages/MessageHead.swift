import Wire

extension Message {
  /// Which message it is: the number that it begins with on the wire. Numbers are never reused.
  public enum Kind: UInt8, CaseIterable, Sendable {
    // 0–9: any actor
    case acknowledged = 0
    case getStatus = 1
    case status = 2
    // 10–19: the ledger
    case consensus = 10
    case ledger = 11
    case transaction = 12
    case submit = 13
    case submitted = 14
    // 20–29: reading the ledger
    case getEntries = 20
    case entries = 21
    case getSnapshot = 22
    case snapshot = 23
    case getSnapshotChunk = 24
    case snapshotChunk = 25
    case witness = 26
    case approval = 27
    // 30–39: contracts
    case getTerms = 30
    case terms = 31
    case getQuote = 32
    case quote = 33
    case getHistory = 34
    case history = 35
    case activate = 36
    // 40–49: an operator's controller; customers among themselves; who follows an epoch
    case activationRequested = 40
    case proposeSettlement = 41
    case requestHandover = 42
    case proposeSegment = 43
    case inviteToFlow = 44
    case flowAccepted = 45
    case getEpochMaterial = 46
    case epochMaterial = 47
    case settleEpoch = 48
    case updateBooking = 49
    // 50–59: enclave and edge
    case openFlow = 50
    case flowOpened = 51
    case commit = 52
    case reveal = 53
    case revealed = 54
    case submitRecord = 55
    case getReceipts = 56
    case receipts = 57
    case pair = 58
    case paired = 59
    // 60–69: controller and edge
    case openService = 60
    case closeService = 61
    case getServiceReport = 62
    case serviceReport = 63
    case serviceOpened = 64
    case routeService = 65
    // 70–79: the launcher of an enclave
    case getEvidence = 70
    case evidence = 71
    // 80–89: customer and enclave
    case openSession = 80
    case endSession = 81
    case getEnclaveStatus = 82
    case enclaveStatus = 83
    case getEnclaveIdentity = 84
    case enclaveIdentity = 85
    // 90–99: a controller and its domain managers
    case allocateSubnet = 90
    case releaseSubnet = 91
  }
}

/// What can be said about a message from its first bytes: `[number, …]`, and of consensus `[10, [kind, …]]`.
public struct MessageHead: Hashable, Sendable {
  public let number: UInt64
  /// 0 for what has no kinds.
  public let kind: UInt64

  public static let consensus = UInt64(Message.Kind.consensus.rawValue)

  public init(of message: [UInt8]) throws(WireError) {
    var reader = try CBORReader(message)
    (number, kind) = try Self.pair(&reader) { (reader, number) throws(WireError) in
      guard number == Self.consensus else { return 0 }
      return try Self.pair(&reader) { (_, _) throws(WireError) in 0 }.first
    }
  }

  /// An array of two whose first item is a number; what follows is read no further than `second` does.
  private static func pair(
    _ reader: inout CBORReader, _ second: (inout CBORReader, UInt64) throws(WireError) -> UInt64
  ) throws(WireError) -> (first: UInt64, second: UInt64) {
    try reader.record(2) { (reader) throws(WireError) in
      let first = try reader.uint()
      return (first, try second(&reader, first))
    }
  }
}
