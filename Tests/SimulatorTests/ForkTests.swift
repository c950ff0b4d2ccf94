import Effects
import Ledger
import Messages
import Roles
import Testing

@testable import Simulator

/// V7: more than f members run twice, one network becomes two ledgers, and an auditor who holds both names the guilty.
@Suite struct ForkTests {
  /// Six members, f = 1, q = 4. The two regulators run twice; the operators are cut in two halves that hear nothing of
  /// each other. Each half makes a quorum with its own instances of the regulators.
  @Test(arguments: [1, 2, 3] as [UInt64]) func twinsBeyondTheBoundForkTheLedgerAndAreNamed(seed: UInt64) throws {
    let members = try MemberSimulation(transfers: 0)
    let validators = members.validators
    let halves = [[validators[0], validators[2]], [validators[1], validators[3]]]
    let seats = validators.indices.map { index in
      let configuration = ValidatorCore.Configuration(
        genesis: members.genesis, member: MemberIndex(index), key: members.keys[index])
      return ActorSeat(validators[index]) { _, records in
        guard index >= 4 else { return try ValidatorCore(configuration, recovering: records) }
        return try TwinCore(members: validators, recovering: records) {
          try ValidatorCore(configuration, recovering: $0)
        }
      }
    }
    let world = World(
      seed: seed, conditions: .calm, context: members.genesis.verificationContext, seats: seats,
      faults: [
        .partition(halves[0], from: halves[1], at: .zero, during: nil),
        // A twin tells its own instances apart by whom they talk to, and would take the other twin's for its own
        // half's.
        .partition([validators[4]], from: [validators[5]], at: .zero, during: nil),
      ])
    let ending = world.run(
      until: { [unowned world] in
        world.ledgers(of: [validators[0], validators[1]]).allSatisfy { ($0?.height ?? 0) >= 3 }
      }, timeLimit: .seconds(60), eventLimit: 2_000_000)
    #expect(ending == .satisfied, "seed \(seed): \(world.halts.map(\.reason))")

    var judge = try ChainJudge(genesis: members.genesis)
    for (chain, holder) in [validators[0], validators[1]].enumerated() {
      let records = world.disk(holder)?.records(of: ValidatorCore.Stream.segments, from: 0, limit: .max) ?? []
      for record in records { try judge.take(try LedgerSegment(decoding: record.bytes), of: chain) }
    }
    guard case .forked(let fork) = judge.verdict() else {
      Issue.record("seed \(seed): the halves agree")
      return
    }
    #expect(fork.atLeast == 2)
    #expect(fork.culprits.map(\.name) == ["regulator-0", "regulator-1"], "all of the guilty, and nobody else")
    #expect(fork.proofs.allSatisfy { $0.isContradiction })
  }
}
