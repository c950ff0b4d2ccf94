import Effects
import Messages
import Signing

/// One way in which a voting member does not keep to the protocol: what leaves it instead of what an honest member
/// would say, and what it says on top. Its host is an honest ``ValidatorCore``, which knows the ledger and the views
/// and never learns what became of its words.
protocol Adversary: Sendable {
  /// How far the host's clock is bent.
  var clockOffset: Span { get }
  /// Whether the host hears of it.
  mutating func admits(_ event: Event) -> Bool
  /// What takes place instead of one effect of the host, which has handled its event.
  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect]
  /// What it does besides, after an event.
  mutating func after(_ event: Event, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect]
}

extension Adversary {
  var clockOffset: Span { .zero }
  mutating func admits(_ event: Event) -> Bool { true }
  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] { [effect] }
  mutating func after(_ event: Event, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] { [] }
}

/// The V rows of the test matrix, by what is done.
public enum Misconduct: Hashable, Sendable, CaseIterable {
  /// Votes twice, in every way that proves something (V1). ``Equivocator``
  case equivocation
  /// Nullifies every view. ``Nullifier``
  case nullification
  /// Keeps certificates, blocks and answers to itself (V5). ``Withholder``
  case withholding
  /// Proposes on a block that the chain has left behind. ``StaleProposer``
  case staleProposals
  /// Proposes blocks whose state root is wrong (V2). ``InvalidProposer``
  case invalidProposals
  /// Votes, and never proposes. ``SilentLeader``
  case silentLeader
  /// Asks and says again without end. ``Flooder``
  case flooding
  /// Speaks in other members' names. ``Impersonator``
  case impersonation
  /// Votes in views that are far away. ``FarFutureVoter``
  case farFutureVotes
  /// Makes blocks of times to come (V11). ``BlockTimeBender``
  case bentTime
  /// Acknowledges submissions and drops them (V8, V3). ``Forgetter``
  case forgetting
  /// Answers customers falsely (V9). ``FalseWitness``
  case falseAnswers

  func adversary() -> any Adversary {
    switch self {
    case .equivocation: Equivocator()
    case .nullification: Nullifier()
    case .withholding: Withholder()
    case .staleProposals: StaleProposer()
    case .invalidProposals: InvalidProposer()
    case .silentLeader: SilentLeader()
    case .flooding: Flooder()
    case .impersonation: Impersonator()
    case .farFutureVotes: FarFutureVoter()
    case .bentTime: BlockTimeBender()
    case .forgetting: Forgetter()
    case .falseAnswers: FalseWitness()
    }
  }

  /// Whether what it does can prove its guilt, so that somebody must be convicted.
  public var convicts: Bool {
    switch self {
    case .equivocation, .staleProposals, .invalidProposals, .forgetting: true
    case .nullification, .withholding, .silentLeader, .flooding, .impersonation, .farFutureVotes, .bentTime,
      .falseAnswers:
      false
    }
  }
}

/// A voting member that cheats, for topologies that let it and for simulations.
public struct AdversaryCore: RoleCore {
  private var host: ValidatorCore
  private var adversary: any Adversary
  private var voice: Voice

  public init(_ host: ValidatorCore, _ misconduct: Misconduct) {
    self.host = host
    adversary = misconduct.adversary()
    voice = Voice(host)
  }

  public var address: ActorAddress { host.address }
  public var subscriptions: [Subscription] { host.subscriptions }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    if case .response(let id, _) = event, Voice.isOwn(id) { return [] }
    var effects: [Effect] = []
    if adversary.admits(event) {
      for effect in host.handle(event, at: now + adversary.clockOffset) {
        effects += adversary.instead(of: unbent(effect), host, &voice)
      }
    }
    return effects + adversary.after(event, host, &voice)
  }

  /// The host set its timer by its own clock.
  private func unbent(_ effect: Effect) -> Effect {
    guard case .setTimer(let timer, let at) = effect else { return effect }
    return .setTimer(timer, at: at - adversary.clockOffset)
  }
}

/// How an adversary speaks for its member: with its key, to everybody or to one.
struct Voice: Sendable {
  let member: MemberIndex
  let members: [ActorAddress]
  private let key: SigningKey
  private let network: Digest
  private var lastRequest = Self.firstRequest

  /// Requests of the host are numbered from 1.
  private static let firstRequest: UInt64 = 1 << 63
  private static let deadline = Span.seconds(2)

  init(_ host: ValidatorCore) {
    let configuration = host.configuration
    member = MemberIndex(configuration.genesis.members.firstIndex { $0.name == configuration.name } ?? 0)
    members = configuration.genesis.members.map { ActorAddress(.validator, $0.name) }
    key = configuration.keys[0]
    network = configuration.genesis.networkID
  }

  static func isOwn(_ id: RequestID) -> Bool { id.number > firstRequest }

  var others: [MemberIndex] { members.indices.map { MemberIndex($0) }.filter { $0 != member } }

  func signed<Payload: SignedPayload>(_ payload: Payload) -> SignedMessage<Payload> {
    SignedMessage(signing: payload, with: key, network: network)
  }

  func vote(_ ballot: Ballot) -> Vote { Vote(ballot, by: member, with: key, network: network) }

  /// A block with this member's vote for it.
  func proposal(_ header: BlockHeader, _ body: BlockBody) -> Proposal {
    let block = Block(header: header, body: body)
    return Proposal(block: block, vote: vote(.notarize(header.proposition(hash: block.hash))))
  }

  func publish(_ message: ConsensusMessage) -> Effect { .publish(.consensus, .consensus(message)) }

  mutating func tell(_ message: ConsensusMessage, _ receiver: MemberIndex) -> Effect {
    lastRequest += 1
    return .request(
      RequestID(lastRequest), to: members[Int(receiver)], .consensus(message), deadline: Self.deadline)
  }
}

extension Effect {
  /// What it says to members about consensus.
  var consensus: ConsensusMessage? {
    switch self {
    case .publish(_, .consensus(let message)), .request(_, _, .consensus(let message), _),
      .reply(_, .consensus(let message)):
      message
    default: nil
    }
  }
}

extension Event {
  /// What a member was told about consensus.
  var consensus: ConsensusMessage? {
    switch self {
    case .published(_, _, let message), .request(_, _, let message):
      if case .consensus(let content) = message.value { content } else { nil }
    default: nil
    }
  }
}
