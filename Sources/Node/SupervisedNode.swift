import Effects
import Messages

/// A node that reports to the process that started it (``NodeReport``), and stops when that one ends.
public enum SupervisedNode {
  /// Reports until the node has stopped; who asks shows nothing itself.
  public static func report(_ node: Consortium) async {
    let channel = ReportChannel()
    channel.listen {
      node.obey($0)
    } whenEnded: {
      Task { try? await node.stop() }
    }
    var told: [String: [PlanProgress]] = [:]
    func tell(_ plans: [PlanProgress], of customer: String) async {
      guard told[customer] != plans else { return }
      told[customer] = plans
      await channel.send(.progress(customer: customer, plans))
    }
    @Sendable func tellTraffic() async {
      if let traffic = await node.traffic() { await channel.send(.carried(traffic)) }
    }
    for (customer, plans) in await node.progress() { await tell(plans, of: customer) }
    await channel.send(.ready)
    let meter = Task {
      while (try? await Task.sleep(for: .nanoseconds(Watcher.reportInterval.nanoseconds))) != nil {
        await tellTraffic()
      }
    }
    for await (actor, observation) in node.observations {
      guard NodeReport.isReported(actor, observation) else { continue }
      await channel.send(.observed(actor, observation))
      // A customer's stage changes with what happens to its activations, and on the ledger.
      if actor.role == .customer, let plans = await node.progress(of: actor.name) { await tell(plans, of: actor.name) }
    }
    // Nothing moves any more: these are the last figures.
    meter.cancel()
    await meter.value
    await tellTraffic()
  }
}
