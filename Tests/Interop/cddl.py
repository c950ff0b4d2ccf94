"""As much of CDDL (RFC 8610) as the protocol article uses: rules with parameters, choices, arrays with occurrences,
maps with literal keys, ranges, tags, `.size` and `.cbor`.

Here because the libraries on PyPI reject or misread what the article needs (pycddl 0.6: `uint / null` inside an array
and long choices; zcbor 0.9: parameters, and two elements of one type in an array).
"""

import re

import cbor2

TOKEN = re.compile(
    r"(-?\d+\.\.-?\d+|\d+\*\d+|-?\d+|#6\.\d+|=>|\.[a-z]+|[A-Za-z][A-Za-z0-9-]*|[=/\[\]{}()<>,:*+?])"
)


class Grammar:
    def __init__(self, text):
        self.rules = {}
        text = re.sub(r";[^\n]*", "", text)
        assert not TOKEN.sub("", text).strip(), f"not understood: {TOKEN.sub('', text).split()}"
        for rule in re.split(r"\n(?=[a-z][a-z-]*(?:<[a-z]+>)?\s*=)", "\n" + text):
            tokens = TOKEN.findall(rule)
            if not tokens:
                continue
            name, parameter = tokens[0], None
            tokens = tokens[1:]
            if tokens[0] == "<":
                parameter, tokens = tokens[1], tokens[3:]
            assert tokens[0] == "=" and name not in self.rules, name
            parser = Parser(tokens[1:])
            self.rules[name] = (parameter, parser.choice())
            assert not parser.tokens, f"{name}: cannot read {parser.tokens}"

    def matches(self, rule, item, argument=None):
        return self._matches(("name", rule, argument), item, {})

    def _matches(self, kind, item, bound):
        match kind:
            case ("choice", options):
                return any(self._matches(option, item, bound) for option in options)
            case ("value", value):
                return type(item) is int and item == value
            case ("range", low, high):
                return type(item) is int and low <= item <= high
            case ("tag", number, inner):
                return isinstance(item, cbor2.CBORTag) and item.tag == number and self._matches(inner, item.value, bound)
            case ("size", count):
                return isinstance(item, bytes) and len(item) == count
            case ("cbor", inner):
                return isinstance(item, bytes) and self._matches(inner, cbor2.loads(item), bound)
            case ("array", entries):
                return isinstance(item, list | tuple) and self._elements(entries, list(item), bound)
            case ("map", entries):
                return isinstance(item, dict) and self._members(entries, dict(item), bound)
            case ("name", name, argument):
                return self._named(name, argument, item, bound)

    def _named(self, name, argument, item, bound):
        match name:
            case "uint":
                return type(item) is int and item >= 0
            case "int":
                return type(item) is int
            case "bytes":
                return isinstance(item, bytes)
            case "tstr":
                return isinstance(item, str)
            case "bool":
                return isinstance(item, bool)
            case "null":
                return item is None
            case "any":
                return True
        if name in bound:
            return self._matches(bound[name], item, {})
        parameter, kind = self.rules[name]
        return self._matches(kind, item, {parameter: argument} if parameter else {})

    def _elements(self, entries, items, bound):
        if not entries:
            return not items
        (least, most, kind), rest = entries[0], entries[1:]
        count = 0
        while count <= len(items):
            if count >= least and self._elements(rest, items[count:], bound):
                return True
            if count == most or count == len(items) or not self._matches(kind, items[count], bound):
                return False
            count += 1
        return False

    def _members(self, entries, members, bound):
        for least, key, kind in entries:
            if key is None:
                members = {}
            elif key in members:
                if not self._matches(kind, members.pop(key), bound):
                    return False
            elif least:
                return False
        return not members


class Parser:
    def __init__(self, tokens):
        self.tokens = tokens

    def take(self, expected=None):
        token = self.tokens.pop(0)
        assert expected in (None, token), f"{expected} expected, not {token}"
        return token

    def next_is(self, token, ahead=0):
        return len(self.tokens) > ahead and self.tokens[ahead] == token

    def choice(self):
        options = [self.kind()]
        while self.next_is("/"):
            self.take()
            options.append(self.kind())
        return options[0] if len(options) == 1 else ("choice", options)

    def kind(self):
        token = self.take()
        if token == "[":
            return ("array", self.entries("]", self.element))
        if token == "{":
            return ("map", self.entries("}", self.member))
        if ".." in token:
            return ("range", *(int(end) for end in token.split("..")))
        if re.fullmatch(r"-?\d+", token):
            return ("value", int(token))
        if token.startswith("#6."):
            self.take("(")
            inner = self.choice()
            self.take(")")
            return ("tag", int(token[3:]), inner)
        if self.next_is(".size"):
            self.take()
            return ("size", int(self.take()))
        if self.next_is(".cbor"):
            self.take()
            return ("cbor", self.kind())
        argument = None
        if self.next_is("<"):
            self.take()
            argument = self.kind()
            self.take(">")
        return ("name", token, argument)

    def entries(self, end, entry):
        entries = []
        while not self.next_is(end):
            entries.append(entry())
            if not self.next_is(end):
                self.take(",")
        self.take(end)
        return entries

    def element(self):
        least, most = 1, 1
        if self.next_is("*"):
            least, most = 0, None
        elif self.next_is("+"):
            least, most = 1, None
        elif self.next_is("?"):
            least, most = 0, 1
        elif re.fullmatch(r"\d+\*\d+", self.tokens[0]):
            least, most = (int(bound) for bound in self.tokens[0].split("*"))
        if (least, most) != (1, 1) or self.tokens[0] == "1*1":
            self.take()
        if self.next_is(":", ahead=1):
            self.take()
            self.take()
        return (least, most, self.choice())

    def member(self):
        least = 1
        if self.next_is("?"):
            self.take()
            least = 0
        if self.next_is("*"):
            # `* int => any`: whatever else.
            for expected in ("*", "int", "=>", "any"):
                self.take(expected)
            return (0, None, None)
        key = int(self.take())
        self.take(":")
        return (least, key, self.choice())
