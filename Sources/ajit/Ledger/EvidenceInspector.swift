import Ledger
import Messages
import Signing
import Wire

/// Checks evidence as a stranger does: signatures, then what they prove, by the members of its era.
struct EvidenceInspector {
  enum Verdict {
    case guilty
    /// So many more statements are missing.
    case incomplete(Int)
    case nothing(String)

    var convicts: Bool { if case .guilty = self { true } else { false } }

    var text: String {
      switch self {
      case .guilty: "holds"
      case .incomplete(let missing): "incomplete: \(Wording.counted(missing, "statement")) missing"
      case .nothing(let why): "proves nothing: \(why)"
      }
    }
  }

  private var verifier: Verifier
  private let eras: [EraRecord]
  private let parameters: NetworkParameters

  init(_ genesis: Genesis, eras: [EraRecord]) {
    verifier = Verifier(context: genesis.verificationContext)
    for era in eras { verifier.learn(era) }
    self.eras = eras
    parameters = genesis.parameters
  }

  mutating func verdict(on evidence: ConsensusEvidence) -> Verdict {
    guard let era = eras.first(where: { $0.era == evidence.era }) else { return .nothing("an unknown era") }
    do { _ = try verifier.verify(evidence) } catch { return .nothing("\(error)") }
    switch evidence.judged(by: era, parameters) {
    case .convicts: return .guilty
    case .incomplete(_, let missing): return .incomplete(missing)
    case .worthless(let defect): return .nothing("\(defect)")
    }
  }
}

/// What is exported: all that it takes to judge one piece of evidence.
struct EvidenceBundle: WireCodable {
  let genesis: Genesis
  /// After the first, ascending.
  let eras: [EraRecord]
  let evidence: ConsensusEvidence

  static let formatVersion: UInt64 = 1
  static let maximumEras = 4_096

  func encode(to writer: inout CBORWriter) {
    writer.array(4)
    writer.write(Self.formatVersion)
    writer.write(genesis)
    writer.write(list: eras)
    writer.write(evidence)
  }

  init(genesis: Genesis, eras: [EraRecord], evidence: ConsensusEvidence) {
    self.genesis = genesis
    self.eras = eras
    self.evidence = evidence
  }

  init(from reader: inout CBORReader) throws(WireError) {
    (genesis, eras, evidence) = try reader.record(4) { (reader) throws(WireError) in
      guard try reader.uint() == Self.formatVersion else { throw .invalidValue(field: "version of evidence") }
      return (try reader.value(), try reader.list(maximum: Self.maximumEras), try reader.value())
    }
  }
}

struct EvidenceRow: LedgerRow {
  let member: String
  let kind: String
  let era: Era
  let view: View
  let height: Height
  let proof: String
  let verdict: String
  let holds: Bool

  init(_ record: EvidenceRecord, _ verdict: EvidenceInspector.Verdict, _ state: LedgerState) {
    let evidence = record.evidence
    let members = state.era(evidence.era)?.members ?? []
    let index = Int(evidence.member)
    member = index < members.count ? members[index].name : "member \(index)"
    kind = evidence.kind.name
    era = evidence.era
    view = evidence.view
    height = record.height
    proof = evidence.digest.hexadecimal
    self.verdict = verdict.text
    if case .nothing = verdict { holds = false } else { holds = verdict.convicts == record.isComplete }
  }

  static let columns: [Table.Column] = [
    .init("member"), .init("kind"), .init("era", .right), .init("view", .right), .init("height", .right),
    .init("proof"), .init("verdict"),
  ]

  var cells: [Table.Cell] {
    [
      Table.Cell(member), Table.Cell(kind), Table.Cell(era), Table.Cell(view), Table.Cell(height),
      Table.Cell(String(proof.prefix(8))), Table.Cell(verdict, holds ? .green : .red),
    ]
  }
}
