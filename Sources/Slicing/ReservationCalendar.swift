import Messages
import Wire

/// Identifies one reservation of one operator: the key of its ``SliceRecord``. An activation that is handed over,
/// extended or renegotiated has several.
public struct ReservationID: Hashable, Comparable, Sendable, WireCodable, CustomStringConvertible {
  public let number: UInt64
  public init(_ number: UInt64) { self.number = number }
  public static func < (left: ReservationID, right: ReservationID) -> Bool { left.number < right.number }
  public var description: String { "\(number)" }
  public func encode(to writer: inout CBORWriter) { writer.write(number) }
  public init(from reader: inout CBORReader) throws(WireError) { number = try reader.uint() }
}

/// What an operator has promised of its substrate, and when.
///
/// The rule: at no moment is more of a resource reserved than there is. A hold counts like a confirmed reservation,
/// because its ConfirmSlice may already be on its way to the ledger; capacity is therefore never sold twice
/// (adversaries.md, O11). Windows are half open, so one slice may begin at the instant at which another ends.
///
/// An activation's flow runs over one of its slices at a time: a packet belongs to one epoch, and the epoch says which
/// (epoch rule 7). So where the slices of one activation overlap (make before break), each resource is charged with
/// the most that any one of them takes, not with their sum.
public struct ReservationCalendar: Sendable {
  public struct Reservation: Hashable, Sendable {
    public enum State: Hashable, Sendable {
      /// Kept for a transaction that is not final yet.
      case held
      /// The ledger has it.
      case confirmed
    }
    public var state: State
    public let holder: ActivationID
    public let window: TimeWindow
    /// In order of ``Substrate/index(of:)``.
    public let demands: [ResourceDemand]
  }

  public let substrate: Substrate
  private var profiles: [LoadProfile]
  private var reservations: [ReservationID: Reservation] = [:]
  /// Ascending.
  private var holdings: [ActivationID: [ReservationID]] = [:]

  /// Reservations at once, held and confirmed.
  public static let maximumReservations = 1 << 20
  /// Of one activation at once.
  public static let maximumPerHolder = 64

  public init(substrate: Substrate) {
    self.substrate = substrate
    profiles = [LoadProfile](repeating: LoadProfile(), count: substrate.resourceCount)
  }

  public var count: Int { reservations.count }
  public func reservation(_ id: ReservationID) -> Reservation? { reservations[id] }

  // MARK: Queries

  /// The most that is reserved of the resource at any moment of the window.
  public func peak(of resource: Resource, during window: TimeWindow) -> UInt64 {
    guard substrate.contains(resource) else { return 0 }
    return peak(at: substrate.index(of: resource), window)
  }

  /// The least that is free of the resource at any moment of the window.
  public func free(of resource: Resource, during window: TimeWindow) -> UInt64 {
    guard substrate.contains(resource) else { return 0 }
    let (free, overdrawn) = substrate.capacity(of: resource).subtractingReportingOverflow(
      peak(of: resource, during: window))
    return overdrawn ? 0 : free
  }

  /// Whether the holder could reserve this beside what it has.
  public mutating func isFree(_ demands: [ResourceDemand], during window: TimeWindow, for holder: ActivationID) -> Bool
  {
    setAside(holder)
    defer { putBack(holder) }
    return demands.allSatisfy { $0.amount <= free(of: $0.resource, during: window) }
  }

  /// The first moment after `instant` at which some of the resource becomes free.
  public func firstFall(of resource: Resource, after instant: Instant) -> Instant? {
    guard substrate.contains(resource) else { return nil }
    return profiles[substrate.index(of: resource)].firstFall(after: instant.nanoseconds).map(Instant.init(nanoseconds:))
  }

  /// The resource by its place in flat arrays: what search asks, many times.
  @inline(__always)
  func peak(at index: Int, _ window: TimeWindow) -> UInt64 {
    let profile = profiles[index]
    guard profile.stepCount > 0 else { return 0 }
    return UInt64(max(0, profile.peak(from: window.from.nanoseconds, to: window.to.nanoseconds)))
  }

  // MARK: Changes

  /// Reserves everything the plan takes, or nothing.
  public mutating func hold(
    _ id: ReservationID, _ plan: SlicePlan, for holder: ActivationID
  ) throws(CalendarError) {
    let demands: [ResourceDemand]
    do { demands = try plan.demands(on: substrate) } catch { throw .plan(error) }
    try hold(id, demands, during: plan.window, for: holder)
  }

  /// Reserves all of the demands, or nothing.
  ///
  /// - Parameter demands: of resources of this substrate, each once, in the order they are numbered.
  public mutating func hold(
    _ id: ReservationID, _ demands: [ResourceDemand], during window: TimeWindow, for holder: ActivationID
  ) throws(CalendarError) {
    guard reservations[id] == nil else { throw .alreadyReserved(id) }
    guard reservations.count < Self.maximumReservations else { throw .tooMany(limit: Self.maximumReservations) }
    let held = holdings[holder] ?? []
    guard held.count < Self.maximumPerHolder else { throw .tooMany(limit: Self.maximumPerHolder) }
    setAside(holder)
    for demand in demands {
      let free = free(of: demand.resource, during: window)
      guard demand.amount <= free else {
        putBack(holder)
        throw .insufficient(demand.resource, asked: demand.amount, free: free)
      }
    }
    reservations[id] = Reservation(state: .held, holder: holder, window: window, demands: demands)
    holdings[holder] = (held + [id]).sorted()
    putBack(holder)
  }

  /// The ledger has the slice: the hold becomes a promise.
  public mutating func confirm(_ id: ReservationID) throws(CalendarError) {
    guard reservations[id] != nil else { throw .unknown(id) }
    reservations[id]?.state = .confirmed
  }

  /// Gives everything back: the activation is over or runs over another slice, or the hold's transaction can no longer
  /// become final.
  @discardableResult
  public mutating func release(_ id: ReservationID) throws(CalendarError) -> Reservation {
    guard let reservation = reservations[id] else { throw .unknown(id) }
    setAside(reservation.holder)
    reservations[id] = nil
    let rest = (holdings[reservation.holder] ?? []).filter { $0 != id }
    holdings[reservation.holder] = rest.isEmpty ? nil : rest
    putBack(reservation.holder)
    return reservation
  }

  // MARK: One holder's load

  /// As if the holder had nothing, until ``putBack(_:)``.
  mutating func setAside(_ holder: ActivationID) { charge(holder, sign: -1) }
  mutating func putBack(_ holder: ActivationID) { charge(holder, sign: 1) }

  private mutating func charge(_ holder: ActivationID, sign: Int64) {
    guard let held = holdings[holder] else { return }
    let reservations = held.compactMap { self.reservations[$0] }
    if reservations.count == 1 { return charge(reservations[0].demands, reservations[0].window, sign: sign) }
    // Between two neighbouring bounds nothing changes: each stretch is charged with the most of those that cover it.
    let bounds = Set(reservations.flatMap { [$0.window.from, $0.window.to] }).sorted()
    for (from, to) in zip(bounds, bounds.dropFirst()) {
      let covering = reservations.filter { $0.window.from <= from && to <= $0.window.to }
      charge(most(of: covering), TimeWindow(from: from, to: to), sign: sign)
    }
  }

  /// Of each resource, the most that one of them takes.
  private func most(of reservations: [Reservation]) -> [ResourceDemand] {
    guard reservations.count > 1 else { return reservations.first?.demands ?? [] }
    var amounts: [Resource: UInt64] = [:]
    var resources: [Resource] = []
    for demand in reservations.flatMap(\.demands) {
      if let known = amounts[demand.resource] {
        amounts[demand.resource] = max(known, demand.amount)
      } else {
        amounts[demand.resource] = demand.amount
        resources.append(demand.resource)
      }
    }
    return resources.map { ResourceDemand(resource: $0, amount: amounts[$0] ?? 0) }
  }

  private mutating func charge(_ demands: [ResourceDemand], _ window: TimeWindow, sign: Int64) {
    for demand in demands {
      profiles[substrate.index(of: demand.resource)].add(
        sign * Int64(clamping: demand.amount), from: window.from.nanoseconds, to: window.to.nanoseconds)
    }
  }
}

/// Why the calendar refused.
public enum CalendarError: Error, Hashable, Sendable {
  /// Somebody else has it: plan again.
  case insufficient(Resource, asked: UInt64, free: UInt64)
  /// The identifier is in use: choose another.
  case alreadyReserved(ReservationID)
  /// No such reservation: it was released, or never held.
  case unknown(ReservationID)
  /// The plan does not fit the substrate: drop it.
  case plan(PlanError)
  /// Refuse new slices until some end.
  case tooMany(limit: Int)
}
