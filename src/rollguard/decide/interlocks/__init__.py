"""Every interlock: one file each, a pure `(situation, verdict, now) -> Standing`, registered once in `registry`."""
