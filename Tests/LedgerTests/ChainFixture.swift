import Ledger
import Messages
import Signing

/// A chain of blocks with certificates of all members, made from a ``World``.
struct ChainFixture {
  var world: World
  private(set) var blocks: [Block] = []
  /// Of the last block.
  private(set) var certificate: Certificate?

  init(parameters: NetworkParameters = .standard) throws { world = try World(parameters: parameters) }

  /// Executes the transactions and appends their block, as a leader and a quorum would.
  mutating func append(_ transactions: [SignedTransaction], change: (inout Block) -> Void = { _ in }) throws {
    let view = world.state.height + 1
    let previous = blocks.last?.hash ?? world.genesis.networkID
    let time = world.state.time + .milliseconds(500)
    let leader = MemberIndex(world.state.height % 4)
    let context = BlockContext(
      era: 0, view: view, height: view, time: time, leader: Int(leader), parentHash: previous)
    let executed = try world.state.executing(transactions, in: context)
    let body = BlockBody(transactions: transactions.map(\.envelope), outcomes: executed.outcomes)
    var block = Block(
      header: BlockHeader(
        era: 0, view: view, parentView: view - 1, height: view, parentHash: previous, time: time, leader: leader,
        transactionsRoot: body.transactionsRoot, outcomesRoot: body.outcomesRoot, stateRoot: executed.state.root,
        parentCertificate: certificate, skipped: []),
      body: body)
    change(&block)
    blocks.append(block)
    certificate = notarization(of: block)
    world.adopt(executed, tip: block.hash)
  }

  private func notarization(of block: Block) -> Certificate {
    let ballot = Ballot.notarize(block.header.proposition(hash: block.hash))
    let votes = world.genesis.members.indices.map { index in
      let key = World.key("\(world.genesis.members[index].name) validator")
      let vote = Vote(ballot, by: MemberIndex(index), with: key, network: world.genesis.networkID)
      return (member: vote.member, signature: vote.signature)
    }
    return Certificate(ballot: ballot, votes: votes)
  }
}
