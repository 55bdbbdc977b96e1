"""The ports in memory under a virtual clock, with seeded faults. Never imports what it tests."""
