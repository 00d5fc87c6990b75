"""The Supervisor's clients in other versions than the tests' own, each in an environment of its own."""
