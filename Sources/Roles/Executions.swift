import Consensus
import Ledger
import Messages
import Signing
import Wire

/// The ledger as one member has executed it: the final state, and an overlay per block on top of it that was proposed
/// or built. States share their structure, so an overlay costs what its block changed.
struct Executions: Sendable {
  private var states: [Digest: LedgerState] = [:]
  /// Activations that ended in those blocks.
  private var endings: [Digest: [ArchivedActivation]] = [:]
  private(set) var finalHash: Digest
  var final: LedgerState
  private(set) var recent = RecentBlocks()
  /// What was built last, until consensus says under which hash it stands.
  private var built: (view: View, block: ExecutedBlock)?

  init(genesis: Genesis) throws(GenesisError) {
    final = try LedgerState(genesis: genesis)
    finalHash = genesis.networkID
  }

  /// Goes on from the state after a final block.
  init(at hash: Digest, _ state: LedgerState) {
    final = state
    finalHash = hash
  }

  func state(of hash: Digest) -> LedgerState? { hash == finalHash ? final : states[hash] }

  /// A body for the next block on `request.parent`; nil when nothing may stand in it and that is allowed.
  mutating func build(
    _ request: BuildRequest, leader: MemberIndex, from mempool: Mempool
  ) throws(ExecutionError) -> (body: BlockBody, root: Digest)? {
    guard let parent = state(of: request.parent.hash) else { return nil }
    let transactions = request.onlyEmpty ? [] : parent.select(from: mempool.waiting)
    if transactions.isEmpty, request.mayDecline { return nil }
    let executed = try parent.executing(
      transactions,
      in: BlockContext(
        era: parent.era.era, view: request.view, height: request.height, time: request.time, leader: Int(leader),
        parentHash: request.parent.hash))
    built = (request.view, executed)
    return (
      BlockBody(transactions: transactions.map(\.envelope), outcomes: executed.outcomes), executed.state.root
    )
  }

  mutating func assembled(view: View, hash: Digest) {
    guard let (builtView, executed) = built, builtView == view else { return }
    keep(executed, hash)
    built = nil
  }

  private mutating func keep(_ executed: ExecutedBlock, _ hash: Digest) {
    states[hash] = executed.state
    if !executed.archived.isEmpty { endings[hash] = executed.archived }
  }

  /// Re-executes a block on its parent and compares everything the header commits to.
  /// - Throws: when this member's own state contradicts itself: it stops, and blames nobody.
  mutating func validate(_ block: Block, hash: Digest) throws(LedgerFault) -> Validation {
    if state(of: hash) != nil { return .valid }
    guard let parent = state(of: block.header.parentHash) else { return .notYet }
    var transactions: [SignedTransaction] = []
    for envelope in block.body.transactions {
      do throws(WireError) {
        transactions.append(try SignedTransaction(envelope))
      } catch {
        return .invalid("a transaction is malformed: \(error)")
      }
    }
    do throws(ExecutionError) {
      let executed = try parent.executing(transactions, in: BlockContext(block.header))
      guard executed.outcomes == block.body.outcomes else { return .invalid("the outcomes differ from execution's") }
      guard executed.state.root == block.header.stateRoot else {
        return .invalid("the state root is \(block.header.stateRoot), execution gives \(executed.state.root)")
      }
      keep(executed, hash)
      return .valid
    } catch {
      switch error {
      case .invalidBlock(let defect): return .invalid("\(defect)")
      case .fault(let fault): throw fault
      }
    }
  }

  /// Takes a segment as final. Blocks not executed before are executed now.
  /// - Parameter ended: gets the activations that ended in it, in order.
  /// - Returns: why this node must stop, if its own execution disagrees with a quorum's.
  mutating func finalize(_ segment: LedgerSegment, ended: inout [ArchivedActivation]) -> String? {
    var passed: [LedgerState] = []
    for block in segment.blocks {
      let hash = block.hash
      do throws(LedgerFault) {
        if case .invalid(let reason) = try validate(block, hash: hash) {
          return "block \(block.header.height) is final and this member's execution disagrees: \(reason)"
        }
      } catch {
        return "block \(block.header.height) cannot be executed: \(error)"
      }
      guard let state = state(of: hash) else { return "block \(block.header.height) does not continue this ledger" }
      final = state
      finalHash = hash
      passed.append(state)
      ended += endings.removeValue(forKey: hash) ?? []
    }
    recent.append(segment, passed)
    let height = final.height
    states = states.filter { $0.value.height > height }
    endings = endings.filter { states[$0.key] != nil }
    return nil
  }
}
