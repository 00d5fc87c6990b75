"""The whole Supervisor in the test's own process, with its streams, its waits and its ends in real time; its neighbours
are doubles. Apart from the contract tier for the seconds that it takes.
"""
