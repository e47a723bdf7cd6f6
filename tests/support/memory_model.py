"""A small model checker for code that two threads share: every order in which a processor may show its stores.

The function under test runs as plain Python over arrays that note each load and store. A weak memory model, that of
ARM and laxer than that of x86, gives which of them stay in order; all that remain possible are tried.
"""

from __future__ import annotations

import itertools
import types
from dataclasses import dataclass


@dataclass(frozen=True)
class Op:
    """A load, a store or a fence, as a thread performs it.

    Attributes:
        kind: ``load``, ``store`` or ``fence``.
        place: name of the array and index.
        value: what is stored.
        ordered: an acquire for a load, a release for a store.
    """

    kind: str
    place: tuple = ()
    value: object = None
    ordered: bool = False


class Recorded:
    """An array whose accesses are noted in ``ops``; loads give ``contents``."""

    def __init__(self, name, shape, ops, contents=None):
        self.name, self.shape, self.ops, self.contents = name, shape, ops, dict(contents or {})

    def __getitem__(self, index):
        self.ops.append(Op("load", (self.name, index)))
        return self.contents.get(index, 0)

    def __setitem__(self, index, value):
        self.ops.append(Op("store", (self.name, index), value))
        self.contents[index] = value


def interpreted(function, ops):
    """Return the source of a compiled ``function`` as Python whose ordered accesses are noted in ``ops``."""

    def load_acquire(array, index):
        ops.append(Op("load", (array.name, index), ordered=True))
        return array.contents.get(index, 0)

    def store_release(array, index, value):
        ops.append(Op("store", (array.name, index), value, ordered=True))
        array.contents[index] = value

    code = function.py_func
    names = {"load_acquire": load_acquire, "store_release": store_release, "fence": lambda: ops.append(Op("fence"))}
    return types.FunctionType(code.__code__, {**code.__globals__, **names})


def stays_before(ops, first, second):
    """Whether the processor has to keep two accesses of one thread in order."""
    one, other = ops[first], ops[second]
    fenced = any(op.kind == "fence" for op in ops[first : second + 1])
    releases, acquires = other.kind == "store" and other.ordered, one.kind == "load" and one.ordered
    return fenced or releases or acquires or one.place == other.place


def orders(ops):
    """Give every order in which the accesses of one thread may take place."""
    indices = [number for number, op in enumerate(ops) if op.kind != "fence"]
    before = [(a, b) for a, b in itertools.combinations(indices, 2) if stays_before(ops, a, b)]
    for order in itertools.permutations(indices):
        at = {number: place for place, number in enumerate(order)}
        if all(at[a] < at[b] for a, b in before):
            yield [ops[number] for number in order]


def memories(ops, start):
    """Give every memory that another thread may find, beginning with ``start``, place -> value."""
    for order in orders(ops):
        memory = dict(start)
        yield dict(memory)
        for op in order:
            if op.kind == "store":
                memory[op.place] = op.value
                yield dict(memory)


def outcomes(writer, reader, start):
    """Give what the loads of ``reader`` find, in program order, for every way of the two threads through time."""
    loads = [op for op in reader if op.kind == "load"]
    for written, read in itertools.product(orders(writer), orders(reader)):
        for slots in itertools.combinations_with_replacement(range(len(written) + 1), len(read)):
            memory, found, done = dict(start), {}, 0
            for op, until in zip(read, slots, strict=True):
                for store in written[done:until]:
                    if store.kind == "store":
                        memory[store.place] = store.value
                done = until
                found[id(op)] = memory.get(op.place)
            yield tuple(found[id(op)] for op in loads)
