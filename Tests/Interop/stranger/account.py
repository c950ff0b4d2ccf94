"""The joint account of a flow with one customer, for rules of window 1 about loss and throughput: the article's
"Receipts and the account". Written to check what the operator signs, not to believe it."""

from .envelope import RECEIPT, encode, open_envelope, require, sha256

UP, DOWN = 1, 2
CUSTOMER_POINTS = [(UP, 1), (DOWN, 6)]
OPERATOR_POINTS = [(UP, 2), (UP, 3), (DOWN, 4), (DOWN, 5)]
LOSS_RATIO, THROUGHPUT = 4, 5
MET, INCONCLUSIVE, CONTESTED, VIOLATED = 1, 2, 3, 4
WHOLE, INTERRUPTED, GATED = 1, 2, 3
(ACTIVATION, FLOW, DIRECTION, POINT, EPOCH, CELL, CONDITION, RANGE, COUNTS) = range(9)
PREVIOUS = 15
SENT, BYTES_SENT, RECEIVED, BYTES_RECEIVED, DROPPED = 0, 1, 2, 3, 9


class Account:
    def __init__(self, network, terms, activation, epochs, enclave, edge):
        self.network, self.terms, self.activation, self.epochs = network, terms, activation, epochs
        self.signers = {1: enclave, 2: edge}
        self.last, self.last_digest = None, bytes(32)
        self.chain = {}
        self.rules = [[0] * 6 for _ in terms.rules]
        self.outcomes = [0] * 5

    @property
    def epoch(self):
        return 0 if self.last is None else self.last[1] + 1

    def follow(self, customer, operator):
        """The record of the next epoch, from both sides' envelopes."""
        receipts = {}
        for side, points, envelopes in ((1, CUSTOMER_POINTS, customer), (2, OPERATOR_POINTS, operator)):
            require(len(envelopes) == len(points), "as many receipts as points")
            for point, envelope in zip(points, envelopes):
                opened = open_envelope(self.network, RECEIPT, envelope, self.signers[side])
                receipt = opened.item
                require(receipt[ACTIVATION] == self.activation and receipt[EPOCH] == self.epoch, "another epoch")
                require((receipt[DIRECTION], receipt[POINT]) == point, "another point")
                require(receipt[PREVIOUS] == self.chain.get(point, bytes(32)), "does not follow the last receipt")
                receipts[point] = receipt
        verdicts, outcome = self.assess(receipts)
        for point, receipt in receipts.items():
            self.chain[point] = sha256(encode(receipt))
        for counters, verdict in zip(self.rules, verdicts):
            if verdict is not None:
                counters[{MET: 0, VIOLATED: 1, INCONCLUSIVE: 2, CONTESTED: 3}[verdict]] += 1
                counters[5] = 0 if verdict == MET else counters[5] + 1
                counters[4] = max(counters[4], counters[5])
        self.outcomes[{MET: 0, VIOLATED: 1, INCONCLUSIVE: 2, CONTESTED: 3, None: 4}[outcome]] += 1
        chain = [[*point, self.chain[point]] for point in sorted(self.chain)]
        state = [[None for _ in self.terms.rules], chain]
        segment = [[list(counters) for counters in self.rules], list(self.outcomes), self.due(), self.penalties()]
        self.last = [
            self.activation, self.epoch, sha256(encode(customer)), sha256(encode(operator)), verdicts, [segment], [],
            sha256(encode(state)), self.last_digest,
        ]
        self.last_digest = sha256(encode(self.last))
        return self.last

    def due(self):
        met, _, inconclusive, contested, _ = self.outcomes
        terms = self.terms
        shares = inconclusive * terms.inconclusive_share + contested * terms.contested_share
        return terms.price * met + terms.price * shares // 1_000_000

    def penalties(self):
        due = sum(rule.penalty * counters[1] for rule, counters in zip(self.terms.rules, self.rules))
        return min(due, self.terms.bond(self.epochs))

    def assess(self, receipts):
        conditions = {1: [], 2: []}
        for (direction, point), receipt in receipts.items():
            conditions[1 if (direction, point) in CUSTOMER_POINTS else 2].append(receipt[CONDITION])
        if GATED in conditions[2] and conditions[1] != [WHOLE, WHOLE]:
            return [None for _ in self.terms.rules], None
        interrupted = [side for side in (1, 2) if INTERRUPTED in conditions[side]]
        if GATED in conditions[2] and WHOLE in conditions[2] and 2 not in interrupted:
            interrupted.append(2)
        if interrupted:
            verdict = {(1,): MET, (2,): VIOLATED, (1, 2): INCONCLUSIVE}[tuple(interrupted)]
            return [verdict for _ in self.terms.rules], verdict
        verdicts = [self.judge(rule, receipts) for rule in self.terms.rules]
        return verdicts, max([MET, *verdicts])

    def judge(self, rule, receipts):
        require(rule.window == 1 and rule.metric in (LOSS_RATIO, THROUGHPUT), "a rule this customer cannot check")

        def counts(direction, point):
            return receipts[(direction, point)][COUNTS]

        if rule.direction == UP:
            sender, ingress, receiver = counts(UP, 1), counts(UP, 2), counts(UP, 3)
            core = max(0, min(ingress[SENT], sender[SENT]) - receiver[RECEIVED]) + ingress[DROPPED]
            entry, leaving, guaranteed = ingress, receiver[BYTES_SENT], self.terms.guaranteed_up
        else:
            sender, egress, receiver = counts(DOWN, 4), counts(DOWN, 5), counts(DOWN, 6)
            core = max(0, sender[SENT] - egress[SENT])
            entry, leaving, guaranteed = sender, egress[BYTES_SENT], self.terms.guaranteed_down
        population = sender[SENT]
        core = min(core, max(0, population - receiver[RECEIVED]))
        access = max(0, population - receiver[RECEIVED] - core)
        if population < max(1, rule.minimum_samples):
            return INCONCLUSIVE
        if rule.metric == LOSS_RATIO:
            blaming_all = self.ratio(rule, core + access, population)
            blaming_core = self.ratio(rule, core, population - min(access, population))
        else:
            promised = guaranteed * self.terms.epoch // 8_000_000_000
            due = min(sender[BYTES_SENT], promised)
            blaming_all = self.ratio(rule, min(receiver[BYTES_RECEIVED], due), due)
            due = min(entry[BYTES_SENT], promised)
            blaming_core = self.ratio(rule, min(max(receiver[BYTES_RECEIVED], leaving), due), due)
        if blaming_all != VIOLATED:
            return blaming_all
        return VIOLATED if blaming_core == VIOLATED else CONTESTED

    @staticmethod
    def ratio(rule, part, whole):
        if whole == 0:
            return INCONCLUSIVE
        if rule.comparison == 1:
            value = -(-part * 1_000_000_000 // whole)
            return MET if value <= rule.reference + rule.tolerance else VIOLATED
        value = part * 1_000_000_000 // whole
        return MET if value >= max(0, rule.reference - rule.tolerance) else VIOLATED
