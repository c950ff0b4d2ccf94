import Messages
import Signing
import Wire

/// The ledger after some block: a value. A copy is free, so a block is executed as an overlay on its parent and two
/// children of one parent never see each other.
///
/// Everything that changes is in one key-ordered Merkle tree of typed records (``LedgerKey`` says where), whose root
/// stands in the block header; what the genesis fixed is beside it.
public struct LedgerState: Sendable {
  public let rules: NetworkRules
  public internal(set) var tree: KeyedMerkleTree<LedgerRecord>
  /// The tree's chain record, kept at hand: every question about time needs it.
  public internal(set) var chain: ChainRecord

  /// What every member agrees on: commits to every account, contract and activation.
  public var root: Digest { tree.root }
  public var height: Height { chain.height }
  public var time: Instant { chain.time }

  init(rules: NetworkRules, tree: KeyedMerkleTree<LedgerRecord>, chain: ChainRecord) {
    self.rules = rules
    self.tree = tree
    self.chain = chain
  }
}

/// What the genesis fixes and no record of the tree repeats.
public struct NetworkRules: Sendable {
  public let network: Digest
  public let parameters: NetworkParameters
  /// Era 0; later ones are on the ledger.
  public let firstEra: EraRecord
  public let platformKeys: [PublicKey]

  init(_ genesis: Genesis) {
    network = genesis.networkID
    parameters = genesis.parameters
    firstEra = genesis.firstEra
    platformKeys = genesis.platformKeys
  }
}

/// The block being executed.
public struct BlockContext: Hashable, Sendable {
  public var era: Era
  public var view: View
  public var height: Height
  public var time: Instant
  /// The member that leads its view.
  public var leader: Int
  /// For the first block, whatever stands there for the genesis.
  public var parentHash: Digest

  public init(era: Era, view: View, height: Height, time: Instant, leader: Int, parentHash: Digest) {
    self.era = era
    self.view = view
    self.height = height
    self.time = time
    self.leader = leader
    self.parentHash = parentHash
  }

  public init(_ header: BlockHeader) {
    self.init(
      era: header.era, view: header.view, height: header.height, time: header.time, leader: Int(header.leader),
      parentHash: header.parentHash)
  }
}

/// What executing a block gave.
public struct ExecutedBlock: Sendable {
  public let state: LedgerState
  public let outcomes: BlockOutcomes
  /// Activations that ended in this block, in order: they have left the state for the log.
  public let archived: [ArchivedActivation]
}

/// A leaf of the log of ended activations. The state keeps the log's peaks; the shell keeps these.
public struct ArchivedActivation: Hashable, Sendable {
  /// Position in the log.
  public let index: UInt64
  public let record: ActivationRecord
  /// The leaf's content: the record's canonical bytes.
  public var leaf: [UInt8] { record.encoded }
}

/// Why a block was not executed.
public enum ExecutionError: Error, Hashable, Sendable {
  /// The block is invalid for ever, whoever looks: nullify its view and keep the proposal as proof.
  case invalidBlock(BlockDefect)
  /// This node's own state contradicts itself: stop, going on would spend money that is not there.
  case fault(LedgerFault)
}

/// Why no honest leader would have proposed a block.
public enum BlockDefect: Hashable, Sendable {
  case wrongHeight(expected: Height)
  case timeNotAfterParent
  case wrongEra(expected: Era)
  case viewBeforeEra(first: View)
  case leaderMayNotLead
  case tooManyTransactions
  case tooManyBytes
  /// The transaction at this position was not includable.
  case notIncludable(Int, InclusionDefect)
}

/// Something that cannot be: a defect of the program or of the disk. The text says what and where.
public struct LedgerFault: Error, Hashable, Sendable, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

/// Bounds of the ledger that are not network parameters.
public enum LedgerLimits {
  /// All transactions of one block, bytes.
  public static let blockBytes = 8 << 20
  /// Records of used nonces and ended activations forgotten per block, as a multiple of the transactions a block may
  /// have: more than come in, so the backlog shrinks.
  public static let forgottenPerTransaction: UInt64 = 4
  /// Pieces of evidence kept against one key. One convicts.
  public static let evidencePerSigner = 64
  /// Keys and records in one answer with a proof, bytes: well within a message.
  public static let entriesBytes = 1 << 20
  /// Answers of one range query.
  public static let rangeAtMost = 1024
}
