/// Columns of text, aligned; the widest ones are cut when the terminal is narrower.
struct Table {
  enum Alignment { case left, right }

  struct Column {
    let title: String
    let alignment: Alignment
    init(_ title: String, _ alignment: Alignment = .left) {
      self.title = title
      self.alignment = alignment
    }
  }

  let columns: [Column]
  private(set) var rows: [[String]] = []

  /// Two spaces between columns.
  private static let gap = 2
  /// No column is cut below this.
  private static let leastWidth = 4

  init(_ columns: [Column]) { self.columns = columns }

  mutating func add(_ cells: [String]) {
    rows.append(columns.indices.map { $0 < cells.count ? cells[$0] : "" })
  }

  /// Header, rule and rows, each at most `width` characters.
  func lines(width: Int) -> [String] {
    let widths = fitted(to: width)
    let rule = widths.map { String(repeating: "─", count: $0) }
    return [render(columns.map(\.title), widths), rule.joined(separator: "  ")] + rows.map { render($0, widths) }
  }

  private func fitted(to width: Int) -> [Int] {
    var widths = columns.indices.map { index in
      max(columns[index].title.count, rows.map { $0[index].count }.max() ?? 0)
    }
    let room = width - Self.gap * max(0, columns.count - 1)
    while widths.reduce(0, +) > room, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
      widths[widest] > Self.leastWidth
    {
      widths[widest] -= 1
    }
    return widths
  }

  private func render(_ cells: [String], _ widths: [Int]) -> String {
    var parts: [String] = []
    for (index, cell) in cells.enumerated() {
      let text = cell.count > widths[index] ? cell.prefix(max(0, widths[index] - 1)) + "…" : Substring(cell)
      let padding = String(repeating: " ", count: widths[index] - text.count)
      parts.append(columns[index].alignment == .left ? text + padding : padding + text)
    }
    var line = parts.joined(separator: String(repeating: " ", count: Self.gap))
    while line.last == " " { line.removeLast() }
    return line
  }
}
