import Messages

/// V11: its clock is ahead of everybody's by more than the network allows, and so are its blocks. They are "not yet",
/// never invalid: honest clocks differ too.
struct BlockTimeBender: Adversary {
  let clockOffset = Span.seconds(10)
}
