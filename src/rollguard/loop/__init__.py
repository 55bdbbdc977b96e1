"""Runs the loop: ticks, workers, the executor of plans, the outbox, leadership. Ports in, no adapters."""

from rollguard.loop.guard import Guard
from rollguard.loop.intake import Came, Intake
from rollguard.loop.settings import Log, Settings
from rollguard.loop.status import Status, UnitStatus
from rollguard.loop.told import ChannelStatus

__all__ = ["Came", "ChannelStatus", "Guard", "Intake", "Log", "Settings", "Status", "UnitStatus"]
