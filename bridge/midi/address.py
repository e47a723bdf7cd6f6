"""Addresses of MIDI controls: kind, channel and number, as maps write them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stream_sep.errors import ConfigError
from stream_sep.suggestions import did_you_mean

KINDS = {"cc": 127, "cc14": 31, "nrpn": 16383, "note": 127, "program": 127, "bend": 0}
"""Kind of control -> its greatest number; ``bend`` is one per channel and has no number."""


@dataclass(frozen=True)
class Address:
    """The address of a control: ``cc:1:7`` is controller 7 on channel 1, ``bend:3`` the pitch wheel of channel 3.

    Attributes:
        kind: one of `KINDS`.
        channel: 1 to 16, as printed on devices.
        number: of the controller, note, parameter or program; 0 for a pitch bend.
    """

    kind: str
    channel: int
    number: int = 0

    def __str__(self) -> str:
        return f"{self.kind}:{self.channel}" + ("" if self.kind == "bend" else f":{self.number}")

    @property
    def bits(self) -> int:
        """Resolution of its values, at best: 7 or 14 bits."""
        return 14 if self.kind in {"cc14", "nrpn", "bend"} else 7

    def moved(self, numbers: int, channels: int = 0) -> Address:
        """Return the address that many numbers and channels on.

        Args:
            numbers: how many controller or note numbers on.
            channels: how many MIDI channels on.

        Returns:
            The address, which may be out of range: see `check_address`.
        """
        return replace(self, number=self.number + numbers, channel=self.channel + channels)


def parse_address(text: str) -> Address:
    """Read an address.

    Raises:
        ConfigError: it is not a MIDI address.

    >>> parse_address("cc:1:48")
    Address(kind='cc', channel=1, number=48)
    >>> str(parse_address("bend:9"))
    'bend:9'
    """
    kind, *numbers = text.split(":")
    if kind not in KINDS:
        raise ConfigError(
            f"{text!r} does not begin with a kind of control, as 'cc:1:7' does; {did_you_mean(kind, KINDS)}"
        )
    if len(numbers) != (1 if kind == "bend" else 2) or not all(part.isdecimal() for part in numbers):
        raise ConfigError(f"{text!r} is not an address; write kind:channel:number as in 'cc:1:7', or 'bend:1'")
    return check_address(Address(kind, *map(int, numbers)))


def check_address(address: Address) -> Address:
    """Return the address.

    Raises:
        ConfigError: its channel or number is out of range.
    """
    if not 1 <= address.channel <= 16:
        raise ConfigError(f"'{address}' needs a channel between 1 and 16")
    if not 0 <= address.number <= KINDS[address.kind]:
        raise ConfigError(f"'{address}' needs a number between 0 and {KINDS[address.kind]}")
    return address
