import Messages

/// How well messages travel in a simulated world. Chances are parts per million.
///
/// What a core can see of a bad network is what its shell lets through. Requests and answers may be lost: the asker's
/// deadline then passes. Publications are numbered, so duplicates and reordering end in the bus, and what is lost there
/// is fetched: the core sees it late, with everything behind it, or as a gap. Datagrams are UDP: lost, doubled and
/// overtaken as they come.
public struct NetworkConditions: Hashable, Sendable {
  /// At least `base`, and up to `jitter` more.
  public struct Delay: Hashable, Sendable {
    public var base: Span
    public var jitter: Span

    public init(_ base: Span, jitter: Span) {
      self.base = base
      self.jitter = jitter
    }
  }

  /// One way, for requests, answers and publications.
  public var delay: Delay
  /// Of a request, and again of its answer.
  public var requestLoss: UInt32
  /// Of one publication on the way to one subscriber.
  public var publicationLoss: UInt32
  /// What fetching a lost publication takes, on top of its delay.
  public var fetchDelay: Delay
  /// Of lost publications: given up after ``fetchDelay`` and reported as a gap.
  public var gaps: UInt32
  /// One way, for datagrams. It adds to what the edges emulate, so it is far below any promise.
  public var datagramDelay: Delay
  public var datagramLoss: UInt32
  public var datagramDuplication: UInt32
  /// A read of own records.
  public var recallDelay: Delay
  /// Actors start at different moments, up to this far apart.
  public var startSpread: Span

  /// A data centre on a good day.
  public static let calm = NetworkConditions(
    delay: Delay(.microseconds(500), jitter: .microseconds(500)), requestLoss: 0, publicationLoss: 0,
    fetchDelay: Delay(.milliseconds(5), jitter: .milliseconds(5)), gaps: 0,
    datagramDelay: Delay(.microseconds(20), jitter: .microseconds(30)), datagramLoss: 0, datagramDuplication: 0,
    recallDelay: Delay(.microseconds(100), jitter: .microseconds(100)), startSpread: .milliseconds(20))

  /// A wide area on a bad day: a message in fifty is lost, a lost publication in ten is never seen again. The data
  /// plane is as in ``calm``: its quality is the scenario's, and loss here would be blamed on the access segment.
  public static let lossy = NetworkConditions(
    delay: Delay(.milliseconds(2), jitter: .milliseconds(18)), requestLoss: 20_000, publicationLoss: 20_000,
    fetchDelay: Delay(.milliseconds(50), jitter: .milliseconds(150)), gaps: 100_000,
    datagramDelay: Delay(.microseconds(20), jitter: .microseconds(30)), datagramLoss: 0, datagramDuplication: 0,
    recallDelay: Delay(.microseconds(100), jitter: .milliseconds(2)), startSpread: .milliseconds(500))

  /// By name, for the command line.
  public static let presets: [(name: String, conditions: NetworkConditions)] = [("calm", calm), ("lossy", lossy)]

  public init(
    delay: Delay, requestLoss: UInt32, publicationLoss: UInt32, fetchDelay: Delay, gaps: UInt32, datagramDelay: Delay,
    datagramLoss: UInt32, datagramDuplication: UInt32, recallDelay: Delay, startSpread: Span
  ) {
    self.delay = delay
    self.requestLoss = requestLoss
    self.publicationLoss = publicationLoss
    self.fetchDelay = fetchDelay
    self.gaps = gaps
    self.datagramDelay = datagramDelay
    self.datagramLoss = datagramLoss
    self.datagramDuplication = datagramDuplication
    self.recallDelay = recallDelay
    self.startSpread = startSpread
  }
}
