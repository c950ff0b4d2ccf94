/// A block of lines at the bottom of the screen that is replaced as a whole. Every replacement is one string, written
/// at once, and erases only what the new text does not cover, so that it does not flicker. Lines printed meanwhile
/// scroll away above it.
struct LiveRegion {
  /// Visible lengths of the lines that stand there now.
  private var drawn: [Int] = []

  private static let hideCursor = "\u{1B}[?25l"
  private static let showCursor = "\u{1B}[?25h"
  private static let eraseToEndOfLine = "\u{1B}[K"
  private static let eraseBelow = "\u{1B}[J"

  /// What replaces the region by `lines`, with `above` printed for good before it.
  /// - Parameter width: of the terminal now. After it became narrower, old lines take several rows each.
  mutating func frame(_ lines: [String], above: [String] = [], width: Int) -> String {
    let rows = drawn.reduce(0) { $0 + max(1, ($1 + width - 1) / max(1, width)) }
    var output = Self.hideCursor
    if rows > 0 { output += "\u{1B}[\(rows)A" }
    output += "\r"
    for line in above + lines { output += line + Self.eraseToEndOfLine + "\n" }
    output += Self.eraseBelow + Self.showCursor
    drawn = lines.map { VisibleText.length($0) }
    return output
  }
}

/// Text as it is seen, without the escape sequences that colour it (ECMA-48 CSI … m).
enum VisibleText {
  static func length(_ text: String) -> Int {
    var count = 0
    var isEscape = false
    for character in text {
      if character == "\u{1B}" { isEscape = true }
      if !isEscape { count += 1 }
      if isEscape, character == "m" { isEscape = false }
    }
    return count
  }

  /// Words of a text without escape sequences in lines of at most `width` characters; a longer word stands alone.
  static func wrapped(_ text: String, to width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      if let last = lines.last, last.count + 1 + word.count <= width {
        lines[lines.count - 1] = last + " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }

  /// At most `width` characters; what is left out shows as an ellipsis. For text without escape sequences.
  static func cut(_ text: String, to width: Int) -> String {
    text.count <= width ? text : String(text.prefix(max(0, width - 1))) + "…"
  }
}
