"""The customer: finds an offer, registers its enclave, activates, is served and settles."""

import secrets
import select
import time

import zmq

from .bus import PATIENCE, Book, Line, RemoteError, Silence
from .envelope import (ACKNOWLEDGEMENT, AGREEMENT, EVIDENCE, TRANSACTION, Key, Refused, encode, envelope_digest,
                       open_envelope, require, sign)
from .flow import Flow
from .ledger import CONTRACTS, Chain, Genesis, read_range
from .terms import Terms

ACCEPTED = 0
NULLIFIED, SETTLED = 5, 6


class Customer:
    def __init__(self, bundle, name, enclave, measurement):
        self.genesis = Genesis((bundle / "genesis.cbor").read_bytes())
        self.network = self.genesis.network
        self.book = Book(bundle)
        require(self.book.network == self.network, "genesis and book are of different networks")
        keys = bundle / "keys"
        self.treasury = Key.read(keys / f"treasury-{name}.key")
        self.platform = Key.read(keys / f"platform-{name}.key")
        self.receipt_key = Key(secrets.token_bytes(32))
        self.measurement = measurement
        self.me, self.enclave = f"customer/{name}", f"enclave/{enclave}"
        self.context = zmq.Context()
        self.line = Line(self.context, self.book, bytes.fromhex((keys / "curve.key").read_text()))
        self.enclave_line = Line(
            self.context, self.book, bytes.fromhex((keys / f"curve-{enclave}.key").read_text()))
        self.members = self.book.actors("validator")
        self.chain = Chain(self.genesis, self.ask, list(self.members))

    def ask(self, actor, message, timeout=2.0):
        return self.line.ask(self.me, actor, message, timeout)

    def ask_as_enclave(self, actor, message, timeout=1.0):
        return self.enclave_line.ask(self.enclave, actor, message, timeout)

    def close(self):
        self.line.close()
        self.enclave_line.close()
        self.context.term()

    # --- The ledger

    def wait(self, condition, seconds, what):
        """Follows the chain until a condition holds."""
        deadline = time.monotonic() + seconds * PATIENCE
        while not (found := condition()):
            if time.monotonic() > deadline:
                raise Silence(what)
            if not self.chain.advance():
                select.select([], [], [], 0.02)
        return found

    def submit(self, action, seconds=20):
        """A transaction, sent until it stands in a block. Its name and its result."""
        transaction = [secrets.randbits(63), self.chain.height + 1000, action]
        envelope = sign(self.network, TRANSACTION, transaction, self.treasury)
        name = envelope_digest(envelope)
        deadline = time.monotonic() + seconds * PATIENCE
        while name not in self.chain.results:
            if time.monotonic() > deadline:
                raise Silence("no block takes the transaction")
            for member in self.members:
                try:
                    self.promised(name, self.ask(member, [13, envelope]))
                except (Refused, RemoteError, Silence):
                    continue
            try:
                self.wait(lambda: name in self.chain.results, 2, "a block")
            except Silence:
                continue
        return name, self.chain.results[name]

    def promised(self, name, answer):
        """That a member says, signed, that it has the transaction: what would convict it, were it to drop it."""
        number, envelope = answer
        promise = open_envelope(self.network, ACKNOWLEDGEMENT, envelope)
        require(number == 14 and promise.signer in self.genesis.validators, "not a member's acknowledgement")
        require(promise.item[0] == name, "an acknowledgement of something else")

    def find_offer(self, seconds=30, **wishes):
        """The cheapest offer that fits, read with proof. Offers appear when operators deploy them."""
        deadline = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < deadline:
            for member in self.members:
                try:
                    entries = read_range(self.genesis, self.ask, member, CONTRACTS, time.time_ns())
                except (Refused, RemoteError, Silence):
                    continue
                offers = []
                for entry in entries:
                    kind, (item, status, _, suspended) = entry.value
                    terms = Terms(item)
                    require(kind == 7 and terms.id == entry.key, "a contract under another's name")
                    if status == 1 and suspended is None and terms.fits(measurement=self.measurement, **wishes):
                        offers.append(terms)
                if offers:
                    return min(offers, key=lambda terms: (terms.escrow(wishes["epochs"]), terms.id))
            select.select([], [], [], 0.1)
        raise Silence("no offer fits")

    # --- The purchase

    def register_enclave(self):
        self.wait(lambda: self.chain.height > 0, 30, "the first block")
        claims = {
            8: {1: {1: 1, -1: 6, -2: self.receipt_key.public}},
            10: self.chain.hash,
            256: b"\x01" + self.platform.public,
            263: 1,
            267: 1,
            273: [[65000, self.measurement]],
            -65537: 1,
        }
        evidence = sign(self.network, EVIDENCE, claims, self.platform)
        _, result = self.submit([4, evidence])
        require(result == ACCEPTED, f"registration: {result}")
        return envelope_digest(evidence)

    def activate(self, terms, epochs, cell, peer):
        """Orders, and waits for the slice. The order, the activation's id and its confirmation."""
        confirmations = {}

        def note(envelope, _, result):
            action = open_envelope(self.network, TRANSACTION, envelope).item[2]
            if action[0] == 21 and result == ACCEPTED:
                confirmations[action[1][0]] = action[1]

        self.chain.handlers.append(note)
        now = time.time_ns()
        order = [terms.id, epochs, now, now + 10_000_000_000, cell, peer, [self.receipt_key.public], None, None]
        activation, result = self.submit([20, order])
        require(result == ACCEPTED, f"activation: {result}")
        self.wait(
            lambda: activation in confirmations or self.chain.activations[activation][1] == NULLIFIED,
            20, "an answer of the operator")
        require(activation in confirmations, "the operator found no slice")
        return order, activation, confirmations[activation]

    def serve(self, terms, order, activation, confirmation, edge, evidence, down, packets_per_second, payload_bytes):
        _, _, start, edge_key, peer_edge = confirmation
        require(peer_edge is None, "one edge")
        flow = Flow(
            network=self.network, terms=terms, activation=activation, order=order, start=start, edge_key=edge_key,
            edge=edge, ask=self.ask_as_enclave, receipt_key=self.receipt_key, evidence=evidence)
        try:
            flow.open(down)
            flow.run(packets_per_second, payload_bytes)
        finally:
            flow.close()
        return flow

    def settle(self, activation, record, controller):
        """The agreement, handed to the operator. How the activation ended."""
        agreement = sign(self.network, AGREEMENT, [activation, record], self.treasury)
        deadline = time.monotonic() + 30 * PATIENCE
        while self.chain.activations[activation][1] != SETTLED:
            require(time.monotonic() < deadline, "not settled")
            try:
                self.ask(controller, [41, agreement])
                self.wait(lambda: self.chain.activations[activation][1] == SETTLED, 3, "the settlement")
            except (RemoteError, Silence):
                continue
        return self.chain.activations[activation]
