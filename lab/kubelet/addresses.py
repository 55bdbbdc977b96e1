"""Addresses of pods: 10.244.x.y in the API, 127.244.x.y on this machine.

The API refuses loopback addresses in Endpoints; Linux answers on all of 127.0.0.0/8 without configuration.
"""

from __future__ import annotations

import socket

_NODES_MAX = 4
_BLOCK = 256 // _NODES_MAX
_LOCK_PORT = 61_999  # above the ephemeral range, never listened on


def loopback(pod_ip: str) -> str:
    """Where the app of the pod with this IP really listens."""
    if not pod_ip.startswith("10."):
        raise ValueError(f"not an address of the lab: {pod_ip}")
    return "127." + pod_ip.removeprefix("10.")


class Addresses:
    """Gives out addresses of one node's block in turn, so that one is not used again soon.

    Each is locked by a bound socket: two labs on one machine never share an address.
    """

    def __init__(self, node_index: int, start: int = 0) -> None:
        if not 0 <= node_index < _NODES_MAX:
            raise ValueError(f"node index {node_index}: the lab has at most {_NODES_MAX} nodes")
        self._first = node_index * _BLOCK
        self._next = start % (_BLOCK * 254)
        self._locks: dict[str, socket.socket] = {}

    def take(self, wanted: str = "") -> str:
        """A free pod IP: the wanted one, if it is free. Raises RuntimeError when the node's block is full."""
        if wanted and self._lock(wanted):
            return wanted
        for _ in range(_BLOCK * 254):
            x, y = divmod(self._next, 254)
            self._next = (self._next + 1) % (_BLOCK * 254)
            pod_ip = f"10.244.{self._first + x}.{y + 1}"
            if self._lock(pod_ip):
                return pod_ip
        raise RuntimeError("no pod address left on this node")

    def _lock(self, pod_ip: str) -> bool:
        lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            lock.bind((loopback(pod_ip), _LOCK_PORT))
        except OSError:
            lock.close()
            return False
        self._locks[pod_ip] = lock
        return True

    def release(self, pod_ip: str) -> None:
        lock = self._locks.pop(pod_ip, None)
        if lock is not None:
            lock.close()
