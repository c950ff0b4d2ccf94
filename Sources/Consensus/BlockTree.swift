import Messages
import Signing

/// Blocks that are not final yet, by hash. Bounded: the first proposal and the certified block of each open view.
struct BlockTree: Sendable {
  /// What re-execution said.
  enum Execution: Hashable, Sendable {
    case notAsked
    case asked
    case notYet
    case valid
    case invalid(String)
  }

  struct Node: Sendable {
    let block: Block
    let hash: Digest
    var execution: Execution
    /// Whether ``ConsensusEffect/notarized(_:hash:)`` was said.
    var isAnnounced = false
    /// Nothing is built on it.
    var endsEra: Bool { block.body.nextEra != nil }
    var reference: BlockReference { BlockReference(block.header, hash: hash) }
  }

  private var nodes: [Digest: Node] = [:]

  subscript(hash: Digest) -> Node? { nodes[hash] }
  var count: Int { nodes.count }

  mutating func insert(_ block: Block, hash: Digest, execution: Execution) {
    guard nodes[hash] == nil else { return }
    nodes[hash] = Node(block: block, hash: hash, execution: execution)
  }

  mutating func setExecution(_ execution: Execution, of hash: Digest) { nodes[hash]?.execution = execution }
  mutating func setAnnounced(_ hash: Digest) { nodes[hash]?.isAnnounced = true }

  /// Blocks on the way up from `ancestor` (exclusive) to `hash` (inclusive), ascending, or the hash that is missing.
  func path(from ancestor: Digest, to hash: Digest) -> Result<[Node], MissingBlock> {
    var path: [Node] = []
    var next = hash
    var view: View?
    while next != ancestor {
      guard let node = nodes[next] else { return .failure(MissingBlock(hash: next, view: view)) }
      path.append(node)
      next = node.block.header.parentHash
      view = node.block.header.parentView
    }
    return .success(path.reversed())
  }

  struct MissingBlock: Error {
    let hash: Digest
    /// Nil when it is the block asked for itself.
    let view: View?
  }

  /// Forgets every block of this view or an earlier one.
  mutating func prune(through view: View) {
    nodes = nodes.filter { $0.value.block.header.view > view }
  }
}
