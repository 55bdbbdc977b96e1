"""One suite of promises that the simulator and a real API server both keep."""
