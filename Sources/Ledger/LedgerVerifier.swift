import Messages
import Signing
import Wire

/// Where a chain of blocks stops being a ledger of its genesis, and how.
public struct LedgerDiscrepancy: Error, Hashable, Sendable {
  public let height: Height
  public let difference: Difference

  /// `stated` is what the block says, `computed` what follows from its transactions.
  public enum Difference: Hashable, Sendable {
    /// Structure, certificates or a signature do not hold.
    case unverified(String)
    /// It names another parent than the block before it.
    case parent(stated: Digest, actual: Digest)
    case transaction(position: Int, String)
    /// No honest leader could have proposed it.
    case invalidBlock(BlockDefect)
    case result(position: Int, stated: TransactionResult, computed: TransactionResult)
    case events(stated: Int, computed: Int)
    case stateRoot(stated: Digest, computed: Digest)
    case money(LedgerFault)
  }
}

/// Executes a chain again from its genesis and compares everything it states: signatures, order, results, state roots,
/// money. Trusts nothing but the genesis. That a block is final its certificate says, which is the next header's or
/// the segment's that carried it.
public struct LedgerVerifier: Sendable {
  public private(set) var state: LedgerState
  /// The hash of the latest block; the network id before the first.
  public private(set) var tip: Digest
  private var verifier: Verifier

  public init(genesis: Genesis) throws(GenesisError) {
    state = try LedgerState(genesis: genesis)
    tip = genesis.networkID
    verifier = Verifier(context: genesis.verificationContext)
  }

  /// Goes on from the state after a final block, which is taken for what its header says.
  public init(genesis: Genesis, after header: BlockHeader, state: LedgerState) {
    self.state = state
    tip = header.hash
    verifier = Verifier(context: genesis.verificationContext)
    for era in state.eras.dropFirst() { verifier.learn(era) }
  }

  /// Checks all blocks in order, and at the end counts all the money again.
  /// - Returns: the state after the last block.
  public static func check(
    genesis: Genesis, blocks: some Sequence<Block>
  ) throws(LedgerDiscrepancy) -> LedgerState {
    var verifier: LedgerVerifier
    do { verifier = try LedgerVerifier(genesis: genesis) } catch {
      throw LedgerDiscrepancy(height: 0, difference: .unverified("genesis: \(error)"))
    }
    for block in blocks { _ = try verifier.check(block) }
    try verifier.audit()
    return verifier.state
  }

  /// Checks the next block. After an error this verifier stays where it was.
  @discardableResult
  public mutating func check(_ block: Block) throws(LedgerDiscrepancy) -> ExecutedBlock {
    do throws(Mismatch) {
      let executed = try checked(block)
      state = executed.state
      tip = block.hash
      if let next = block.body.nextEra { verifier.learn(next) }
      return executed
    } catch {
      throw LedgerDiscrepancy(height: block.header.height, difference: error.difference)
    }
  }

  /// Counts all money and indexes of the current state again.
  public func audit() throws(LedgerDiscrepancy) {
    do { try state.audit() } catch { throw LedgerDiscrepancy(height: state.height, difference: .money(error)) }
  }

  private struct Mismatch: Error {
    let difference: LedgerDiscrepancy.Difference
    init(_ difference: LedgerDiscrepancy.Difference) { self.difference = difference }
  }

  private mutating func checked(_ block: Block) throws(Mismatch) -> ExecutedBlock {
    let header = block.header
    guard header.parentHash == tip else { throw Mismatch(.parent(stated: header.parentHash, actual: tip)) }
    do { _ = try verifier.verify(block) } catch { throw Mismatch(.unverified("\(error)")) }
    let transactions = try transactions(of: block)
    let executed: ExecutedBlock
    do throws(ExecutionError) {
      executed = try state.executing(transactions, in: BlockContext(header))
    } catch {
      switch error {
      case .invalidBlock(let defect): throw Mismatch(.invalidBlock(defect))
      case .fault(let fault): throw Mismatch(.money(fault))
      }
    }
    try compare(block, with: executed)
    return executed
  }

  private mutating func transactions(of block: Block) throws(Mismatch) -> [SignedTransaction] {
    var transactions: [SignedTransaction] = []
    for (position, envelope) in block.body.transactions.enumerated() {
      do {
        let transaction = try SignedTransaction(envelope)
        _ = try verifier.verify(transaction)
        transactions.append(transaction)
      } catch {
        throw Mismatch(.transaction(position: position, "\(error)"))
      }
    }
    return transactions
  }

  private func compare(_ block: Block, with executed: ExecutedBlock) throws(Mismatch) {
    let stated = block.body.outcomes
    let computed = executed.outcomes
    for (position, (one, other)) in zip(stated.results, computed.results).enumerated() where one != other {
      throw Mismatch(.result(position: position, stated: one, computed: other))
    }
    guard stated == computed else {
      throw Mismatch(.events(stated: stated.events.count, computed: computed.events.count))
    }
    let root = executed.state.root
    guard block.header.stateRoot == root else {
      throw Mismatch(.stateRoot(stated: block.header.stateRoot, computed: root))
    }
  }
}
