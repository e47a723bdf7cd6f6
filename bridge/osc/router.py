"""Finds the nodes of an OSC address: by name, by number, or by a pattern."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from bridge.osc.namespace import safe_name
from stream_sep.errors import ParameterError
from stream_sep.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bridge.osc.node import Node

Verb: TypeAlias = Literal["value", "toggle", "touch"]

_WILD = frozenset("*?[{")
_MAX_PATTERN = 200
_MAX_STARS = 8  # each one more multiplies the time that a pattern made to be slow takes
_TOKEN = re.compile(r"\*+|\?|\[(!?)([^\[\]/]+)\]|\{([^{}/]*)\}|.", re.DOTALL)


class UnknownAddressError(ParameterError):
    """There is no such address.

    Attributes:
        unknown_address: the requested address.
    """

    def __init__(self, address: str) -> None:
        super().__init__(f"there is no address {address[:60]}")
        self.unknown_address = address


@dataclass(frozen=True)
class Route:
    """What a message to an address does.

    Attributes:
        verb: ``value`` sets or queries a value; ``toggle`` inverts a switch; ``touch`` marks a fader as touched.
        node: of the value; for ``touch``, the fader.
    """

    verb: Verb
    node: Node


def routes_of(nodes: Iterable[Node]) -> dict[str, Route]:
    """Return the route of each address, including ``.../toggle`` of switches and ``.../touch`` of faders."""
    routes: dict[str, Route] = {}
    for node in nodes:
        routes[node.address] = Route("value", node)
        if node.path and (node.types == "i" or node.path == "karaoke"):
            routes[f"{node.address}/toggle"] = Route("toggle", node)
        if node.address.endswith("/fader"):
            routes[f"{node.address.removesuffix('fader')}touch"] = Route("touch", node)
    return routes


class Router:
    """Maps the addresses of a mixer to routes.

    Args:
        routes: by address.
        stems: names of the stems, in the order of their numbers, from 1.
    """

    def __init__(self, routes: Mapping[str, Route], stems: tuple[str, ...]) -> None:
        names = [safe_name(stem) for stem in stems]
        self._named = dict(routes)
        self._numbers = {f"/stem/{name}/": f"/stem/{number}/" for number, name in enumerate(names, 1)}
        self._numbered = {self.numbered(address): route for address, route in routes.items()}
        self._matching = functools.lru_cache(256)(self._match)

    def numbered(self, address: str) -> str:
        """Return the address with the stem's number in place of its name."""
        for name, number in self._numbers.items():
            if address.startswith(name):
                return number + address.removeprefix(name)
        return address

    def exact(self, address: str) -> Route | None:
        """Return the route of an address that is not a pattern.

        Args:
            address: by name or by number.

        Returns:
            Its route; None if there is no such address.
        """
        return self._named.get(address) or self._numbered.get(address)

    def find(self, address: str) -> tuple[Route, ...]:
        """Return the routes of an address or a pattern.

        Args:
            address: of a message, without the prefix.

        Returns:
            At least one route.

        Raises:
            UnknownAddressError: there is no such address.
            ParameterError: the pattern is invalid.
        """
        route = self.exact(address)
        if route is not None:
            return (route,)
        found = self._matching(address) if is_pattern(address) else ()
        if not found:
            raise UnknownAddressError(address)
        return found

    def _match(self, pattern: str) -> tuple[Route, ...]:
        expression = compile_pattern(pattern)
        # by number only if no name matches: [!v]* leaves out vocals, whatever its number is
        for table in (self._named, self._numbered):
            found = tuple(route for address, route in table.items() if expression.fullmatch(address))
            if found:
                return found
        return ()

    def hint(self, address: str) -> str:
        """Return the end of an error message about an unknown address; compares it with every address.

        Args:
            address: the unknown one.

        Returns:
            The most similar address, or how to list all.
        """
        known = self._named if len(address) < 60 else ()
        return f"; {did_you_mean(address, known, '/list names all there are')}"


def is_pattern(address: str) -> bool:
    """Return whether an address is a pattern."""
    return not _WILD.isdisjoint(address)


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile an OSC address pattern to a regular expression; no part of it matches a ``/``.

    Raises:
        ParameterError: the brackets do not close, or the pattern is too long.

    >>> bool(compile_pattern("/stem/{vocals,drums}/*").fullmatch("/stem/drums/gain"))
    True
    >>> bool(compile_pattern("/stem/*").fullmatch("/stem/drums/gain"))
    False
    """
    if len(pattern) > _MAX_PATTERN or pattern.count("*") > _MAX_STARS:
        raise ParameterError(f"an address pattern has up to {_MAX_PATTERN} characters and {_MAX_STARS} stars")
    try:
        return re.compile("".join(_expression(token, pattern) for token in _TOKEN.finditer(pattern)))
    except re.error as error:
        raise ParameterError(f"the address pattern {pattern} is broken: {error}") from error


def _expression(token: re.Match[str], pattern: str) -> str:
    text, negated, members, choices = token.group(0), *token.groups()
    if text[0] == "*":
        return "[^/]*"
    if text == "?":
        return "[^/]"
    if members is not None:
        within = re.sub(r"-+", "-", re.sub(r"[^\w-]", r"\\\g<0>", members))
        return f"(?!/)[^{within}]" if negated else f"(?!/)[{within}]"
    if choices is not None:
        return f"(?:{'|'.join(re.escape(choice) for choice in sorted(set(choices.split(','))))})"
    if text in "[]{}":
        raise ParameterError(f"the address pattern {pattern} has a {text} without its other half")
    return re.escape(text)
