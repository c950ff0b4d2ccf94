"""Reading the ledger without trusting whom one asks: the article's "Consensus" and "Reading the ledger"."""

from dataclasses import dataclass

from .bus import RemoteError, Silence
from .envelope import FINALIZE, Refused, decode, encode, require, sha256, vote

CONTRACTS, ENCLAVES, ACTIVATIONS = b"\x20", b"\x30", b"\x40"
ERA, VIEW, PARENT_VIEW, HEIGHT, PARENT, TIME, STATE, OUTCOMES = 0, 1, 2, 3, 4, 5, 9, 8


class Genesis:
    def __init__(self, data):
        self.network = sha256(data)
        (version, _, scheme, self.time, parameters, members, self.organisations, self.platforms) = decode(data)
        require(version == 1 and scheme == 1, "genesis")
        self.heartbeat = parameters[0]
        self.validators = [key for _, key, _, _ in members]
        faults = (len(members) - 1) // 3
        self.quorum = (len(members) + faults) // 2 + 1


def check_finalization(genesis, header, certificate):
    """That a quorum made this block final."""
    (kind, proposition), voters, signatures = certificate
    names = [index for index in range(64) if voters >> index & 1]
    require(kind == FINALIZE, "not a finalization")
    require(proposition == [header[ERA], header[VIEW], header[PARENT_VIEW], sha256(encode(header))], "another block")
    require(len(names) == len(signatures) >= genesis.quorum, "no quorum")
    for index, signature in zip(names, signatures):
        require(index < len(genesis.validators), "no such member")
        vote(genesis.network, kind, proposition, signature, genesis.validators[index])


def outcomes_root(results, events, room):
    """The RFC 9162 tree over the three fields."""
    first, second, third = (sha256(b"\x00", encode(field)) for field in (results, events, room))
    return sha256(b"\x01", sha256(b"\x01", first, second), third)


class Chain:
    """The final chain, block by block, from whichever member answers."""

    def __init__(self, genesis, ask, members):
        self.genesis, self.ask, self.members = genesis, ask, members
        self.height, self.hash, self.time = 0, genesis.network, genesis.time
        self.results = {}
        self.activations = {}
        self.handlers = []

    def advance(self):
        """Takes what is new. True when something was."""
        for member in list(self.members):
            try:
                number, body = self.ask(member, [10, [8, self.height + 1]])
                require(number == 10 and body[0] == 9, "not segments")
                news = [block for segment in body[1] for block in self.take(segment)]
            except (Refused, RemoteError, Silence):
                # Somebody else may know better.
                self.members.append(self.members.pop(0))
                continue
            return bool(news)
        return False

    def take(self, segment):
        blocks, certificate = segment
        check_finalization(self.genesis, blocks[-1][0], certificate)
        height, parent = self.height, self.hash
        new = []
        for header, body in blocks:
            if header[HEIGHT] <= self.height:
                continue
            require(header[HEIGHT] == height + 1 and header[PARENT] == parent, "does not continue the chain")
            transactions, outcomes = body
            require(outcomes_root(*outcomes) == header[OUTCOMES], "outcomes")
            height, parent = header[HEIGHT], sha256(encode(header))
            new.append((header, transactions, outcomes))
        for header, transactions, (results, events, _) in new:
            self.height, self.hash, self.time = header[HEIGHT], sha256(encode(header)), header[TIME]
            for envelope, result in zip(transactions, results):
                digest = sha256(encode(envelope))
                self.results[digest] = result
                for handler in self.handlers:
                    handler(envelope, digest, result)
            for event in events:
                if event[0] == 1:
                    self.activations[event[1][0]] = event[1]
        return new


@dataclass(frozen=True)
class Entry:
    key: bytes
    value: object


def read_range(genesis, ask, member, prefix, now):
    """All entries under a prefix of one byte, proven."""
    start, end = prefix, bytes([prefix[0] + 1])
    entries = []
    while True:
        number, body = ask(member, [20, [start, end, 64]])
        require(number == 21, "not entries")
        header, certificate, lower, upper, is_whole, steps = body
        check_finalization(genesis, header, certificate)
        require(header[TIME] >= now - 2 * genesis.heartbeat, "older than two heartbeats")
        require(lower == start and upper <= end, "another range")
        pairs = proved_pairs(steps, lower, upper, header[STATE])
        entries += [Entry(key[1:], decode(value)) for key, value in pairs]
        if is_whole:
            require(upper == end, "not whole")
            return entries
        require(upper > start, "no progress")
        start = upper


# --- The tree


def key_bits(key):
    return "".join("1" + format(byte, "08b") for byte in key) + "0"


def prefix_bytes(bits):
    return bytes(int(bits[start + 1 : start + 9].ljust(8, "0"), 2) for start in range(0, len(bits), 9))


def proved_pairs(steps, lower, upper, root):
    """The pairs that a proof shows in `lower ..< upper`."""
    if not steps:
        require(root == bytes(32), "root")
        return []
    pairs, queue = [], iter(steps)

    def subtree(known):
        match next(queue, None):
            case [0, bytes() as digest]:
                bound = key_bits(lower)
                is_before = next((k < b for k, b in zip(known, bound) if k != b), False)
                require(is_before or prefix_bytes(known) >= upper, "hidden")
                return digest
            case [1, int() as length, bytes() as prefix]:
                bits = "".join("1" + format(byte, "08b") for byte in prefix)[:length]
                require(len(bits) == length and prefix_bytes(bits) == prefix and bits.startswith(known), "branch")
                left = subtree(bits + "0")
                return sha256(b"\x03", length.to_bytes(2, "big"), prefix, left, subtree(bits + "1"))
            case [2 | 3 as kind, bytes() as key, bytes() as content]:
                require(key_bits(key).startswith(known), "order")
                if lower <= key < upper:
                    require(kind == 2, "hidden")
                    pairs.append((key, content))
                value = sha256(content) if kind == 2 else content
                return sha256(b"\x02", len(key).to_bytes(2, "big"), key, value)
        raise Refused("step")

    require(subtree("") == root and next(queue, None) is None, "root")
    return pairs
