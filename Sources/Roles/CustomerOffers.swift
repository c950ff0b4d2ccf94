import Effects
import Ledger
import Messages
import Signing

/// Choosing among the offers of all operators (§3.1). They are read from the ledger with their proof, page by page, of
/// whichever member answers: it can withhold an answer, not an offer.
extension CustomerCore {
  /// Answers read for one choice; only the best offer so far is kept of them. Where that is not the whole ledger, the
  /// cheapest of what was read is taken, and `customer.offersLeftUnread` counts it.
  static let maximumOfferPages = 1_024
  /// An answer about a state older than so many heartbeats is refused (sla.md): an idle ledger makes a block each.
  static let maximumAgeHeartbeats: Int64 = 2

  /// One pass over the range of all contracts.
  struct OfferReading: Sendable {
    let search: OfferSearch
    var request = EntriesRequest.contracts
    /// The cheapest so far.
    var best: OfferSearch.Match?
    var read = 0
    var pages = 0

    init(_ wish: OfferWish, of plan: PlannedActivation, at now: Instant) {
      var search = OfferSearch(
        profile: wish.profile, cells: [plan.cell] + plan.moves.map(\.cell), peer: plan.peer,
        earliestStart: now + plan.startAfter, latestStart: now + plan.startWithin, duration: wish.duration,
        priceAtMost: wish.priceAtMost)
      search.guaranteedUp = wish.throughputUp
      search.guaranteedDown = wish.throughputDown
      self.search = search
    }
  }

  mutating func askForOffers(_ index: Int, _ reading: OfferReading, _ turn: inout Turn) {
    ask(index, .offers, members.member(repeats: purchases[index].failures), .getEntries(reading.request), &turn)
  }

  mutating func offersAnswered(
    _ index: Int, _ result: Result<Verified<Message>, RemoteError>, of member: ActorAddress, _ turn: inout Turn
  ) {
    guard case .choosing(var reading) = purchases[index].stage else { return }
    guard case .success(let message) = result else { return pause(index, Self.retry, &turn) }
    do throws(EntriesError) {
      guard case .entries(let answer) = message.value else { throw .notWhatWasAsked }
      let age = configuration.genesis.parameters.heartbeat * Self.maximumAgeHeartbeats
      let page = try answer.verified(answering: reading.request, notBefore: turn.now - age)
      reading.read += page.entries.count
      reading.pages += 1
      // Only who can be reached can serve.
      let reachable = page.contracts.filter { configuration.controllers[$0.record.terms.operatorID] != nil }
      if let found = reading.search.matches(reachable).first, found.isBetter(than: reading.best) {
        reading.best = found
      }
      guard let rest = page.rest else { return choose(index, reading, &turn) }
      guard reading.pages < Self.maximumOfferPages else {
        turn.count("customer.offersLeftUnread")
        return choose(index, reading, &turn)
      }
      reading.request = rest
      set(.choosing(reading), of: index)
      advance(index, &turn)
    } catch {
      // Refused, counted, another is asked.
      turn.count("customer.answerRefused")
      turn.note("\(member) answered about the ledger with what proves nothing: \(error)", .warning)
      members.failed(member)
      purchases[index].failures += 1
      pause(index, Self.retry, &turn)
    }
  }

  /// Nothing that fits now may fit later: an offer may be deployed until the latest start.
  private mutating func choose(_ index: Int, _ reading: OfferReading, _ turn: inout Turn) {
    guard case .payer(let plan) = purchases[index].part else { return }
    if let best = reading.best {
      turn.note("\(plan.label): the cheapest of \(reading.read) offers locks \(best.price)")
      order(index, plan, best.terms, epochs: best.epochs, &turn)
    } else {
      set(.planned, of: index)
      pause(index, Self.resend, &turn)
    }
  }
}

extension OfferSearch.Match {
  /// In the order of ``OfferSearch/matches(_:)``.
  fileprivate func isBetter(than other: Self?) -> Bool {
    guard let other else { return true }
    return (price, contract) < (other.price, other.contract)
  }
}
