import Effects
import Messages

/// Proposes on its parent's parent, as if the views between had been given up, and repeats an old proposal with each
/// new one. A header that shows no nullification of what it skips convicts its leader.
struct StaleProposer: Adversary {
  /// Latest headers heard of, for their place in the chain.
  private var headers: [BlockHeader] = []
  private var previous: Proposal?

  static let headersKept = 16

  mutating func instead(of effect: Effect, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    guard case .publish(_, .consensus(.proposal(let proposal))) = effect else { return [effect] }
    let old = previous.map { [voice.publish(.proposal($0))] } ?? []
    let header = proposal.block.header
    note(header)
    guard let parent = headers.first(where: { $0.view == header.parentView }) else {
      previous = proposal
      return [effect] + old
    }
    var stale = header
    (stale.parentView, stale.parentHash, stale.height) = (parent.parentView, parent.parentHash, parent.height)
    (stale.parentCertificate, stale.skipped) = (parent.parentCertificate, [])
    let lie = voice.proposal(stale, proposal.block.body)
    previous = lie
    return [voice.publish(.proposal(lie))] + old
  }

  mutating func after(_ event: Event, _ host: ValidatorCore, _ voice: inout Voice) -> [Effect] {
    if case .proposal(let proposal) = event.consensus { note(proposal.block.header) }
    return []
  }

  private mutating func note(_ header: BlockHeader) {
    headers.append(header)
    if headers.count > Self.headersKept { headers.removeFirst() }
  }
}
