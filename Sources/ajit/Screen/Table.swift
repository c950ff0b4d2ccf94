/// Columns of text, aligned. When there is less room than they need, columns of words are cut, the widest first;
/// numbers are never cut, because a cut number is a wrong number.
struct Table {
  enum Alignment {
    /// Words.
    case left
    /// Numbers.
    case right
  }

  struct Column {
    let title: String
    let alignment: Alignment
    init(_ title: String, _ alignment: Alignment = .left) {
      self.title = title
      self.alignment = alignment
    }
  }

  struct Cell: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    let text: String
    let style: Terminal.Style

    init(_ text: String, _ style: Terminal.Style = .plain) {
      self.text = text
      self.style = style
    }

    init(stringLiteral text: String) { self.init(text) }
    init(_ number: some BinaryInteger, _ style: Terminal.Style = .plain) { self.init("\(number)", style) }
  }

  let columns: [Column]
  private(set) var rows: [[Cell]] = []

  private static let gap = "  "
  /// No column is cut below this.
  private static let leastWidth = 6

  init(_ columns: [Column]) { self.columns = columns }

  mutating func add(_ cells: [Cell]) {
    rows.append(columns.indices.map { $0 < cells.count ? cells[$0] : "" })
  }

  /// Header, rule and rows, each at most `width` characters if the columns of numbers allow it.
  func lines(width: Int, _ terminal: Terminal) -> [String] {
    let widths = fitted(to: width)
    let header = render(columns.map { Cell($0.title, .bold) }, widths, terminal)
    // A column without a title holds remarks and needs no line above them.
    let rule = columns.indices.map { index in
      Cell(columns[index].title.isEmpty ? "" : String(repeating: "─", count: widths[index]), .dim)
    }
    return [header, render(rule, widths, terminal)] + rows.map { render($0, widths, terminal) }
  }

  private func fitted(to width: Int) -> [Int] {
    var widths = columns.indices.map { index in
      max(columns[index].title.count, rows.map { $0[index].text.count }.max() ?? 0)
    }
    let gaps = Self.gap.count * max(0, columns.count - 1)
    var excess = widths.reduce(gaps, +) - min(width, .max / 2)
    while excess > 0 {
      let widest = widths.indices.filter { columns[$0].alignment == .left }.max { widths[$0] < widths[$1] }
      guard let widest, widths[widest] > Self.leastWidth else { break }
      widths[widest] -= 1
      excess -= 1
    }
    return widths
  }

  private func render(_ cells: [Cell], _ widths: [Int], _ terminal: Terminal) -> String {
    // What follows the last text of a line is left out: trailing blanks are noise in a file.
    let last = cells.lastIndex { !$0.text.isEmpty } ?? 0
    return cells.indices.prefix(last + 1).map { index in
      let text = VisibleText.cut(cells[index].text, to: widths[index])
      let padding = String(repeating: " ", count: widths[index] - text.count)
      let styled = terminal.styled(text, cells[index].style)
      switch columns[index].alignment {
      case .left: return index == last ? styled : styled + padding
      case .right: return padding + styled
      }
    }.joined(separator: Self.gap)
  }
}
