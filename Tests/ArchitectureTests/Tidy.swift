/// Style that a machine can check (after TigerBeetle's `tidy`). Each check is a pure function of one file, so that a
/// test can show that it fails on bad text.
enum Tidy {
  static let maximumLines = 500
  static let maximumColumns = 120

  struct Check: Sendable {
    let name: String
    let violations: @Sendable (SourceFile) -> [Violation]
  }

  /// For Sources and Tests.
  static let everywhere = [fileLength, lineLength, whitespace, leftovers, proofs]
  /// For Sources.
  static let inSources = [traps]
  /// For Tests.
  static let inTests = [sleeps]

  /// A file is read in one sitting.
  static let fileLength = Check(name: "file length") { file in
    let count = file.lines.count - (file.lines.last?.isEmpty == true ? 1 : 0)
    guard count > maximumLines else { return [] }
    return [
      Violation(path: file.path, line: maximumLines, message: "\(count) lines; split the file at \(maximumLines)")
    ]
  }

  static let lineLength = lines("line length", in: \.lines) { line in
    // A character has at least one byte: counting characters is for the few long lines.
    guard line.utf8.count > maximumColumns, line.count > maximumColumns else { return nil }
    return "\(line.count) columns are more than \(maximumColumns)"
  }

  static let whitespace = lines("white space", in: \.lines) { line in
    if line.utf8.contains(UInt8(ascii: "\t")) { return "a tab; indent with spaces" }
    return line.utf8.last == UInt8(ascii: " ") ? "white space at the end of the line" : nil
  }

  /// Nothing is left for later: the tracker is the place for that.
  static let leftovers = lines("leftovers", in: \.lines) { line in
    ["TO" + "DO", "FIX" + "ME", "XX" + "X"].first { containsWord($0, in: line) }.map { "\($0): do it, or file it" }
  }

  /// A node must not die of what it is sent: errors are thrown, and stopping is an effect (`halt`).
  static let traps = lines("traps", in: \.codeLines) { line in
    ["try!", "as!", "fatalError("].first { line.contains($0) }.map { "\($0) ends the process; throw instead" }
  }

  /// A test waits for events, never for time.
  static let sleeps = lines("sleeps", in: \.codeLines) { line in
    ["Task", "Thread"].map { $0 + ".sleep" }.first { line.contains($0) }.map { "\($0): wait for an event instead" }
  }

  /// Whoever switches the compiler's proof off writes down his own, in a comment beside it that says "Proof".
  static let proofs = Check(name: "proofs") { file in
    let code = file.codeLines
    return file.lines.indices.compactMap { index in
      let claims = ["@unchecked " + "Sendable", "nonisolated(" + "unsafe)"]
      guard let claim = claims.first(where: { code[index].contains($0) }) else { return nil }
      let around = file.lines[max(0, index - proofDistance)...min(index + proofDistance, file.lines.count - 1)]
      guard !around.contains(where: { $0.contains("//") && $0.contains("Proof") }) else { return nil }
      return Violation(
        path: file.path, line: index + 1, message: "\(claim) without a comment beside it that says 'Proof'")
    }
  }

  /// Lines above and below a claim in which its proof stands.
  static let proofDistance = 8

  private static func lines(
    _ name: String, in part: @escaping @Sendable (SourceFile) -> [String],
    _ complaint: @escaping @Sendable (String) -> String?
  ) -> Check {
    Check(name: name) { file in
      part(file).enumerated().compactMap { index, line in
        complaint(line).map { Violation(path: file.path, line: index + 1, message: $0) }
      }
    }
  }

  private static func containsWord(_ word: String, in line: String) -> Bool {
    guard let range = line.range(of: word) else { return false }
    let isWord: (Character?) -> Bool = { $0?.isLetter == true || $0?.isNumber == true }
    let before = range.lowerBound == line.startIndex ? nil : line[line.index(before: range.lowerBound)]
    return !isWord(before) && !isWord(line[range.upperBound...].first)
  }
}
