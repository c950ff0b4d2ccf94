import Bus
import Effects
import Messages
import Node

/// Something that happened, as a line for people and as an object for machines.
struct News: Sendable {
  enum Kind: String, Encodable, Sendable {
    /// The program's own steps: starting, stopping.
    case phase
    case block
    case activation
    case epoch
    /// A node of a spread consortium started, answers, ended.
    case node
    /// What was carried so far (`--traffic`).
    case traffic
    /// Something an actor wants looked at.
    case warning
    /// A line of the node's log.
    case log
  }

  let kind: Kind
  let text: String
  var activation: ActivationDetails?
  var epoch: EpochDetails?
  var height: Height?
  var transactions: Int?
  var node: NodeDetails?
  var traffic: TrafficTable?

  struct NodeDetails: Encodable, Sendable {
    let name: String
    let process: Int32
    let state: String

    /// What nobody asked for, or a schedule did.
    var isForPeople: Bool { ["ended", "struck"].contains(state) }
  }

  struct ActivationDetails: Encodable, Sendable {
    let label: String
    @Nullable var id: String?
    let step: String
  }

  struct EpochDetails: Encodable, Sendable {
    let number: EpochNumber
    /// Per rule in contract order; null where no verdict was due.
    let verdicts: [String?]
  }

  init(_ kind: Kind, _ text: String) {
    self.kind = kind
    self.text = text
  }

  /// Blocks are too many for people; the live table counts them.
  var isForPeople: Bool { kind != .block && kind != .traffic && node.map(\.isForPeople) ?? true }

  var style: Terminal.Style {
    switch kind {
    case .phase: .bold
    case .block, .epoch, .activation, .log, .node, .traffic: .plain
    case .warning: .yellow
    }
  }
}

extension News {
  init(_ event: NodeEvent) {
    let (state, text) =
      switch event.kind {
      case .started: ("started", "node \(event.node) started as process \(event.process)")
      case .ready: ("ready", "node \(event.node) is ready")
      case .answering: ("answering", "node \(event.node) answers")
      case .ended(let text): ("ended", text)
      case .struck(let text): ("struck", text)
      }
    self.init(state == "ended" ? .warning : .node, text)
    node = NodeDetails(name: event.node, process: event.process, state: state)
  }

  init(_ traffic: CarriedTraffic) {
    self.init(.traffic, Wording.carried(traffic))
    self.traffic = TrafficTable(traffic)
  }
}

extension News {
  /// Columns of the clock in front of a line.
  private static let clockWidth = 7
  /// Further lines of one text stand this much further in.
  private static let continuationIndent = 2

  /// `  12.345  what happened`, wrapped where a terminal ends.
  func lines(elapsed: Span, _ terminal: Terminal) -> [String] {
    let clock = Wording.clock(elapsed)
    let padded = String(repeating: " ", count: max(0, Self.clockWidth - clock.count)) + clock
    let first = terminal.styled(padded, .dim) + "  "
    let others = String(repeating: " ", count: padded.count + 2 + Self.continuationIndent)
    return VisibleText.wrapped(text, to: terminal.tableWidth - others.count).enumerated().map { index, line in
      (index == 0 ? first : others) + terminal.styled(line, style)
    }
  }
}

/// One line of `--json` before the last.
struct NewsLine: Encodable {
  let type: News.Kind
  /// Since the command started; in a simulation, of virtual time.
  let elapsedMs: Int64
  let text: String
  let activation: News.ActivationDetails?
  let epoch: News.EpochDetails?
  let height: Height?
  let transactions: Int?
  let node: News.NodeDetails?
  let traffic: TrafficTable?

  init(_ news: News, elapsed: Span) {
    type = news.kind
    elapsedMs = elapsed.nanoseconds / 1_000_000
    text = news.text
    activation = news.activation
    epoch = news.epoch
    height = news.height
    transactions = news.transactions
    node = news.node
    traffic = news.traffic
  }
}
