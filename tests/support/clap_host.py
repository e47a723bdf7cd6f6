"""A CLAP host in Python: loads a plug-in, plays blocks with parameter changes at their frames, saves and loads."""

import ctypes

import numpy as np

CORE_SPACE, PARAM_VALUE = 0, 5
CALL = ctypes.CFUNCTYPE
POINTER, NUMBER, BYTES = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_char_p


class Version(ctypes.Structure):
    _fields_ = [("major", NUMBER), ("minor", NUMBER), ("revision", NUMBER)]


class Host(ctypes.Structure):
    _fields_ = [
        ("version", Version),
        ("data", POINTER),
        ("name", BYTES),
        ("vendor", BYTES),
        ("url", BYTES),
        ("release", BYTES),
        ("get_extension", CALL(POINTER, POINTER, BYTES)),
        ("request_restart", CALL(None, POINTER)),
        ("request_process", CALL(None, POINTER)),
        ("request_callback", CALL(None, POINTER)),
    ]


class Descriptor(ctypes.Structure):
    _fields_ = [("version", Version)] + [
        (name, BYTES)
        for name in ("id", "name", "vendor", "url", "manual_url", "support_url", "release", "description")
    ]


class Plugin(ctypes.Structure):
    _fields_ = [
        ("descriptor", ctypes.POINTER(Descriptor)),
        ("data", POINTER),
        ("init", CALL(ctypes.c_bool, POINTER)),
        ("destroy", CALL(None, POINTER)),
        ("activate", CALL(ctypes.c_bool, POINTER, ctypes.c_double, NUMBER, NUMBER)),
        ("deactivate", CALL(None, POINTER)),
        ("start_processing", CALL(ctypes.c_bool, POINTER)),
        ("stop_processing", CALL(None, POINTER)),
        ("reset", CALL(None, POINTER)),
        ("process", CALL(ctypes.c_int32, POINTER, POINTER)),
        ("get_extension", CALL(POINTER, POINTER, BYTES)),
        ("on_main_thread", CALL(None, POINTER)),
    ]


class Factory(ctypes.Structure):
    _fields_ = [
        ("count", CALL(NUMBER, POINTER)),
        ("descriptor", CALL(ctypes.POINTER(Descriptor), POINTER, NUMBER)),
        ("create", CALL(ctypes.POINTER(Plugin), POINTER, POINTER, BYTES)),
    ]


class Entry(ctypes.Structure):
    _fields_ = [
        ("version", Version),
        ("init", CALL(ctypes.c_bool, BYTES)),
        ("deinit", CALL(None)),
        ("get_factory", CALL(ctypes.POINTER(Factory), BYTES)),
    ]


class AudioBuffer(ctypes.Structure):
    _fields_ = [
        ("data32", ctypes.POINTER(POINTER)),
        ("data64", POINTER),
        ("channels", NUMBER),
        ("latency", NUMBER),
        ("constant_mask", ctypes.c_uint64),
    ]


class ParamEvent(ctypes.Structure):
    _fields_ = [
        ("size", NUMBER),
        ("time", NUMBER),
        ("space", ctypes.c_uint16),
        ("type", ctypes.c_uint16),
        ("flags", NUMBER),
        ("param_id", NUMBER),
        ("cookie", POINTER),
        ("note_id", ctypes.c_int32),
        ("port", ctypes.c_int16),
        ("channel", ctypes.c_int16),
        ("key", ctypes.c_int16),
        ("value", ctypes.c_double),
    ]


class InputEvents(ctypes.Structure):
    _fields_ = [
        ("context", POINTER),
        ("size", CALL(NUMBER, POINTER)),
        ("get", CALL(POINTER, POINTER, NUMBER)),
    ]


class OutputEvents(ctypes.Structure):
    _fields_ = [("context", POINTER), ("try_push", CALL(ctypes.c_bool, POINTER, ctypes.POINTER(ParamEvent)))]


class Process(ctypes.Structure):
    _fields_ = [
        ("steady_time", ctypes.c_int64),
        ("frames", NUMBER),
        ("transport", POINTER),
        ("inputs", ctypes.POINTER(AudioBuffer)),
        ("outputs", ctypes.POINTER(AudioBuffer)),
        ("input_count", NUMBER),
        ("output_count", NUMBER),
        ("in_events", ctypes.POINTER(InputEvents)),
        ("out_events", ctypes.POINTER(OutputEvents)),
    ]


class PortInfo(ctypes.Structure):
    _fields_ = [
        ("id", NUMBER),
        ("name", ctypes.c_char * 256),
        ("flags", NUMBER),
        ("channels", NUMBER),
        ("type", BYTES),
        ("in_place", NUMBER),
    ]


class ParamInfo(ctypes.Structure):
    _fields_ = [
        ("id", NUMBER),
        ("flags", NUMBER),
        ("cookie", POINTER),
        ("name", ctypes.c_char * 256),
        ("module", ctypes.c_char * 1024),
        ("minimum", ctypes.c_double),
        ("maximum", ctypes.c_double),
        ("default", ctypes.c_double),
    ]


class Ports(ctypes.Structure):
    _fields_ = [
        ("count", CALL(NUMBER, POINTER, ctypes.c_bool)),
        ("get", CALL(ctypes.c_bool, POINTER, NUMBER, ctypes.c_bool, ctypes.POINTER(PortInfo))),
    ]


class Params(ctypes.Structure):
    _fields_ = [
        ("count", CALL(NUMBER, POINTER)),
        ("info", CALL(ctypes.c_bool, POINTER, NUMBER, ctypes.POINTER(ParamInfo))),
        ("value", CALL(ctypes.c_bool, POINTER, NUMBER, ctypes.POINTER(ctypes.c_double))),
        ("to_text", CALL(ctypes.c_bool, POINTER, NUMBER, ctypes.c_double, POINTER, NUMBER)),
        ("from_text", CALL(ctypes.c_bool, POINTER, NUMBER, BYTES, ctypes.POINTER(ctypes.c_double))),
        ("flush", CALL(None, POINTER, ctypes.POINTER(InputEvents), ctypes.POINTER(OutputEvents))),
    ]


class Latency(ctypes.Structure):
    _fields_ = [("get", CALL(NUMBER, POINTER))]


class Render(ctypes.Structure):
    _fields_ = [
        ("realtime_only", CALL(ctypes.c_bool, POINTER)),
        ("set", CALL(ctypes.c_bool, POINTER, ctypes.c_int32)),
    ]


class Stream(ctypes.Structure):
    _fields_ = [("context", POINTER), ("move", CALL(ctypes.c_int64, POINTER, POINTER, ctypes.c_uint64))]


class State(ctypes.Structure):
    _fields_ = [
        ("save", CALL(ctypes.c_bool, POINTER, ctypes.POINTER(Stream))),
        ("load", CALL(ctypes.c_bool, POINTER, ctypes.POINTER(Stream))),
    ]


class ClapHost:
    """One instance of the first plug-in of a file.

    Args:
        path: the ``.clap``.
        extensions: whether the host offers any; some hosts have none.
    """

    def __init__(self, path):
        self._library = ctypes.CDLL(str(path))
        self._entry = Entry.in_dll(self._library, "clap_entry")
        assert self._entry.init(str(path).encode())
        factory = self._entry.get_factory(b"clap.plugin-factory")
        assert factory.contents.count(factory) == 1
        self.restarts, self.takes_changes = 0, True
        self._host = self._make_host()
        identity = factory.contents.descriptor(factory, 0).contents.id
        self._plugin = factory.contents.create(factory, ctypes.byref(self._host), identity)
        assert self._plugin.contents.init(self._plugin)
        self.shown = {}
        self.params = {info.name.decode(): info for info in self._param_infos()}

    def _make_host(self):
        def restart(_):
            self.restarts += 1

        kinds = dict(Host._fields_)
        nothing = kinds["request_process"](lambda _: None)
        return Host(
            Version(1, 2, 0), None, b"tests", b"tests", b"", b"1", kinds["get_extension"](lambda _host, _id: None),
            kinds["request_restart"](restart), nothing, nothing,
        )  # fmt: skip

    def extension(self, name, kind):
        return ctypes.cast(self._plugin.contents.get_extension(self._plugin, name.encode()), ctypes.POINTER(kind))

    def _param_infos(self):
        params = self.extension("clap.params", Params).contents
        for index in range(params.count(self._plugin)):
            info = ParamInfo()
            assert params.info(self._plugin, index, ctypes.byref(info))
            yield info

    def ports(self, *, inputs):
        ports, made = self.extension("clap.audio-ports", Ports).contents, []
        for index in range(ports.count(self._plugin, inputs)):
            info = PortInfo()
            assert ports.get(self._plugin, index, inputs, ctypes.byref(info))
            made.append(info)
        return made

    def activate(self, rate, block, *, offline=False):
        self.extension("clap.render", Render).contents.set(self._plugin, int(offline))
        assert self._plugin.contents.activate(self._plugin, rate, 1, block)
        assert self._plugin.contents.start_processing(self._plugin)

    def stop(self):
        self._plugin.contents.stop_processing(self._plugin)

    def deactivate(self):
        self.stop()
        self._plugin.contents.deactivate(self._plugin)

    def reset(self):
        self._plugin.contents.reset(self._plugin)

    @property
    def latency(self):
        return self.extension("clap.latency", Latency).contents.get(self._plugin)

    def value(self, name):
        out = ctypes.c_double()
        params = self.extension("clap.params", Params).contents
        assert params.value(self._plugin, self.params[name].id, ctypes.byref(out))
        return out.value

    def text(self, name, value):
        out = ctypes.create_string_buffer(256)
        params = self.extension("clap.params", Params).contents
        assert params.to_text(self._plugin, self.params[name].id, value, out, 256)
        return out.value.decode()

    def parsed(self, name, text):
        out = ctypes.c_double()
        params = self.extension("clap.params", Params).contents
        return (
            out.value
            if params.from_text(self._plugin, self.params[name].id, text.encode(), ctypes.byref(out))
            else None
        )

    def flush(self, **changes):
        inputs, outputs, _kept = self._events([(0, name, value) for name, value in changes.items()])
        params = self.extension("clap.params", Params).contents
        params.flush(self._plugin, ctypes.byref(inputs), ctypes.byref(outputs))

    def set(self, name, value):
        self.flush(**{name: value})

    def process(self, block, changes=()):
        """Play ``(2, frames)``; changes are ``(frame, name, value)``. Returns ``(10, frames)``."""
        frames = block.shape[1]
        given = np.ascontiguousarray(block, np.float32)
        out = np.full((10, frames), np.nan, np.float32)
        inputs, kept_in = _buffers(given)
        outputs, kept_out = _buffers(out)
        in_events, out_events, kept = self._events(changes)
        call = Process(-1, frames, None, inputs, outputs, 1, 5, ctypes.pointer(in_events), ctypes.pointer(out_events))
        assert self._plugin.contents.process(self._plugin, ctypes.byref(call)) == 1
        del kept_in, kept_out, kept
        return out

    def play(self, sound, block):
        return np.concatenate(
            [self.process(sound[:, first : first + block]) for first in range(0, sound.shape[1], block)], axis=1
        )

    def _events(self, changes):
        size = ctypes.sizeof(ParamEvent)
        events = [
            ParamEvent(
                size, time, CORE_SPACE, PARAM_VALUE, 0, self.params[name].id, None, -1, -1, -1, -1, float(value)
            )
            for time, name, value in sorted(changes, key=lambda change: change[0])
        ]
        kinds = dict(InputEvents._fields_)
        inputs = InputEvents(
            None, kinds["size"](lambda _: len(events)), kinds["get"](lambda _, index: ctypes.addressof(events[index]))
        )

        def push(_, event):
            if not self.takes_changes:
                return False
            names = {info.id: name for name, info in self.params.items()}
            self.shown[names[event.contents.param_id]] = event.contents.value
            return True

        outputs = OutputEvents(None, dict(OutputEvents._fields_)["try_push"](push))
        return inputs, outputs, events

    def save(self):
        kept = bytearray()

        def write(_, data, size):
            kept.extend(ctypes.string_at(data, min(size, 100)))  # a host may take less than it is given
            return min(size, 100)

        stream = Stream(None, dict(Stream._fields_)["move"](write))
        assert self.extension("clap.state", State).contents.save(self._plugin, ctypes.byref(stream))
        return bytes(kept)

    def load(self, state):
        left = bytearray(state)

        def read(_, data, size):
            part = bytes(left[: min(size, 100)])
            ctypes.memmove(data, part, len(part))
            del left[: len(part)]
            return len(part)

        stream = Stream(None, dict(Stream._fields_)["move"](read))
        return self.extension("clap.state", State).contents.load(self._plugin, ctypes.byref(stream))

    def close(self):
        self._plugin.contents.destroy(self._plugin)
        self._entry.deinit()


def _buffers(sound):
    pairs = sound.shape[0] // 2
    rows = [(POINTER * 2)(sound[2 * pair].ctypes.data, sound[2 * pair + 1].ctypes.data) for pair in range(pairs)]
    made = (AudioBuffer * pairs)(
        *(AudioBuffer(ctypes.cast(row, ctypes.POINTER(POINTER)), None, 2, 0, 0) for row in rows)
    )
    return made, rows
