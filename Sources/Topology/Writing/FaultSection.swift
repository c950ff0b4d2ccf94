/// Another schedule in a topology file whose other lines stay as a person wrote them.
public enum FaultSection {
  /// The text with its `faults:` section, if it has one, replaced by these faults at the end.
  /// - Parameter remarks: lines of a comment above the section.
  public static func replace(in text: String, by faults: [Topology.Fault], remarks: [String]) -> String {
    var kept: [Substring] = []
    var isInside = false
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("faults:") {
        isInside = true
      } else if isInside, let first = line.first, !" \t#-".contains(first) {
        isInside = false
      }
      if !isInside { kept.append(line) }
    }
    while kept.last?.isEmpty == true { kept.removeLast() }
    return kept.joined(separator: "\n") + "\n\n" + remarks.map { "# \($0)\n" }.joined() + Topology.Fault.section(faults)
  }
}
