import Effects
import Messages
import Signing
import Slicing

/// The manager of one technological domain of an operator: radio, transport or compute (paper §3.2, after Nour et al.;
/// the NSSMF of 3GPP TS 28.531). It gives the controller's slices their part of the domain and knows what each element
/// has given; it trusts the controller's database for nothing, so a slice exists only when every domain agrees.
///
/// An allocation is durable before it is acknowledged, and so is a release. Both may be asked for again at any time. A
/// release is remembered, because a repetition of the order that it undid may still be under way: taken after the
/// release it would keep the elements for nobody.
public struct DomainCore: RoleCore {
  public struct Configuration: Sendable {
    public var name: String
    public var domain: ResourceDomain
    /// Who may order here.
    public var controller: ActorAddress
    /// The operator's; of it only the elements of the own domain count.
    public var substrate: Substrate

    public init(name: String, domain: ResourceDomain, controller: ActorAddress, substrate: Substrate) {
      self.name = name
      self.domain = domain
      self.controller = controller
      self.substrate = substrate
    }
  }

  /// Sub-slices at once.
  public static let maximumAllocations = 1 << 16
  /// Releases that are remembered, the last ones. A request's repetition is under way for seconds, not for so many.
  public static let maximumRemembered = 4096

  enum Stream {
    /// Ascending by arrival: the order while it is allocated, then the release; empty when that is forgotten as well.
    static let allocations: UInt16 = 0x0901
  }

  let configuration: Configuration
  public let address: ActorAddress
  public var subscriptions: [Subscription] { [] }

  private let elements: SubnetElements
  private var calendar: ReservationCalendar
  private var allocations: [SubnetRelease: Allocation] = [:]
  private var next: UInt64 = 1
  /// Keys of remembered releases, oldest first.
  private var released: [(key: UInt64, subnet: SubnetRelease)] = []
  /// Keys whose records are not empty; the latest release is always among them.
  private var kept: Set<UInt64> = []
  private var refused: UInt64 = 0

  private enum Allocation: Sendable {
    case allocated(SubnetOrder, key: UInt64)
    case released
  }

  /// - Throws: ``HaltReason`` when the records are not this domain's or promise more than its elements have.
  public init(_ configuration: Configuration, recovering records: [StoredRecord] = []) throws(HaltReason) {
    self.configuration = configuration
    address = ActorAddress(.domain, configuration.name)
    elements = SubnetElements(of: configuration.domain, on: configuration.substrate)
    calendar = ReservationCalendar(substrate: configuration.substrate)
    for record in records where record.stream == Stream.allocations {
      next = max(next, record.key + 1)
      guard !record.bytes.isEmpty else { continue }
      kept.insert(record.key)
      if let order = try? SubnetOrder(decoding: record.bytes) {
        if let error = reserve(order, key: record.key) {
          throw HaltReason("\(address): sub-slice \(record.key) does not fit: \(error). Restore topology or data.")
        }
        allocations[order.subnet] = .allocated(order, key: record.key)
      } else if let subnet = try? SubnetRelease(decoding: record.bytes) {
        allocations[subnet] = .released
        released.append((record.key, subnet))
      } else {
        throw HaltReason("\(address): record \(record.key) does not decode. Restore the directory.")
      }
    }
  }

  public mutating func handle(_ event: Event, at now: Instant) -> [Effect] {
    var turn = Turn(at: now)
    if case .request(let token, let asker, let message) = event { answer(token, asker, message.value, &turn) }
    return turn.effects
  }

  private mutating func answer(_ token: ReplyToken, _ asker: ActorAddress, _ message: Message, _ turn: inout Turn) {
    switch message {
    case .allocateSubnet where asker != configuration.controller,
      .releaseSubnet where asker != configuration.controller:
      turn.count("domain.orders.refused")
      turn.add(.refuse(token, RemoteError(.permissionDenied, "only \(configuration.controller) orders here")))
    case .allocateSubnet(let order): allocate(token, order, &turn)
    case .releaseSubnet(let subnet): release(token, subnet, &turn)
    case .getStatus:
      turn.add(
        .reply(
          token,
          .status([
            StatusItem("allocations", calendar.count), StatusItem("remembered", released.count),
            StatusItem("refused", refused),
          ])))
    default:
      turn.add(.refuse(token, RemoteError(.unimplemented, "a domain manager answers allocate, release and status")))
    }
  }

  // MARK: Allocation

  private mutating func allocate(_ token: ReplyToken, _ order: SubnetOrder, _ turn: inout Turn) {
    switch allocations[order.subnet] {
    case .allocated(order, _)?: turn.add(.reply(token, .acknowledged))
    case .allocated?: refuse(token, .failedPrecondition, "another order stands for this plan", &turn)
    case .released?: refuse(token, .failedPrecondition, "this plan was released", &turn)
    case nil:
      guard calendar.count < Self.maximumAllocations else {
        return refuse(token, .tooManyRequests, "\(Self.maximumAllocations) sub-slices are allocated", &turn)
      }
      if let error = reserve(order, key: next) { return refuse(token, error.code, error.text, &turn) }
      allocations[order.subnet] = .allocated(order, key: next)
      put(order.encoded, key: next, &turn)
      next += 1
      turn.add(.reply(token, .acknowledged))
    }
  }

  /// - Returns: why the domain does not give this; nil when it is reserved.
  private mutating func reserve(_ order: SubnetOrder, key: UInt64) -> RemoteError? {
    guard order.domain == configuration.domain, order.window.from < order.window.to, !order.elements.isEmpty,
      let demands = elements.demands(of: order.elements, on: configuration.substrate)
    else { return RemoteError(.invalidArgument, "not elements of the \(configuration.domain) domain, or no time") }
    do throws(CalendarError) {
      try calendar.hold(ReservationID(key), demands, during: order.window, for: order.activation)
      return nil
    } catch {
      guard case .insufficient(let resource, let asked, let free) = error else {
        return RemoteError(.tooManyRequests, "\(error)")
      }
      let name = configuration.substrate.name(of: resource)
      return RemoteError(.failedPrecondition, "\(name) has \(free) of \(asked) free")
    }
  }

  private mutating func refuse(
    _ token: ReplyToken, _ code: RemoteError.Code, _ text: String, _ turn: inout Turn
  ) {
    refused += 1
    turn.count("domain.orders.refused")
    turn.add(.refuse(token, RemoteError(code, text)))
  }

  // MARK: Release

  private mutating func release(_ token: ReplyToken, _ subnet: SubnetRelease, _ turn: inout Turn) {
    switch allocations[subnet] {
    case .released?: break
    case .allocated(_, let key)?:
      _ = try? calendar.release(ReservationID(key))
      put([], key: key, &turn)
      remember(subnet, &turn)
    // Its order was refused, or did not arrive yet.
    case nil: remember(subnet, &turn)
    }
    turn.add(.reply(token, .acknowledged))
  }

  private mutating func remember(_ subnet: SubnetRelease, _ turn: inout Turn) {
    allocations[subnet] = .released
    put(subnet.encoded, key: next, &turn)
    released.append((next, subnet))
    next += 1
    guard released.count > Self.maximumRemembered else { return }
    let forgotten = released.removeFirst()
    allocations[forgotten.subnet] = nil
    put([], key: forgotten.key, &turn)
    turn.add(.persist(.prune(stream: Stream.allocations, below: kept.min() ?? next)))
  }

  private mutating func put(_ bytes: [UInt8], key: UInt64, _ turn: inout Turn) {
    if bytes.isEmpty { kept.remove(key) } else { kept.insert(key) }
    turn.add(.persist(.put(stream: Stream.allocations, key: key, bytes: bytes)))
  }
}

extension SubnetOrder {
  /// What a release names.
  var subnet: SubnetRelease { SubnetRelease(activation: activation, plan: plan) }
}

extension ActorAddress {
  /// Where the manager of an operator's domain is reached.
  public static func domain(_ domain: ResourceDomain, of operatorName: String) -> ActorAddress {
    ActorAddress(.domain, "\(operatorName)-\(domain)")
  }
}
