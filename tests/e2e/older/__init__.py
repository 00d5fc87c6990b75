"""Home Assistant Core 2026.2.3: the Supervisor comes in by a token over TCP, not by a socket."""
