/// The file's text, prepared so that composing it costs no more than its length and reports all of its errors.
///
/// Yams follows aliases while it composes, and hashes keys; an alias used as a key can make that exponential. And it
/// stops at the first mapping with a key given twice. Neither is reachable through its interface, so the characters
/// in question are replaced, one for one, by private-use characters before composing: columns stay the same, and
/// ``restore(_:)`` brings the characters back in whatever text they were part of.
struct MaskedText {
  private(set) var scalars: [Unicode.Scalar]
  /// What stands at masked places, by the mask's number.
  private var originals: [Unicode.Scalar] = ["*"]

  /// First private-use character; it stands for `*`. The following ones stand for first letters of repeated keys.
  static let firstMask: UInt32 = 0xE000
  /// Repeated keys that are told apart, at most; a file with more is refused at the first of the rest.
  static let maximumRepeatedKeys = 16

  /// Where a mask character of its own stands in the text: nobody needs one, and it would be taken for ours.
  let foreignMask: Position?

  init(_ text: String) {
    scalars = Array(text.unicodeScalars)
    foreignMask = Self.positions(in: scalars) { Self.isMask($0) }
    for index in scalars.indices where scalars[index] == "*" { scalars[index] = Self.mask(0) }
  }

  var text: String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }

  /// Makes the key that begins at a place differ from all others.
  /// - Returns: false when nothing that can be replaced stands there.
  mutating func maskKey(at position: Position) -> Bool {
    guard originals.count <= Self.maximumRepeatedKeys, var index = offset(of: position) else { return false }
    if scalars[index] == "\"" || scalars[index] == "'" { index += 1 }
    guard index < scalars.count, Self.isWordCharacter(scalars[index]) else { return false }
    originals.append(scalars[index])
    scalars[index] = Self.mask(originals.count - 1)
    return true
  }

  /// The text as the file has it.
  func restore(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: Self.isMask) else { return text }
    var view = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      let number = Int(scalar.value) - Int(Self.firstMask)
      view.append(originals.indices.contains(number) ? originals[number] : scalar)
    }
    return String(view)
  }

  /// Whether a plain scalar was an alias before it was masked.
  func isAlias(_ text: String) -> Bool { text.unicodeScalars.first == Self.mask(0) }

  /// The place of a character, counted in Characters as Yams counts it.
  static func position(ofCharacter offset: Int, in text: String) -> Position {
    guard let index = text.index(text.startIndex, offsetBy: offset, limitedBy: text.endIndex) else { return .start }
    return endPosition(of: text.unicodeScalars[..<index])
  }

  // MARK: Places

  private static func positions(
    in scalars: [Unicode.Scalar], where matches: (Unicode.Scalar) -> Bool
  ) -> Position? {
    scalars.firstIndex(where: matches).map { endPosition(of: scalars[..<$0]) }
  }

  private static func endPosition(of scalars: some Collection<Unicode.Scalar>) -> Position {
    var position = Position.start
    var previous: Unicode.Scalar = " "
    for scalar in scalars {
      advance(&position, over: scalar, after: previous)
      previous = scalar
    }
    return position
  }

  private func offset(of target: Position) -> Int? {
    var position = Position.start
    var previous: Unicode.Scalar = " "
    for (index, scalar) in scalars.enumerated() {
      if position == target { return index }
      Self.advance(&position, over: scalar, after: previous)
      previous = scalar
    }
    return nil
  }

  /// YAML 1.1 line breaks, which libyaml counts: CR, LF, CR LF, NEL, LS, PS.
  private static func advance(_ position: inout Position, over scalar: Unicode.Scalar, after previous: Unicode.Scalar) {
    switch scalar {
    case "\n" where previous == "\r": break
    case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": position = Position(line: position.line + 1, column: 1)
    case "\u{FEFF}" where position == .start: break
    default: position.column += 1
    }
  }

  private static func isMask(_ scalar: Unicode.Scalar) -> Bool {
    (firstMask...firstMask + UInt32(maximumRepeatedKeys)).contains(scalar.value)
  }

  private static func mask(_ number: Int) -> Unicode.Scalar {
    Unicode.Scalar(firstMask + UInt32(number)) ?? "\u{E000}"
  }

  private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "a"..."z", "A"..."Z", "0"..."9", "_": true
    default: false
    }
  }
}
