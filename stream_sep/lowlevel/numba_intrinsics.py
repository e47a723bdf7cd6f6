"""Extensions of Numba for compiled code: typed decorators, memory ordering, raw pointers and a clock.

Everything here compiles to a few machine instructions; none of it allocates, locks or touches a Python object.
"""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import cgutils, sigutils, types
from numba.core.ccallback import CFunc
from numba.extending import intrinsic

from stream_sep.lowlevel.code_cache import keep_code

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_ALIGNMENT = 8  # bytes of an int64, which is all that is ever shared
_CLOCK_MONOTONIC = 6 if sys.platform == "darwin" else 1
_MACHINE = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
_FLUSHES = {"x86_64": 0x8040, "aarch64": 1 << 24}
"""Bits of the floating-point control register: flush-to-zero for results, denormals-are-zero for inputs."""


def njit_cached(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` without the interpreter and cache it on disk; it runs without the GIL."""
    return cast("Callable[P, R]", keep_code(_jit(function)))


def njit_inline(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` for use inside other compiled code only: it has no entry of its own."""
    return _jit(function)


def njit_always_inline(function: Callable[P, R]) -> Callable[P, R]:
    """Like `njit_inline`, for functions that are small or called once: never compiled by themselves, only inlined."""
    return _jit(function, inline="always")


def njit_reassoc(function: Callable[P, R]) -> Callable[P, R]:
    """Like `njit_inline`, for sums whose order does not matter: they are added up several at a time."""
    return _jit(function, fastmath={"reassoc", "contract"})


def njit_fastmath(function: Callable[P, R]) -> Callable[P, R]:
    """Like `njit_reassoc`, for loops over many numbers, of which none is NaN, and zero has no sign."""
    return _jit(function, fastmath={"reassoc", "contract", "arcp", "nsz", "nnan"})


def _jit(function: Callable[P, R], **options: Any) -> Callable[P, R]:  # noqa: ANN401 - Numba's own
    return cast("Callable[P, R]", numba.njit(nogil=True, error_model="numpy", **options)(function))


def c_function(signature: Any, function: Callable[..., Any]) -> Any:  # noqa: ANN401 - Numba's own types
    """Compile ``function`` as a C function without the GIL, or load its machine code from disk.

    Args:
        signature: its Numba signature.
        function: the function.
    """
    options = {"nopython": True, "error_model": "numpy"}
    callback = CFunc(function, sigutils.normalize_signature(signature), locals={}, options=options)
    keep_code(callback).compile()  # numba.cfunc compiles before its cache can be set
    return callback


def _instruction(emit: Callable[..., Any]) -> Callable[..., Any]:
    return cast("Callable[..., Any]", intrinsic(emit))


@_instruction
def load_acquire(_typing: Any, array: Any, index: Any) -> Any:  # noqa: ANN401 - Numba's own types
    """Read ``array[index]`` (int64); writes before its publication are visible after it.

    Args:
        _typing: Numba's typing context.
        array: int64 array.
        index: position in it.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
        pointer = _item(context, builder, signature, arguments)
        return builder.load_atomic(pointer, "acquire", _ALIGNMENT)

    return types.int64(array, index), codegen


@_instruction
def store_release(_typing: Any, array: Any, index: Any, value: Any) -> Any:  # noqa: ANN401 - as above
    """Write int64 ``value`` to ``array[index]``; a reader with `load_acquire` sees all earlier writes.

    Args:
        _typing: Numba's typing context.
        array: int64 array.
        index: position in it.
        value: int64.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
        pointer = _item(context, builder, signature, arguments)
        number = context.cast(builder, arguments[2], signature.args[2], types.int64)
        builder.store_atomic(number, pointer, "release", _ALIGNMENT)
        return context.get_dummy_value()

    return types.void(array, index, value), codegen


@_instruction
def fence(_typing: Any) -> Any:  # noqa: ANN401 - as above
    """Keep every read and write on its side of this line, on every processor."""

    def codegen(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:  # noqa: ANN401 - as above
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@_instruction
def pointer_at(_typing: Any, address: Any) -> Any:  # noqa: ANN401 - as above
    """Turn an integer address into the pointer that `numba.carray` takes.

    Args:
        _typing: Numba's typing context.
        address: an integer.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.voidptr(address), codegen


@_instruction
def call_with_frames(_typing: Any, function: Any, handle: Any, frames: Any) -> Any:  # noqa: ANN401 - as above
    """Call the C function ``void *f(void *handle, uint32_t frames)`` at an integer address; return an address.

    Args:
        _typing: Numba's typing context.
        function: its address.
        handle: its first argument.
        frames: its second argument.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(64)
        kind = ir.FunctionType(byte, [byte, ir.IntType(32)]).as_pointer()
        target = builder.inttoptr(arguments[0], kind)
        count = context.cast(builder, arguments[2], signature.args[2], types.uint32)
        result = builder.call(target, [builder.inttoptr(arguments[1], byte), count])
        return builder.ptrtoint(result, word)

    return types.int64(function, handle, frames), codegen


@_instruction
def monotonic_ns(_typing: Any) -> Any:  # noqa: ANN401 - as above
    """Nanoseconds of a monotonic clock, from the C library."""

    def codegen(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:  # noqa: ANN401 - as above
        return _windows_clock(builder) if sys.platform == "win32" else _posix_clock(builder)

    return types.int64(), codegen


@_instruction
def flush_denormals(_typing: Any) -> Any:  # noqa: ANN401 - as above
    """Flush denormal numbers to zero on this thread; return the previous mode.

    Denormals occur where audio decays to silence, and each costs a hundred times as much as another number.
    """

    def codegen(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:  # noqa: ANN401 - as above
        before = _float_mode(builder)
        _set_float_mode(builder, builder.or_(before, ir.IntType(64)(_FLUSHES.get(_MACHINE, 0))))
        return before

    return types.int64(), codegen


@_instruction
def restore_denormals(_typing: Any, mode: Any) -> Any:  # noqa: ANN401 - as above
    """Restore the mode that `flush_denormals` returned on this thread.

    Args:
        _typing: Numba's typing context.
        mode: from `flush_denormals`.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
        _set_float_mode(builder, context.cast(builder, arguments[0], signature.args[0], types.int64))
        return context.get_dummy_value()

    return types.void(mode), codegen


def _float_mode(builder: Any) -> Any:  # noqa: ANN401 - as above
    word = ir.IntType(64)
    if _MACHINE == "x86_64":
        place = cgutils.alloca_once(builder, ir.IntType(32))
        _call_on_byte(builder, "llvm.x86.sse.stmxcsr", place)
        return builder.zext(builder.load(place), word)
    if _MACHINE == "aarch64":
        return builder.asm(ir.FunctionType(word, []), "mrs $0, fpcr", "=r", [], side_effect=True)
    return word(0)


def _set_float_mode(builder: Any, mode: Any) -> None:  # noqa: ANN401 - as above
    if _MACHINE == "x86_64":
        place = cgutils.alloca_once_value(builder, builder.trunc(mode, ir.IntType(32)))
        _call_on_byte(builder, "llvm.x86.sse.ldmxcsr", place)
    elif _MACHINE == "aarch64":
        builder.asm(ir.FunctionType(ir.VoidType(), [mode.type]), "msr fpcr, $0", "r", [mode], side_effect=True)


def _call_on_byte(builder: Any, name: str, place: Any) -> None:  # noqa: ANN401 - as above
    byte = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.VoidType(), [byte]), name)
    builder.call(function, [builder.bitcast(place, byte)])


def _item(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
    view = context.make_array(signature.args[0])(context, builder, arguments[0])
    index = context.cast(builder, arguments[1], signature.args[1], types.intp)
    return cgutils.get_item_pointer(context, builder, signature.args[0], view, [index], wraparound=False)


def _posix_clock(builder: Any) -> Any:  # noqa: ANN401 - as above
    word, number = ir.IntType(64), ir.IntType(32)
    timespec = ir.LiteralStructType([word, word])
    kind = ir.FunctionType(number, [number, timespec.as_pointer()])
    clock = cgutils.get_or_insert_function(builder.module, kind, "clock_gettime")
    now = cgutils.alloca_once(builder, timespec)
    builder.call(clock, [number(_CLOCK_MONOTONIC), now])
    seconds = builder.load(cgutils.gep_inbounds(builder, now, 0, 0))
    fraction = builder.load(cgutils.gep_inbounds(builder, now, 0, 1))
    return builder.add(builder.mul(seconds, word(1_000_000_000)), fraction)


def _windows_clock(builder: Any) -> Any:  # noqa: ANN401 - as above
    # Windows ticks at 10 MHz on every system since Windows 10, hence the factor of 100.
    word, number = ir.IntType(64), ir.IntType(32)
    kind = ir.FunctionType(number, [word.as_pointer()])
    clock = cgutils.get_or_insert_function(builder.module, kind, "QueryPerformanceCounter")
    now = cgutils.alloca_once(builder, word)
    builder.call(clock, [now])
    return builder.mul(builder.load(now), word(100))


@_instruction
def call_c(_typing: Any, function: Any, arguments: Any) -> Any:  # noqa: ANN401 - as above
    """Call the C function at an integer address with a tuple of integers and addresses; return an int64.

    If the function returns a 32-bit integer, the upper half is undefined: mask the result.

    Args:
        _typing: Numba's typing context.
        function: its address.
        arguments: integers and addresses.
    """

    def codegen(context: Any, builder: Any, signature: Any, given: Any) -> Any:  # noqa: ANN401 - as above
        word = ir.IntType(64)
        values = cgutils.unpack_tuple(builder, given[1])
        words = [context.cast(builder, *pair, types.int64) for pair in zip(values, signature.args[1], strict=True)]
        kind = ir.FunctionType(word, [word] * len(words)).as_pointer()
        return builder.call(builder.inttoptr(given[0], kind), words)

    return types.int64(function, arguments), codegen
