import Ledger
import Messages
import Roles
import Signing
import Wire

/// What the members' disks say at the end: one chain, of which each holds a prefix, and which gives the same roots,
/// results and money when it is executed again from the genesis (S1, S10, S12).
struct LedgerAgreement {
  /// Final height per member, in member order.
  private(set) var heights: [Height] = []
  /// Whether no two members hold different blocks at one height.
  private(set) var membersAgree = true
  /// The longest of the chains.
  private(set) var chain: [Block] = []
  /// After executing that chain again; nil if it does not execute.
  private(set) var state: LedgerState?
  /// Activations that ended in it, in order.
  private(set) var archived: [ActivationRecord] = []
  private(set) var violations: [Violation] = []

  /// - Parameter disks: of the validators, in member order.
  init(genesis: Genesis, disks: [VirtualDisk], at now: Instant) {
    func violation(_ check: String, _ text: String) -> Violation { Violation(check: check, at: now, text: text) }
    var chains: [[Block]] = []
    for (member, disk) in zip(genesis.members, disks) {
      do throws(WireError) {
        chains.append(try Self.chain(on: disk))
      } catch {
        chains.append([])
        violations.append(violation("R2", "a stored block of \(member.name) does not decode: \(error)"))
      }
    }
    heights = chains.map { $0.last?.header.height ?? 0 }
    chain = chains.max { $0.count < $1.count } ?? []
    let hashes = chain.map(\.hash)
    for (member, other) in zip(genesis.members, chains) where other.map(\.hash) != Array(hashes.prefix(other.count)) {
      membersAgree = false
      violations.append(violation("S1", "\(member.name) holds another chain than the longest"))
    }
    execute(genesis, violation)
  }

  private mutating func execute(_ genesis: Genesis, _ violation: (String, String) -> Violation) {
    do {
      var verifier = try LedgerVerifier(genesis: genesis)
      for block in chain { archived += try verifier.check(block).archived.map(\.record) }
      state = verifier.state
      do { try verifier.audit() } catch { violations.append(violation("S12", "\(error.difference)")) }
    } catch {
      violations.append(violation("S10", "the chain does not execute again: \(error)"))
    }
  }

  private static func chain(on disk: VirtualDisk) throws(WireError) -> [Block] {
    var blocks: [Block] = []
    for record in disk.records(of: ValidatorCore.Stream.segments) {
      blocks += try LedgerSegment(decoding: record.bytes).blocks
    }
    return blocks
  }
}
