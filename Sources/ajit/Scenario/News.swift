import Effects
import Messages

/// Something that happened, as a line for people and as an object for machines.
struct News: Sendable {
  enum Kind: String, Encodable, Sendable {
    /// The program's own steps: starting, stopping.
    case phase
    case block
    case activation
    case epoch
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
  var isForPeople: Bool { kind != .block }

  var style: Terminal.Style {
    switch kind {
    case .phase: .bold
    case .block, .epoch, .activation, .log: .plain
    case .warning: .yellow
    }
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

  init(_ news: News, elapsed: Span) {
    type = news.kind
    elapsedMs = elapsed.nanoseconds / 1_000_000
    text = news.text
    activation = news.activation
    epoch = news.epoch
    height = news.height
    transactions = news.transactions
  }
}
