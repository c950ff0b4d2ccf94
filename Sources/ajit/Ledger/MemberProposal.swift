import Foundation
import Messages
import Signing
import Wire

/// A member change on its way from operator to operator, as a file: what is proposed, and who has approved it so far.
/// On disk `[network, change, [* approval]]`, canonical CBOR.
struct MemberProposal: WireCodable {
  let network: Digest
  let change: MemberChange
  private(set) var approvals: [Envelope]

  init(network: Digest, change: MemberChange) {
    self.network = network
    self.change = change
    approvals = []
  }

  func encode(to writer: inout CBORWriter) {
    writer.array(3)
    writer.write(network)
    writer.write(change)
    writer.write(list: approvals)
  }

  init(from reader: inout CBORReader) throws(WireError) {
    (network, change, approvals) = try reader.record(3) { (reader) throws(WireError) in
      (try reader.value(), try reader.value(), try reader.list(maximum: Genesis.maximumMembers))
    }
  }

  static func read(_ path: String, of network: Digest) throws -> MemberProposal {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CommandFailure(.missingInput, "\(path) cannot be read: make it with `ajit members propose`")
    }
    guard let proposal = try? MemberProposal(decoding: [UInt8](data)) else {
      throw CommandFailure(.badData, "\(path) is no member proposal")
    }
    guard proposal.network == network else {
      throw CommandFailure(.badData, "\(path) is for another network than this data directory")
    }
    return proposal
  }

  func write(_ path: String) throws {
    do { try Data(encoded).write(to: URL(filePath: path), options: .atomic) } catch {
      throw CommandFailure(.inputOutput, "\(path) cannot be written: \(error.localizedDescription)")
    }
  }

  /// Signs for a member; once is enough.
  mutating func approve(with key: SigningKey) {
    guard !approvals.contains(where: { $0.signer == key.publicKey }) else { return }
    approvals.append(Envelope(signing: change, with: key, network: network))
  }

  /// Members of the era whose approval counts, in member order.
  func approvers(_ era: EraRecord) -> [Member] {
    era.members.filter { member in
      !change.leaving.contains(member.key) && approvals.contains { $0.signer == member.key }
    }
  }
}
