"""An enclave of one flow: packets, receipts and the exchange with the edge. The article's "The data plane" and
"Receipts and the account"."""

import select
import socket
import struct
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from .account import DOWN, UP, WHOLE, Account
from .bus import RemoteError, Silence
from .envelope import (COMMITMENT, FLOW_OPENED, FLOW_OPENING, RECEIPT, RECORD, encode, open_envelope, require, sha256,
                       sign)

MASK = (1 << 64) - 1
HEADER = struct.Struct(">BBBBIIHHQQ")
DATA, PROBE, ECHO = 0, 1, 2
SLOT = 100_000_000


def siphash(key, data):
    """SipHash-2-4 (Aumasson and Bernstein, 2012)."""
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(value, bits):
        return (value << bits | value >> (64 - bits)) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


class Tally:
    """What one point counted of one epoch."""

    def __init__(self, terms):
        self.terms = terms
        self.counts = [0] * 11
        self.range = None
        self.slots = 0
        self.delays = self.variations = None
        self.last = None
        self.seen = {}

    def widen(self, sequence, sent, start):
        if self.range is None:
            self.range = [sequence, sequence, sent, sent]
        low, high, first, last = self.range
        self.range = [min(low, sequence), max(high, sequence), min(first, sent), max(last, sent)]
        self.slots |= 1 << (max(0, sent - start) // SLOT)
        self.seen[sequence] = sent

    def sent(self, sequence, sent, size, start):
        self.counts[0] += 1
        self.counts[1] += size
        self.widen(sequence, sent, start)

    def received(self, sequence, sent, size, start, now):
        if now - sent > self.terms.transit:
            self.counts[6] += 1
            return False
        if sequence in self.seen:
            self.counts[4] += 1
            return False
        self.counts[2] += 1
        self.counts[3] += size
        if self.range and sequence < self.range[1]:
            self.counts[5] += 1
        self.widen(sequence, sent, start)
        delay = now - sent
        self.delays = self.add(self.delays, delay)
        if self.last and self.last[0] + 1 == sequence:
            self.variations = self.add(self.variations, abs(delay - self.last[1]))
        self.last = (sequence, delay)
        return True

    def add(self, summary, value):
        low, high, total, buckets = summary or (value, value, 0, {})
        bucket = self.terms.bucket(max(0, value))
        buckets[bucket] = buckets.get(bucket, 0) + 1
        return min(low, value), max(high, value), total + value, buckets

    @staticmethod
    def summary(summary):
        if summary is None:
            return None
        low, high, total, buckets = summary
        return [low, high, total, [number for bucket in sorted(buckets) for number in (bucket, buckets[bucket])]]

    @property
    def longest_gap(self):
        order = sorted(self.seen)
        gaps = [self.seen[b] - self.seen[a] for a, b in zip(order, order[1:]) if b > a + 1]
        return max([0, *gaps])

    @property
    def slot_bytes(self):
        return self.slots.to_bytes((self.slots.bit_length() + 7) // 8, "little")


class Flow:
    """One activation, from its confirmation to its last record."""

    def __init__(self, *, network, terms, activation, order, start, edge_key, edge, ask, receipt_key, evidence):
        self.network, self.terms, self.activation = network, terms, activation
        self.epochs, self.cell, self.start = order[1], order[4], start
        self.peer = terms.peers.index(order[5])
        self.edge, self.edge_key, self.ask = edge, edge_key, ask
        self.key, self.evidence = receipt_key, evidence
        self.account = Account(network, terms, activation, self.epochs, receipt_key.public, edge_key)
        self.tallies = {}
        self.previous = {UP: bytes(32), DOWN: bytes(32)}
        self.sequence = 0
        self.signed = None
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 0))
        self.udp.setblocking(False)

    # --- Opening

    def open(self, down):
        """Agrees with the edge on a key for the tags and on where packets go."""
        secret = X25519PrivateKey.generate()
        public = raw(secret.public_key())
        host, port = self.udp.getsockname()
        address = [int.from_bytes(socket.inet_aton(host), "big"), port]
        opening = sign(self.network, FLOW_OPENING, [self.activation, public, address, down], self.key)
        answer = self.insist([50, opening], 51)
        activation, self.flow, theirs, (ip, port) = open_envelope(
            self.network, FLOW_OPENED, answer, self.edge_key).item
        require(activation == self.activation, "another activation")
        self.remote = (socket.inet_ntoa(ip.to_bytes(4, "big")), port)
        shared = secret.exchange(X25519PublicKey.from_public_bytes(theirs))
        context = f"AJIT packet tag {self.activation.hex()}".encode()
        self.tag_key = sha256(context, b"\x00", shared, *sorted([public, theirs]))[:16]

    def insist(self, message, number):
        """Asks the edge until it answers: it may not know of the activation yet, and asking again is harmless."""
        deadline = self.epoch_end(self.epochs - 1) + self.terms.settle
        while time.time_ns() < deadline:
            try:
                answered, body = self.ask(self.edge, message)
                require(answered == number, f"{number} expected, not {answered}")
                return body
            except (RemoteError, Silence):
                # The edge's own word on when to come back is the shortest sensible pause.
                select.select([], [], [], 0.02)
        raise Silence(self.edge)

    # --- Packets

    def epoch_start(self, epoch):
        return self.start + epoch * self.terms.epoch

    def epoch_end(self, epoch):
        return self.epoch_start(epoch + 1)

    def tally(self, direction, epoch):
        return self.tallies.setdefault((direction, epoch), Tally(self.terms))

    def send(self, kind, payload, now):
        epoch = (now - self.start) // self.terms.epoch
        size = HEADER.size + len(payload) + 8
        body = HEADER.pack(1, kind, UP, 0, self.flow, epoch, size, self.peer, self.sequence, now) + payload
        self.udp.sendto(body + siphash(self.tag_key, body).to_bytes(8, "big"), self.remote)
        self.tally(UP, epoch).sent(self.sequence, now, size, self.epoch_start(epoch))
        self.sequence += 1

    def receive(self):
        while True:
            try:
                packet = self.udp.recv(4096)
            except BlockingIOError:
                return
            now = time.time_ns()
            if len(packet) < HEADER.size + 8:
                continue
            body, tag = packet[:-8], int.from_bytes(packet[-8:], "big")
            version, kind, direction, zero, flow, epoch, size, _, sequence, sent = HEADER.unpack_from(body)
            if (version, direction, zero, flow, size) != (1, DOWN, 0, self.flow, len(packet)):
                continue
            if tag != siphash(self.tag_key, body) or epoch >= self.epochs or now > self.epoch_end(epoch) + self.terms.grace:
                continue
            first = self.tally(DOWN, epoch).received(sequence, sent, len(packet), self.epoch_start(epoch), now)
            if first and kind == PROBE:
                held = time.time_ns() - now
                self.send(ECHO, struct.pack(">QQQ", sequence, sent, held), time.time_ns())

    def run(self, packets_per_second, payload_bytes, progress=lambda: None):
        """Sends, receives and makes the record of every epoch."""
        interval = 1_000_000_000 // packets_per_second
        due, end = self.start, self.epoch_end(self.epochs - 1)
        while self.account.epoch < self.epochs:
            now = time.time_ns()
            if due < end and now >= due:
                # What a stalled process missed is not sent in a burst: a live source goes on.
                if now - due < 5 * interval and now < end:
                    self.send(DATA, bytes(payload_bytes - HEADER.size - 8), now)
                due = max(due + interval, now - 4 * interval)
            self.receive()
            closing = self.epoch_end(self.account.epoch) + self.terms.grace
            if now >= closing:
                self.record()
            wake = min(due if due < end else closing, closing)
            select.select([self.udp], [], [], max(0, wake - time.time_ns()) / 1e9)
            progress()

    # --- Receipts and records

    def receipts(self, epoch):
        envelopes = []
        for direction, point in ((UP, 1), (DOWN, 6)):
            tally = self.tallies.pop((direction, epoch), None) or Tally(self.terms)
            receipt = [
                self.activation, self.flow, direction, point, epoch, self.cell, WHOLE, tally.range, tally.counts,
                Tally.summary(tally.delays), Tally.summary(tally.variations), None, tally.slot_bytes,
                tally.longest_gap, [5, True, 0, 0], self.previous[direction], self.evidence, epoch + 1 == self.epochs,
            ]
            self.previous[direction] = sha256(encode(receipt))
            envelopes.append(sign(self.network, RECEIPT, receipt, self.key))
        return envelopes

    def record(self):
        epoch = self.account.epoch
        mine = self.receipts(epoch)
        previous = self.account.last_digest
        commitment = sign(
            self.network, COMMITMENT, [self.activation, epoch, 1, sha256(encode(mine)), previous], self.key)
        theirs = open_envelope(self.network, COMMITMENT, self.insist([52, commitment], 52), self.edge_key).item
        require(theirs[:3] == [self.activation, epoch, 2] and theirs[4] == previous, "commitment")
        revealed, by_edge = self.insist([53, [self.activation, epoch, mine]], 54)
        require(sha256(encode(revealed)) == theirs[3], "not what was committed to")
        record = self.account.follow(mine, revealed)
        signed = open_envelope(self.network, RECORD, by_edge, self.edge_key)
        require(signed.payload == encode(record), f"another record: {signed.item} instead of {record}")
        by_enclave = sign(self.network, RECORD, record, self.key)
        self.insist([55, by_enclave], 0)
        self.signed = [by_enclave, by_edge]

    def close(self):
        self.udp.close()


def raw(public):
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
