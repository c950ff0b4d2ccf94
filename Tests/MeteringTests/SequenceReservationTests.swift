import Metering
import Testing

struct SequenceReservationTests {
  @Test func `no number is used before its reservation was read back`() {
    var numbers = SequenceReservation(packetsPerEpoch: 10)
    #expect(!numbers.permits(0))
    let limit = numbers.extend(next: 0)
    #expect(limit == 20)
    #expect(!numbers.permits(0))
    numbers.readBack(20)
    #expect(numbers.permits(19) && !numbers.permits(20))
  }

  @Test func `the next range is asked for once, while an epoch's numbers are left`() {
    var numbers = SequenceReservation(packetsPerEpoch: 10)
    _ = numbers.extend(next: 0)
    numbers.readBack(20)
    #expect(numbers.extend(next: 9) == nil)
    #expect(numbers.extend(next: 10) == 30)
    #expect(numbers.extend(next: 11) == nil)
    #expect(numbers.permits(19) && !numbers.permits(20))
    numbers.readBack(30)
    #expect(numbers.permits(29))
  }

  @Test func `a new life begins above everything an earlier one may have used`() {
    var numbers = SequenceReservation(recovered: 30, packetsPerEpoch: 10)
    #expect(numbers.first == 30)
    #expect(!numbers.permits(30))
    #expect(numbers.extend(next: 30) == 50)
    // What somebody else's record says reserves nothing.
    numbers.readBack(40)
    #expect(!numbers.permits(30))
  }
}
