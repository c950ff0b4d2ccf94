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

  /// - Parameters:
  ///   - disks: of the validators, in member order.
  ///   - faulty: members whose disks may hold anything.
  init(genesis: Genesis, disks: [VirtualDisk], faulty: Set<MemberIndex> = [], at now: Instant) {
    func violation(_ rule: Check, _ text: String) -> Violation { Violation(rule, text, at: now) }
    var chains: [[Block]] = []
    for (index, (member, disk)) in zip(genesis.members, disks).enumerated() {
      if faulty.contains(MemberIndex(index)) {
        chains.append([])
        continue
      }
      do throws(WireError) {
        chains.append(try Self.chain(on: disk))
      } catch {
        chains.append([])
        violations.append(violation(.encodings, "a stored block of \(member.name) does not decode: \(error)"))
      }
    }
    heights = chains.map { $0.last?.header.height ?? 0 }
    chain = chains.max { $0.count < $1.count } ?? []
    let hashes = chain.map(\.hash)
    for (member, other) in zip(genesis.members, chains) where other.map(\.hash) != Array(hashes.prefix(other.count)) {
      membersAgree = false
      violations.append(violation(.oneChain, "\(member.name) holds another chain than the longest"))
    }
    execute(genesis, violation)
  }

  private mutating func execute(_ genesis: Genesis, _ violation: (Check, String) -> Violation) {
    do {
      var verifier = try LedgerVerifier(genesis: genesis)
      for block in chain { archived += try verifier.check(block).archived.map(\.record) }
      state = verifier.state
      do { try verifier.audit() } catch { violations.append(violation(.lifeCycle, "\(error.difference)")) }
    } catch {
      violations.append(violation(.oneState, "the chain does not execute again: \(error)"))
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
