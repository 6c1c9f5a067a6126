"""The lab: rehearses the attack before it comes.

People, crowds and attackers ask a service, in two worlds that tell them the same: a live
one over HTTP, and a virtual one under a clock of its own, which runs the same core. A judge
counts what those got whom the service is for.
"""
