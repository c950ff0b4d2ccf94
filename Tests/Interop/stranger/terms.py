"""A contract's terms by name: the article's "Contract terms"."""

from dataclasses import dataclass

from .envelope import encode, sha256


@dataclass(frozen=True)
class Rule:
    metric: int
    statistic: int
    direction: int
    comparison: int
    reference: int
    tolerance: int
    window: int
    minimum_samples: int
    penalty: int


class Terms:
    def __init__(self, item):
        self.id = sha256(encode(item))
        self.operator, self.number, service, rules, context, money, metering, deadlines = item
        (self.profile, self.guaranteed_up, self.guaranteed_down, self.maximum_up, self.maximum_down,
         self.packet_bytes, self.chain, self.sharing) = service
        self.rules = [Rule(*rule) for rule in rules]
        self.windows, self.area, self.peers, self.least_epochs, self.most_epochs = context
        (self.price, self.fee, self.termination_penalty, self.inconclusive_share, self.contested_share,
         self.cap) = money
        (self.epoch, self.grace, self.transit, _, self.clock_error,
         (self.unit, self.sub_bits, self.highest), self.gated, _, self.measurements) = metering
        self.confirm, self.lead, self.window, self.settle, self.answer, self.demand = deadlines

    def escrow(self, epochs):
        return self.price * epochs + self.fee

    def fits(self, *, profile, cell, peer, epochs, price, measurement):
        return (
            self.profile == profile
            and cell in self.area
            and peer in self.peers
            and self.least_epochs <= epochs <= self.most_epochs
            and self.escrow(epochs) <= price
            and measurement in self.measurements
        )

    def bond(self, epochs):
        bond = self.termination_penalty + sum(rule.penalty * (epochs // rule.window) for rule in self.rules)
        return bond if self.cap is None else min(bond, self.cap)

    def bucket(self, value):
        units, linear = min(value, self.highest) // self.unit, 1 << self.sub_bits
        if units < linear:
            return units
        exponent = units.bit_length() - 1
        return linear * (exponent - self.sub_bits + 1) + (units >> (exponent - self.sub_bits)) - linear
