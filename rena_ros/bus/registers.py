"""The register table of a Feetech STS servo (ST3032, STS3032, STS3215), as data.

Addresses, sizes, sign bits and factory values, from FEETECH's memory table of the STS series. Words are little-endian.
Registers below 40 are EEPROM and survive a power cycle, the others are RAM.
"""

from dataclasses import dataclass
from enum import IntFlag

TICKS_PER_TURN = 4096
RAM_START = 40
BAUDS = (1_000_000, 500_000, 250_000, 128_000, 115_200)  # by baud_code; the sources disagree about codes above 4
CURRENT_MA = 6.5  # one count of a current register
RETURN_DELAY_COUNT_S = 2e-6  # one count of the return_delay register
_STATUS_UNIT = "bits: 1 voltage, 2 encoder, 4 temperature, 8 current, 32 overload"


class Status(IntFlag):
    """Conditions that a servo reports in the status byte of every reply; it still carries out the request.

    With ``ENCODER`` set, the servo does not know its position. Use ``int(Status.OVERLOAD)`` with NumPy arrays.
    """

    VOLTAGE = 1
    ENCODER = 2
    TEMPERATURE = 4
    CURRENT = 8
    OVERLOAD = 32


def condition_names(status: int) -> tuple[str, ...]:
    """Return the conditions in a status byte by name: ``("voltage", "overload")``; other bits have no name."""
    return tuple(name.lower() for name, bit in Status.__members__.items() if status & bit)


@dataclass(frozen=True)
class Register:
    """One register.

    ``size`` in bytes; ``default``: the factory's value; ``sign_bit``: the bit that holds the sign, None when the value
    is unsigned; ``unit``: text, what one count means; ``highest``: values from 0 to this one may be written, with None
    every value that fits.
    """

    name: str
    address: int
    size: int
    default: int = 0
    sign_bit: int | None = None
    writable: bool = True
    unit: str = ""
    highest: int | None = None

    @property
    def eeprom(self) -> bool:
        """Whether the value survives a power cycle, provided that it was written while ``lock`` was 0."""
        return self.address < RAM_START


REGISTERS: dict[str, Register] = {
    register.name: register
    for register in (
        Register("firmware_major", 0, 1, 3, writable=False),
        Register("firmware_minor", 1, 1, 10, writable=False),
        Register("model", 3, 2, 521, writable=False),
        Register("id", 5, 1, 1, highest=253),
        Register("baud_code", 6, 1, 0, unit="0 = 1 M, 1 = 500 k, 2 = 250 k, 3 = 128 k, 4 = 115200 baud", highest=7),
        Register("return_delay", 7, 1, 250, unit="2 us", highest=254),
        Register("response_level", 8, 1, 1, unit="0 = replies to PING and READ only, 1 = to everything", highest=1),
        Register("min_angle", 9, 2, 0, unit="ticks", highest=4095),
        Register("max_angle", 11, 2, 4095, unit="ticks; with min_angle 0 = multi-turn", highest=4095),
        Register("max_temperature", 13, 1, 70, unit="C", highest=100),
        Register("max_voltage", 14, 1, 80, unit="0.1 V"),
        Register("min_voltage", 15, 1, 40, unit="0.1 V"),
        Register("max_torque", 16, 2, 1000, unit="0.1 %", highest=1000),
        Register("phase", 18, 1, 12, unit="bits of the servo's own wiring; of one model only"),
        Register("unloading_condition", 19, 1, 44, unit=_STATUS_UNIT),
        Register("led_alarm_condition", 20, 1, 47, unit=_STATUS_UNIT),
        Register("position_p", 21, 1, 32),
        Register("position_d", 22, 1, 32),
        Register("position_i", 23, 1, 0),
        Register("min_starting_force", 24, 2, 16, unit="0.1 %"),
        Register("dead_zone_cw", 26, 1, 1, unit="ticks"),
        Register("dead_zone_ccw", 27, 1, 1, unit="ticks"),
        Register("protection_current", 28, 2, 500, unit=f"{CURRENT_MA} mA"),
        Register("angular_resolution", 30, 1, 1, unit="more than 1: fewer ticks to a turn, for multi-turn"),
        Register("position_correction", 31, 2, 0, 11, unit="ticks"),
        Register("mode", 33, 1, 0, unit="0 position", highest=3),
        Register("protective_torque", 34, 1, 20, unit="%", highest=100),
        Register("protection_time", 35, 1, 200, unit="10 ms", highest=254),
        Register("overload_threshold", 36, 1, 80, unit="%"),
        Register("speed_p", 37, 1, 10),
        Register("overcurrent_time", 38, 1, 200, unit="10 ms"),
        Register("speed_i", 39, 1, 10),
        Register("torque_enable", 40, 1, unit="0 off, 1 on; 128 redefines the middle: Rena never writes it", highest=1),
        Register("acceleration", 41, 1, 0, unit="100 ticks/s2, 0 = as fast as it can"),
        Register("goal_position", 42, 2, 0, 15, unit="ticks"),
        Register("goal_time", 44, 2, 0, unit="ms, 0 = use goal_speed"),
        Register("goal_speed", 46, 2, 0, 15, unit="ticks/s, 0 = as fast as it can"),
        Register("torque_limit", 48, 2, 1000, unit="0.1 %"),
        Register("lock", 55, 1, 1, unit="0 = EEPROM writes persist, 1 = they are lost with the power"),
        Register("present_position", 56, 2, 0, 15, writable=False, unit="ticks"),
        Register("present_speed", 58, 2, 0, 15, writable=False, unit="ticks/s"),
        Register("present_load", 60, 2, 0, 10, writable=False, unit="0.1 %"),
        Register("present_voltage", 62, 1, 60, writable=False, unit="0.1 V"),
        Register("present_temperature", 63, 1, 30, writable=False, unit="C"),
        Register("status", 65, 1, 0, writable=False, unit=_STATUS_UNIT),
        Register("moving", 66, 1, 0, writable=False),
        Register("present_current", 69, 2, 0, 15, writable=False, unit=f"{CURRENT_MA} mA"),
    )
}
