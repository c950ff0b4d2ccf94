import Consensus
import FixtureSupport
import Messages
import Signing

/// A story of consensus as text: who holds what, who says what, and what follows. The commands stand in a file; behind
/// each group of them, under `----`, stands what then happened, as recorded (the idea is etcd raft's). Commands:
///
///     network operators 4 [regulators 2] [later 0 1 2 3 4]… [losing 30] [lying M] [seed 7]
///     block NAME view V on PARENT [with CERTIFICATE] [skipping CERTIFICATE…] [notes N…] [ends era] [twin of NAME]
///     certificate NAME notarize|finalize BLOCK [in view V after P] by M…     certificate NAME nullify V by M…
///     disk M…: offer BLOCK, notarize BLOCK, nullify V, finalize BLOCK, CERTIFICATE, …
///     log of M from N          journal of M lost        start M…      crash M…     cut M      M computes otherwise
///     hear M from N: offer BLOCK | notarize BLOCK | nullify V | finalize BLOCK | CERTIFICATE
///     lose to M: finalize votes of view V, certificates, segments      lose nothing
///     flood M from N views A to B     ask M from N times T     foreign vote of N reaches M
///     transaction N     end era     run SPAN [until height H | until view V of M…]     state     check
///
/// Members are numbered, blocks named; a block that no command named is called B and its view. Each vote is told once.
final class Scenario {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private var consortium: TestConsortium?
  private var network: TestNetwork?
  private var blocks: [String: Proposal] = [:]
  private var certificates: [String: Certificate] = [:]
  private var told: Set<String> = []
  private var output: [String] = []

  /// The file again, with what happens now under each group of commands.
  static func replay(_ text: String) throws -> String {
    let scenario = Scenario()
    var lines: [String] = []
    var isOutput = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
      if line == "----" {
        isOutput = true
        lines.append(line)
        lines += scenario.output.isEmpty ? ["(nothing)"] : scenario.output
        scenario.output = []
      } else if isOutput {
        guard line.isEmpty else { continue }
        isOutput = false
        lines.append(line)
      } else {
        lines.append(line)
        if !line.isEmpty, !line.hasPrefix("#") { try scenario.perform(line) }
      }
    }
    return lines.joined(separator: "\n")
  }

  // MARK: Commands

  private func perform(_ line: String) throws {
    var words = Words(line)
    switch try words.next() {
    case "network": try makeNetwork(&words)
    case "block": try makeBlock(&words)
    case "certificate": try makeCertificate(&words)
    case "disk": try writeDisks(&words)
    case "log":
      try words.expect("of")
      let member = try words.member()
      try words.expect("from")
      let other = try words.member()
      let net = try net()
      net.members[Int(member)].log = net.members[Int(other)].log
    case "journal":
      try words.expect("of")
      try net().members[Int(try words.member())].records = [:]
    case "start": for member in try words.members() { try net().boot(member) }
    case "crash": for member in try words.members() { try net().crash(member) }
    case "cut": try net().cutBeforeSpeaking.insert(try words.member())
    case "hear": try hear(&words)
    case "lose": try lose(&words)
    case "flood": try flood(&words)
    case "ask": try ask(&words)
    case "foreign": try foreignVote(&words)
    case "transaction": try net().submit(try words.number())
    case "end": try net().submit(TestConsortium.firstChange + (try net().members.map(\.era.era).max() ?? 0))
    case "run": try run(&words)
    case "state": try tellState()
    case "check":
      output.append(try net().checker.violations.isEmpty ? "no rule is broken" : "\(try net().checker.violations)")
    case let word:
      guard let member = MemberIndex(word), words.take("computes") else { throw Failure(description: "\(line)?") }
      try net().members[Int(member)].computesOtherwise = true
    }
  }

  private func net() throws -> TestNetwork {
    guard let network else { throw Failure(description: "no network yet") }
    return network
  }

  private func rules() throws -> TestConsortium {
    guard let consortium else { throw Failure(description: "no network yet") }
    return consortium
  }

  private func makeNetwork(_ words: inout Words) throws {
    var operators = 4
    var regulators = 0
    var seed: UInt64 = 1
    var liars: [MemberIndex] = []
    var weather = TestNetwork.Weather(delayMilliseconds: 10...10)
    var later: [[Int]] = []
    while let word = words.peek() {
      _ = try words.next()
      switch word {
      case "operators": operators = Int(try words.number())
      case "regulators": regulators = Int(try words.number())
      case "seed": seed = try words.number()
      case "lying": liars = try words.members()
      case "losing": weather.lossPercent = try words.number()
      case "later": later.append(try words.members().map { Int($0) })
      default: throw Failure(description: "network … \(word)?")
      }
    }
    (blocks, certificates, told) = ([:], [:], [])
    let made = try TestConsortium(operators: operators, regulators: regulators, later: later)
    consortium = made
    let net = TestNetwork(made, seed: seed, weather: weather)
    net.narrator = { [unowned self] member, effect in narrate(member, effect) }
    net.checker.faulty = Set(liars)
    network = net
  }

  private func makeBlock(_ words: inout Words) throws {
    let name = try words.next()
    if words.take("twin") {
      try words.expect("of")
      blocks[name] = Equivocator.twin(of: try block(try words.next()), try rules())
      return
    }
    try words.expect("view")
    let view = try words.number()
    try words.expect("on")
    let parentName = try words.next()
    let parent = parentName == "genesis" ? try rules().genesis : try block(parentName).reference
    var carried: Certificate?
    var skipped: [Certificate] = []
    var notes: [UInt64] = []
    while let word = words.peek() {
      _ = try words.next()
      switch word {
      case "with": carried = try certificate(try words.next())
      case "skipping":
        while let name = words.peek(), let skip = certificates[name] { skipped.append(skip); _ = try words.next() }
      case "notes": while let note = words.peek().flatMap({ UInt64($0) }) { notes.append(note); _ = try words.next() }
      case "ends":
        try words.expect("era")
        notes.append(TestConsortium.firstChange + (carried?.era ?? 0))
      default: throw Failure(description: "block … \(word)?")
      }
    }
    let endsEra = parentName == "genesis" ? false : try block(parentName).block.body.nextEra != nil
    let begins = endsEra && carried?.ballot.kind == MessageKind.finalize
    blocks[name] = try rules().proposal(
      view: view, on: parent, certificate: carried, skipped: skipped, notes: notes,
      era: (carried?.era ?? 0) + (begins ? 1 : 0))
  }

  private func makeCertificate(_ words: inout Words) throws {
    let name = try words.next()
    let ballot = try self.ballot(&words)
    try words.expect("by")
    certificates[name] = try rules().certificate(ballot, by: try words.members())
  }

  private func ballot(_ words: inout Words) throws -> Ballot {
    let kind = try words.next()
    if kind == "nullify" { return .nullify(era: 0, view: try words.number()) }
    var proposition = try block(try words.next()).proposition
    if words.take("in") {
      try words.expect("view")
      let view = try words.number()
      try words.expect("after")
      proposition = Proposition(
        era: proposition.era, view: view, parentView: try words.number(), blockHash: proposition.blockHash)
    }
    switch kind {
    case "notarize": return .notarize(proposition)
    case "finalize": return .finalize(proposition)
    default: throw Failure(description: "vote \(kind)?")
    }
  }

  private func writeDisks(_ words: inout Words) throws {
    let members = try words.membersUpToColon()
    for item in words.items() {
      for member in members {
        let record: ConsensusRecord
        var words = Words(item)
        if let known = certificates[item] {
          record = .certificate(known)
        } else if words.take("offer") {
          record = .proposal(try block(try words.next()))
        } else {
          record = .vote(try rules().vote(try ballot(&words), by: member))
        }
        let net = try net()
        net.members[Int(member)].records[record.key] = record
        if case .certificate(let certificate) = record { net.checker.saw(certificate) }
      }
    }
  }

  private func hear(_ words: inout Words) throws {
    let receiver = try words.member()
    try words.expect("from")
    let sender = try words.membersUpToColon()[0]
    for item in words.items() {
      let message: ConsensusMessage
      var words = Words(item)
      if let known = certificates[item] {
        message = .certificate(known)
        try net().checker.saw(known)
      } else if words.take("offer") {
        message = .proposal(try block(try words.next()))
      } else {
        message = .vote(try rules().vote(try ballot(&words), by: sender))
      }
      try net().deliver(message, from: sender, to: receiver)
    }
  }

  private func lose(_ words: inout Words) throws {
    let net = try net()
    if words.take("nothing") {
      net.passes = { _, _, _ in true }
      return
    }
    try words.expect("to")
    let deaf = try words.membersUpToColon()
    let lost = words.items()
    net.passes = { message, _, receiver in
      guard deaf.contains(receiver) else { return true }
      switch message {
      case .vote(let vote):
        let kind = vote.ballot.kind == MessageKind.finalize ? "finalize" : "other"
        return !lost.contains("\(kind) votes of view \(vote.ballot.view)") && !lost.contains("everything")
      case .certificate, .certificates: return !lost.contains("certificates") && !lost.contains("everything")
      case .segments: return !lost.contains("segments") && !lost.contains("everything")
      default: return !lost.contains("everything")
      }
    }
  }

  private func flood(_ words: inout Words) throws {
    let receiver = try words.member()
    try words.expect("from")
    let sender = try words.member()
    try words.expect("views")
    let first = try words.number()
    try words.expect("to")
    for view in first...(try words.number()) {
      let nowhere = Proposition(era: 0, view: view, parentView: 0, blockHash: try rules().network)
      for ballot in [Ballot.nullify(era: 0, view: view), .finalize(nowhere)] {
        try net().deliver(.vote(try rules().vote(ballot, by: sender)), from: sender, to: receiver)
      }
    }
    let proofs = output.count { $0.hasPrefix("\(receiver) proves") }
    output.removeAll { $0.hasPrefix("\(receiver) proves") }
    output.append("\(receiver) proves \(proofs) contradictions of \(sender)")
    guard let load = try net().members[Int(receiver)].core?.load else { return }
    output.append("\(receiver) keeps something of \(load.views) views")
  }

  private func ask(_ words: inout Words) throws {
    let receiver = try words.member()
    try words.expect("from")
    let sender = try words.member()
    try words.expect("times")
    let before = try net().messagesSent
    for _ in 0..<(try words.number()) { try net().deliver(.getSegments(from: 1), from: sender, to: receiver) }
    output.append("\(receiver) answers \(try net().messagesSent - before) times")
  }

  private func foreignVote(_ words: inout Words) throws {
    try words.expect("vote")
    try words.expect("of")
    let sender = try words.member()
    let other = try TestConsortium(operators: try rules().count, salt: 1)
    let vote = ConsensusMessage.vote(other.vote(.nullify(era: 0, view: 1), by: sender))
    var verifier = Verifier(context: try rules().context)
    do {
      _ = try verifier.verify(vote)
      output.append("a vote of another network counts")
    } catch VerificationError.badSignature {
      output.append("the signature of \(sender) does not hold here")
    }
  }

  private func run(_ words: inout Words) throws {
    let span = try words.span()
    let net = try net()
    guard words.take("until") else { return net.run(for: span) }
    let reached: Bool
    switch try words.next() {
    case "height":
      let height = try words.number()
      reached = net.run(atMost: span) { net.members.allSatisfy { !$0.isUp || $0.height >= height } }
    case "view":
      let view = try words.number()
      try words.expect("of")
      let members = try words.members()
      reached = net.run(atMost: span) { members.allSatisfy { net.view($0) >= view } }
    default: throw Failure(description: "run until what?")
    }
    output.append(reached ? "so it is" : "that does not happen")
  }

  private func block(_ name: String) throws -> Proposal {
    guard let block = blocks[name] else { throw Failure(description: "no block \(name)") }
    return block
  }

  private func certificate(_ name: String) throws -> Certificate {
    guard let certificate = certificates[name] else { throw Failure(description: "no certificate \(name)") }
    return certificate
  }
}

// MARK: What is told

extension Scenario {
  private func name(_ hash: Digest, view: View) -> String {
    blocks.keys.sorted().first { blocks[$0]?.hash == hash } ?? "B\(view)"
  }

  private func tell(_ line: String) {
    if told.insert(line).inserted { output.append(line) }
  }

  private func narrate(_ member: MemberIndex, _ effect: ConsensusEffect) {
    switch effect {
    case .broadcast(.vote(let vote)): tell("\(member) says \(words(vote.ballot))")
    case .broadcast(.proposal(let proposal)):
      let view = proposal.block.header.view
      tell("\(member) offers \(name(proposal.hash, view: view)) in view \(view)")
    case .broadcast(.reproposal(let again)):
      let name = name(again.block.hash, view: again.block.header.view)
      tell("\(member) offers \(name) again in view \(again.vote.ballot.view)")
    case .finalized(let segment):
      for block in segment.blocks {
        let name = name(block.hash, view: block.header.view)
        output.append(
          "\(member) has \(name) final at height \(block.header.height), by view \(segment.finalization.view)")
      }
    case .evidence(let evidence):
      output.append("\(member) proves \(evidence.kind.name) of \(evidence.member) in view \(evidence.view)")
    case .refuted(let proposal, let reason):
      output.append("\(member) refutes a block of \(proposal.block.header.leader): \(reason)")
    case .halt(let reason): output.append("\(member) stops: \(plain(reason))")
    case .observe(.entered(let view, let leader)): tell("\(member) enters view \(view), led by \(leader)")
    case .observe(.eraBegan(let era, _)): tell("\(member) begins era \(era)")
    case .observe(.timedOut(let view, _, _, _)): tell("\(member) has waited for view \(view) long enough")
    default: break
    }
  }

  private func words(_ ballot: Ballot) -> String {
    switch ballot {
    case .notarize(let offered): "notarize \(name(offered.blockHash, view: offered.view)) in view \(offered.view)"
    case .finalize(let offered): "finalize \(name(offered.blockHash, view: offered.view)) in view \(offered.view)"
    case .nullify(_, let view): "nullify \(view)"
    }
  }

  /// A hash says nothing to a reader.
  private func plain(_ reason: String) -> String {
    reason.split(separator: " ").filter { $0.count < 2 * Digest.zero.bytes.count }.joined(separator: " ")
  }

  private func tellState() throws {
    for member in try net().members {
      guard member.isUp, let core = member.core else {
        output.append("\(member.index) is down, height \(member.height)")
        continue
      }
      let chain = member.log.flatMap(\.blocks).map { name($0.hash, view: $0.header.view) }
      let era = core.membership.era == 0 ? "" : "era \(core.membership.era), "
      let final = chain.isEmpty ? "nothing" : chain.joined(separator: ", ")
      output.append("\(member.index) is in \(era)view \(core.view), final: \(final)")
    }
  }
}

/// The words of a command.
struct Words {
  private var words: ArraySlice<Substring>

  init(_ line: String) { words = line.split(separator: " ")[...] }

  func peek() -> String? { words.first.map(String.init) }

  mutating func next() throws -> String {
    guard let word = words.popFirst() else { throw Scenario.Failure(description: "a word is missing") }
    return String(word)
  }

  mutating func take(_ word: String) -> Bool {
    guard words.first == Substring(word) else { return false }
    words.removeFirst()
    return true
  }

  mutating func expect(_ word: String) throws {
    guard take(word) else { throw Scenario.Failure(description: "\(word) is missing before \(peek() ?? "the end")") }
  }

  mutating func number() throws -> UInt64 {
    let word = try next()
    guard let number = UInt64(word) else { throw Scenario.Failure(description: "\(word) is no number") }
    return number
  }

  mutating func member() throws -> MemberIndex { MemberIndex(try number()) }

  mutating func members() throws -> [MemberIndex] {
    var members: [MemberIndex] = []
    while let member = peek().flatMap({ MemberIndex($0) }) {
      members.append(member)
      words.removeFirst()
    }
    return members
  }

  mutating func membersUpToColon() throws -> [MemberIndex] {
    var members: [MemberIndex] = []
    while true {
      let word = try next()
      guard let member = MemberIndex(word.hasSuffix(":") ? String(word.dropLast()) : word) else {
        throw Scenario.Failure(description: "\(word) is no member")
      }
      members.append(member)
      if word.hasSuffix(":") { return members }
    }
  }

  /// The rest, separated by commas.
  mutating func items() -> [String] {
    defer { words = [] }
    return words.joined(separator: " ").split(separator: ",").map { part in
      part.split(separator: " ").joined(separator: " ")
    }
  }

  mutating func span() throws -> Span {
    let word = try next()
    if word.hasSuffix("ms"), let count = Int64(word.dropLast(2)) { return .milliseconds(count) }
    if word.hasSuffix("s"), let count = Int64(word.dropLast()) { return .seconds(count) }
    throw Scenario.Failure(description: "\(word) is no time")
  }
}
