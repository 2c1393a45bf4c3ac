"""The verdict: does what was overheard stay opaque? apps/lib/verdict/README.md says what each check can show."""
from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(slots=True)
class OctetSums:
    """Where the octets of what was decoded went."""
    heard: int
    parsed: int
    padding: int
    cut: int
    waiting: int
    unexplained: int


@dataclass(slots=True)
class Figure:
    """How much was heard, and the bound that it must keep."""
    name: str
    value: float
    bound: float
    at_least: bool  #: else at most
    holds: bool
    part: int
    whole: int


@dataclass(slots=True)
class Finding:
    """One thing that an eavesdropper can tell; or a remark or a doubt."""
    aspect: str  #: content, identity, compromise or presence; empty for a doubt
    check: str
    reason: str
    frames: list[int]  #: numbers of the first few events that show it, counted from 0 without gaps and statistics


@dataclass(slots=True)
class Transmitter:
    """The verdict on one transmitter."""
    who: str
    outcome: str
    reason: str
    octets: OctetSums
    exempt: bool


@dataclass(slots=True)
class Verdict:
    """The verdict with its evidence."""
    outcome: str  #: opaque, exposed or nothing proven
    exit_status: int  #: that of prose-sniffer --verdict: 0 opaque, 3 exposed, 4 nothing proven
    reason: str
    findings: list[Finding]  #: exposed if there are any
    remarks: list[Finding]
    doubts: list[Finding]  #: nothing is proven if there are any
    figures: list[Figure]
    transmitters: list[Transmitter]
    octets: OctetSums
    exempt_octets: int
    trials: int  #: of stolen keys
    text: str  #: a few lines for a terminal
    json: str = field(repr=False)  #: everything, as prose-sniffer --report writes it

    def report(self) -> dict[str, Any]:
        """Everything, as a dict."""
        whole: Optional[dict[str, Any]] = json.loads(self.json)
        assert whole is not None
        return whole
