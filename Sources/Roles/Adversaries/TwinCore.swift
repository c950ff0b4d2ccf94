import Effects
import Messages

/// One identity, two instances: the same key in two processes that do not know of each other (after Bano et al.,
/// "Twins: BFT Systems Made Robust", OPODIS 2021). Each is honest by itself; together they equivocate in every way that
/// honest code can. The first talks to the even members, the second to the odd ones.
public struct TwinCore: RoleCore {
  /// How the second instance's numbers are told from the first's.
  private enum Second {
    static let streams: UInt16 = 0x4000
    static let purposes: UInt16 = 0x8000
    static let requests: UInt64 = 1 << 62
  }

  /// What replaces publications is numbered from here on; nobody waits for the answers.
  private static let firstOwnRequest: UInt64 = 1 << 63

  private var instances: [any RoleCore]
  private let members: [ActorAddress]
  private var lastRequest = Self.firstOwnRequest

  /// - Parameters:
  ///   - members: all voting members, in member order.
  ///   - make: makes one instance from its records.
  public init(
    members: [ActorAddress], recovering records: [StoredRecord],
    make: ([StoredRecord]) throws -> any RoleCore
  ) throws {
    self.members = members
    let second = records.filter { $0.stream >= Second.streams }.map {
      StoredRecord(stream: $0.stream - Second.streams, key: $0.key, bytes: $0.bytes)
    }
    instances = [try make(records.filter { $0.stream < Second.streams }), try make(second)]
  }

  public var address: ActorAddress { instances[0].address }
  public var subscriptions: [Subscription] { instances[0].subscriptions }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    switch event {
    case .started: return turn(0, event, now) + turn(1, event, now)
    case .request(_, let from, _): return turn(faction(of: from) ?? 0, event, now)
    case .published(let subscription, _, _): return turn(faction(of: subscription.publisher) ?? 0, event, now)
    case .response(let id, _) where id.number > Self.firstOwnRequest: return []
    case .response(let id, let result):
      guard id.number >= Second.requests else { return turn(0, event, now) }
      return turn(1, .response(RequestID(id.number - Second.requests), result), now)
    case .timer(let timer):
      guard timer.purpose >= Second.purposes else { return turn(0, event, now) }
      return turn(1, .timer(TimerID(timer.purpose - Second.purposes, timer.index)), now)
    case .recalled(let id, let records):
      guard id.number >= Second.requests else { return turn(0, event, now) }
      let own = records.map { StoredRecord(stream: $0.stream - Second.streams, key: $0.key, bytes: $0.bytes) }
      return turn(1, .recalled(RequestID(id.number - Second.requests), own), now)
    case .datagrams, .ledger: return []
    }
  }

  /// Whom an instance knows: 0 or 1; nil for those who are no members.
  private func faction(of actor: ActorAddress) -> Int? { members.firstIndex(of: actor).map { $0 % 2 } }

  private mutating func turn(_ instance: Int, _ event: Event, _ now: Instant) -> [Effect] {
    var effects: [Effect] = []
    for effect in instances[instance].handle(event, at: now) { effects += translated(effect, instance) }
    return effects
  }

  private mutating func translated(_ effect: Effect, _ instance: Int) -> [Effect] {
    let isSecond = instance == 1
    switch effect {
    case .publish(.consensus, let message):
      // To its own faction only.
      return members.indices.filter { $0 % 2 == instance && members[$0] != address }.map { member in
        lastRequest += 1
        return .request(RequestID(lastRequest), to: members[member], message, deadline: .seconds(2))
      }
    case .publish(.ledger, _), .halt, .observe: return isSecond ? [] : [effect]
    case .request(let id, let to, let message, let deadline):
      if let faction = faction(of: to), faction != instance { return [] }
      return [.request(own(id, isSecond), to: to, message, deadline: deadline)]
    case .persist(.put(let stream, let key, let bytes)) where isSecond:
      return [.persist(.put(stream: stream + Second.streams, key: key, bytes: bytes))]
    case .persist(.prune(let stream, let key)) where isSecond:
      return [.persist(.prune(stream: stream + Second.streams, below: key))]
    case .persist(.retire(let stream, let key)) where isSecond:
      return [.persist(.retire(stream: stream + Second.streams, below: key))]
    case .recall(let id, let stream, let from, let limit) where isSecond:
      return [.recall(own(id, true), stream: stream + Second.streams, from: from, limit: limit)]
    case .setTimer(let timer, let at) where isSecond:
      return [.setTimer(TimerID(timer.purpose + Second.purposes, timer.index), at: at)]
    case .cancelTimer(let timer) where isSecond:
      return [.cancelTimer(TimerID(timer.purpose + Second.purposes, timer.index))]
    default: return [effect]
    }
  }

  private func own(_ id: RequestID, _ isSecond: Bool) -> RequestID {
    isSecond ? RequestID(id.number + Second.requests) : id
  }
}
