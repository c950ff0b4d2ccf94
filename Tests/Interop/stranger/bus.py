"""Asking over ZeroMQ: the article's "The bus"."""

import itertools
import json
import os
import time
from dataclasses import dataclass

import zmq
from zmq.utils import z85

from .envelope import Refused, decode, encode

# How many times slower this machine is than usual: what is waited for may take that many times longer.
PATIENCE = int(os.environ.get("AJIT_TIME_FACTOR", "1"))


@dataclass(frozen=True)
class Place:
    """One process of the consortium, as the book of a key bundle names it."""

    name: str
    host: str
    requests: int
    publications: int
    curve: bytes
    actors: frozenset


class Book:
    """The public part of a key bundle: who is where."""

    def __init__(self, bundle):
        book = json.loads((bundle / "book.json").read_text())
        self.network = bytes.fromhex(book["network"])
        self.places = [
            Place(
                place["name"], place["host"], place["requests"], place["publications"],
                bytes.fromhex(place["curve"]), frozenset(place["actors"]),
            )
            for place in book["places"]
        ]

    def place_of(self, actor):
        return next(place for place in self.places if actor in place.actors)

    def actors(self, role):
        return sorted(actor for place in self.places for actor in place.actors if actor.startswith(role + "/"))


class RemoteError(Exception):
    """The other side answered with an error: its code and text."""

    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code


class Silence(Exception):
    """No answer came in time."""


class Line:
    """One party's connections, all under one CURVE key."""

    def __init__(self, context, book, secret):
        self.context, self.book = context, book
        self.secret = z85.encode(secret)
        self.public = zmq.curve_public(self.secret)
        self.sockets = {}
        self.ids = itertools.count(1)

    def socket(self, place):
        if place not in self.sockets:
            socket = self.context.socket(zmq.DEALER)
            socket.curve_serverkey = z85.encode(place.curve)
            socket.curve_publickey, socket.curve_secretkey = self.public, self.secret
            socket.linger = 0
            socket.connect(f"tcp://{place.host}:{place.requests}")
            self.sockets[place] = socket
        return self.sockets[place]

    def ask(self, me, actor, message, timeout=2.0):
        """The answer's `[number, body]`. Answers to earlier questions that were given up are passed over."""
        socket = self.socket(self.book.place_of(actor))
        number = next(self.ids)
        header = [1, 1, number, me, actor, int(timeout * 1e9)]
        socket.send_multipart([encode(header), encode(message)])
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            if not socket.poll(int(left * 1000) + 1):
                break
            frames = socket.recv_multipart()
            version, kind, answered = decode(frames[0])
            if version != 1 or answered != number:
                continue
            if kind == 4:
                raise RemoteError(*decode(frames[1]))
            if kind != 3:
                raise Refused("neither an answer nor an error")
            return decode(frames[1])
        raise Silence(actor)

    def close(self):
        for socket in self.sockets.values():
            socket.close()
