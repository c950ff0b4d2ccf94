import Messages
import Roles

@testable import Simulator

extension MemberTrial {
  /// What a seed draws: the network, who lies and how, and what goes wrong when. At most f members lie; crashes and
  /// isolation may hit any of them, also all at once.
  static func chaos(seed: UInt64, _ members: Members, views: View) -> MemberTrial {
    var random = VirtualRandom(seed: seed ^ 0x000A_7173_0C4A_0500)
    var trial = MemberTrial(members: members, seed: seed)
    trial.views = views
    trial.conditions = random.below(2) == 0 ? .calm : .lossy
    trial.liar = liar(&random, among: members.validators.count)
    let length = Int64(2_000 + random.below(4_000))
    var last = Span.zero
    for _ in 0..<2 + random.below(7) {
      let fault = fault(&random, members, within: length)
      trial.faults.append(fault.fault)
      last = max(last, fault.ends)
    }
    if random.below(6) == 0 {
      // Everybody at once, in the middle of whatever they do.
      let at = Span.milliseconds(Int64(random.below(UInt64(length))))
      for member in members.validators {
        let down = Span.milliseconds(50 + Int64(random.below(1_500)))
        trial.faults.append(.crash(member, at: at, down: down))
        last = max(last, at + down)
      }
    }
    trial.healedAt = World.start + last + .seconds(1)
    return trial
  }

  private static func liar(_ random: inout VirtualRandom, among count: Int) -> Liar {
    let member = MemberIndex(random.below(UInt64(count)))
    let choice = Int(random.below(UInt64(Misconduct.allCases.count) + 2))
    if choice < Misconduct.allCases.count { return .misconduct(member, Misconduct.allCases[choice]) }
    return choice == Misconduct.allCases.count ? .twins(member) : .nobody
  }

  private static func fault(
    _ random: inout VirtualRandom, _ members: Members, within length: Int64
  ) -> (fault: Fault, ends: Span) {
    let victim = members.validators[Int(random.below(UInt64(members.validators.count)))]
    let at = Span.milliseconds(Int64(random.below(UInt64(length))))
    let span = Span.milliseconds(50 + Int64(random.below(2_500)))
    switch random.below(4) {
    case 0: return (.isolate(victim, at: at, during: span), at + span)
    // Where it stands when is not known; a record comes every few milliseconds.
    case 1: return (.crashAfterPersist(victim, count: 1 + random.below(60), down: span), .milliseconds(length) + span)
    default: return (.crash(victim, at: at, down: span), at + span)
    }
  }
}
