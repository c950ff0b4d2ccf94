import Ledger
import Messages
import Signing
import Testing

/// A state, piece by piece, from somebody whom the receiver does not trust.
@Suite struct SnapshotTests {
  let genesis: Genesis
  let state: LedgerState
  let manifest: SnapshotManifest

  init() throws {
    var chain = try ChainFixture()
    try chain.append([])
    var deployments: [SignedTransaction] = []
    for number in 1...9 {
      deployments.append(
        chain.world.sign(.deployContract(World.terms(number: UInt64(number))), by: "operator-0 controller"))
    }
    try chain.append(deployments)
    genesis = chain.world.genesis
    state = chain.world.state
    let header = try #require(chain.blocks.last).header
    manifest = SnapshotManifest(
      headers: [header],
      finalization: Certificate(ballot: .finalize(header.proposition(hash: header.hash)), votes: []),
      entries: state.entryCount)
  }

  @Test(arguments: [1, 3, 7, 1_000])
  func anyCutGivesTheSameState(entries: Int) throws {
    var assembly = SnapshotAssembly(manifest)
    var pieces = 0
    while let from = assembly.next {
      let piece = try SnapshotChunk(decoding: state.snapshotChunk(from: from, maximumEntries: entries).encoded)
      try assembly.take(piece)
      pieces += 1
      // Twice is not asked for.
      #expect(throws: SnapshotError.notWhatWasAsked) { try assembly.take(piece) }
    }
    #expect(pieces == (Int(state.entryCount) + entries - 1) / entries)
    let copy = try assembly.state(genesis: genesis)
    #expect(copy.root == state.root)
    #expect(copy.height == state.height)
    #expect(copy.entryCount == state.entryCount)
    try copy.audit()
  }

  @Test func whatIsNotTheQuorumsIsRefused() throws {
    let good = state.snapshotChunk(from: [], maximumEntries: 5)
    func refused(_ piece: SnapshotChunk) -> SnapshotError? {
      var assembly = SnapshotAssembly(manifest)
      do throws(SnapshotError) { try assembly.take(piece) } catch {
        // Nothing of it stays: the right piece is taken afterwards.
        #expect(assembly.next == [])
        #expect(throws: Never.self) { try assembly.take(good) }
        return error
      }
      return nil
    }
    func piece(
      height: Height? = nil, from: [UInt8]? = nil, before: [UInt8]? = nil,
      _ change: (inout [KeyedMerkleProof.Step]) -> Void = { _ in }
    ) -> SnapshotChunk {
      var steps = good.proof.steps
      change(&steps)
      return SnapshotChunk(
        height: height ?? good.height, from: from ?? good.from, before: before ?? good.before,
        proof: KeyedMerkleProof(steps: steps))
    }
    #expect(refused(piece(height: 77)) == .notWhatWasAsked)
    #expect(refused(piece(from: [1])) == .notWhatWasAsked)
    // Said to be the last one, or to end elsewhere.
    #expect(refused(piece(before: SnapshotChunk.end)) != nil)
    #expect(refused(piece(before: good.before + [0])) != nil)
    let first = try #require(good.proof.steps.firstIndex { if case .leaf = $0 { true } else { false } })
    guard case .leaf(let key, let value) = good.proof.steps[first] else { return }
    #expect(refused(piece { $0[first] = .leaf(key: key, value: value + [0]) }) == .proof(.wrongRoot))
    // An entry kept back.
    let digest = Digest(hashing: value)
    #expect(refused(piece { $0[first] = .sealedLeaf(key: key, valueDigest: digest) }) == .proof(.incomplete))
    #expect(refused(piece { $0 = [.pruned(manifest.header.stateRoot)] }) == .proof(.incomplete))
  }

  @Test func whatIsMissingIsNoState() throws {
    var assembly = SnapshotAssembly(manifest)
    try assembly.take(state.snapshotChunk(from: [], maximumEntries: 5))
    #expect(throws: SnapshotError.self) { try assembly.state(genesis: genesis) }
  }
}
