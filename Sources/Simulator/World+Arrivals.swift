import Effects
import Messages
import Signing

/// What the network brings.
extension World {
  /// What a receiver makes of a message. That it makes nothing of one is noted against its author.
  private func admit(
    _ parcel: Parcel, from author: @autoclosure () -> ActorAddress
  ) -> Result<Verified<Message>, RemoteError> {
    parcel.admitted(by: &verifier) { error in refusals["\(author()): \(error)", default: 0] += 1 }
  }

  func requestArrived(_ number: UInt64, _ parcel: Parcel) {
    // An expired request is not worth the target's time: the bus drops its ticket too.
    guard let request = open[number], request.servedBy == nil else { return }
    guard actors[request.target].condition == .alive else {
      return answer(number, .failure(RemoteError(.unavailable, "\(actors[request.target].address) is down")))
    }
    switch admit(parcel, from: actors[request.asker].address) {
    case .failure(let error): answer(number, .failure(error))
    case .success(let message):
      open[number]?.servedBy = actors[request.target].life
      turn(
        request.target, .request(ReplyToken(number), from: actors[request.asker].address, message),
        content: parcel.digest)
    }
  }

  /// The first response closes the request, whether it is an answer or its deadline.
  func responseArrived(_ number: UInt64, _ result: Result<Parcel, RemoteError>) {
    guard let request = open.removeValue(forKey: number), actors[request.asker].life == request.life else { return }
    switch result {
    case .success(let parcel):
      let answer = admit(parcel, from: actors[request.target].address)
      turn(request.asker, .response(request.id, answer), content: parcel.digest)
    case .failure(let error): turn(request.asker, .response(request.id, .failure(error)))
    }
  }

  func publicationArrived(_ stream: Int, life: UInt64, number: UInt64, _ arrival: SubscriptionStream.Arrival) {
    let subscriber = streams[stream].subscriber
    guard actors[subscriber].streams.contains(stream) else { return }
    streams[stream].receive(arrival, life: life, number: number)
    let subscription = streams[stream].subscription
    // The subscriber may die over one of these: the rest of this life's stream is then nobody's.
    while actors[subscriber].streams.contains(stream), let (gap, parcel) = streams[stream].takeNext() {
      guard case .success(let message) = admit(parcel, from: subscription.publisher) else { continue }
      turn(subscriber, .published(subscription, gap: gap, message), content: parcel.digest)
    }
  }
}
