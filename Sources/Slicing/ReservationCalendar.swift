import Messages
import Wire

/// Identifies one reservation of one operator: the key of its ``SliceRecord``. An activation that is extended or
/// renegotiated has several.
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
public struct ReservationCalendar: Sendable {
  public struct Reservation: Hashable, Sendable {
    public enum State: Hashable, Sendable {
      /// Kept for a ConfirmSlice that is not final yet.
      case held
      /// The ledger has it.
      case confirmed
    }
    public var state: State
    public let window: TimeWindow
    public let demands: [ResourceDemand]
  }

  public let substrate: Substrate
  private var profiles: [LoadProfile]
  private var reservations: [ReservationID: Reservation] = [:]

  /// Reservations at once, held and confirmed.
  public static let maximumReservations = 1 << 20

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
  public mutating func hold(_ id: ReservationID, _ plan: SlicePlan) throws(CalendarError) {
    guard reservations[id] == nil else { throw .alreadyReserved(id) }
    guard reservations.count < Self.maximumReservations else { throw .tooMany(limit: Self.maximumReservations) }
    let demands: [ResourceDemand]
    do { demands = try plan.demands(on: substrate) } catch { throw .plan(error) }
    for demand in demands where demand.amount > free(of: demand.resource, during: plan.window) {
      throw .insufficient(
        demand.resource, asked: demand.amount, free: free(of: demand.resource, during: plan.window))
    }
    take(demands, during: plan.window, sign: 1)
    reservations[id] = Reservation(state: .held, window: plan.window, demands: demands)
  }

  /// The ledger has the slice: the hold becomes a promise.
  public mutating func confirm(_ id: ReservationID) throws(CalendarError) {
    guard reservations[id] != nil else { throw .unknown(id) }
    reservations[id]?.state = .confirmed
  }

  /// Gives everything back: the activation is over, or the hold's ConfirmSlice can no longer become final.
  @discardableResult
  public mutating func release(_ id: ReservationID) throws(CalendarError) -> Reservation {
    guard let reservation = reservations.removeValue(forKey: id) else { throw .unknown(id) }
    take(reservation.demands, during: reservation.window, sign: -1)
    return reservation
  }

  private mutating func take(_ demands: [ResourceDemand], during window: TimeWindow, sign: Int64) {
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
