"""Every trap has a test that names it, and where the store takes part, one that runs on both databases.

A test names a trap in the first words of its docstring (“Trap A1: …”, “Traps B3 and B4: …”), or of its own name
(`test_a1_…`). A test of many at once may say “Traps T16–T24”; then each of them has one of its own as well.
"""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
NAMED = re.compile(r"Traps? ([A-Z]\d+(?:(?:, | and |, trap )[A-Z]\d+)*)\b(?!–)")
FIRST_WORD = re.compile(r"test_([a-z]\d+)_")

STORED = {
    "A1": "one event is delivered twice at once: one effect, and both get a 2xx",
    "A2": "events of one moment come in any order, and an old one again: what is there counts",
    "A3": "an update comes after the deletion: it stays deleted",
    "A4": "an event becomes visible below the cursor: it is taken in",
    "A5": "a poll is cut inside a second of many events: none is lost, none counts twice",
    "A6": "after days nothing is missing; after a month the gap is said and everything is read",
    "A7": "the process dies before the commit: no 2xx; after it: the effect comes with the restart",
    "A8": "events of unknown types, about nothing, or of the newer kind are kept, counted and answered",
    "A9": "what is deleted before it is read leaves a tombstone and is not asked for again",
    "A10": "while a secret is rolled any right signature will do; none is right: 400, and no look inside",
    "A12": "an event of another mode or of an unknown account is kept as foreign and applied to nobody",
    "A13": "what one account is told never concerns another",
    "A14": "one id in two accounts is two objects",
    "A16": "a feature that is taken away is noticed, and long lists of features are read whole",
    "A18": "a burst is answered in time, and whole, though its objects overlap",
    "A19": "what fails every time is set aside, the others go on, and it can be replayed",
    "A20": "what a dead worker held is taken up by another",
    "A21": "what no event told of is found by the next sweep",
    "B1": "what was canceled while nobody looked is found canceled",
    "B2": "a sweep that is killed at any page goes on from there",
    "B3": "an empty answer to a cursor inside a second is not taken for the end",
    "B4": "ten thousand objects of one second are read whole, in a bounded number of requests",
    "B5": "the object under the cursor is deleted, and the sweep goes on",
    "B6": "what appears or changes while the first pass runs is not missed",
    "B7": "an object with more parts than it shows is known with all of them",
    "B8": "of a pass that failed in parts, exactly these are read again",
    "B9": "a restart neither begins a sweep anew nor asks for anything",
    "B10": "a page never overwrites what an event brought later",
    "B11": "ten times as many objects take no more memory",
    "B12": "objects without a time of creation are read, too",
    "D1": "what may still settle stands nowhere",
    "D2": "one thing answers to one other; what is ambiguous is said and not matched at random",
    "D4": "too much, too little and nothing at all are all reported",
    "D5": "of two subscriptions or customers of one person none is picked",
    "D6": "half a list, or an empty one, is no flood of cases",
    "D7": "seen a hundred times it is one case; it resolves by itself and comes back as the same",
    "D8": "nobody who is past due loses access before the grace is over",
    "D9": "a second pass over an unchanged world writes nothing",
    "D10": "a policy that changes during a pass is in force for everything at its end",
    "D14": "partial captures, conversions and money for others disagree with nothing",
    "E1": "the answer is lost after Stripe did it: it is done once, whoever tries again",
    "E2": "the same, and it is recovered when Stripe has forgotten the key",
    "E3": "two equal refunds that were both meant are both made",
    "E4": "a stored 500 is unknown, and no new key is made without a person",
    "E5": "a key that is in use is waited for, and one that was used for something else is surfaced",
    "E6": "what changed since the approval sends it back with the difference",
    "E7": "whoever asked for it or edited it does not approve it, whichever way they come",
    "E8": "what cannot be written in the journal is not decided and not done",
    "E9": "two click at once, an executor dies anywhere: one effect",
    "E10": "evidence is staged any number of times and submitted once, in time",
    "E11": "evidence that Stripe would not take whole does not spend the one submission",
    "E12": "a deadline that moves is watched anew, and of what is over nobody is reminded",
    "E13": "an unknown deadline is the most urgent one",
    "E14": "many are approved at once: each for itself",
    "E15": "more than can be given back, or the wrong unit, is refused",
    "E16": "of two executors one acts",
    "T01": "two approve at once where one is needed",
    "T02": "three approve at once where two are needed",
    "T03": "one person by two tokens is one person",
    "T04": "one approves and one rejects at once",
    "T05": "the same decision twice is one decision",
    "T06": "a version is approved while another takes its place",
    "T07": "the world has changed since the reviewer looked",
    "T08": "whoever asked, or made the agent that asked, or edited, does not approve",
    "T09": "an approver loses the right between vote and claim",
    "T10": "the policy is tightened between two votes",
    "T11": "it is approved and expires at the same instant",
    "T12": "it is approved and becomes moot at the same instant",
    "T13": "it is approved and withdrawn, or revoked, at the same instant",
    "T14": "a case that moves to another subject takes its proposals along",
    "T15": "one of a batch is stale: the others are done, and the same batch again changes nothing",
    "T16": "a crash after the approval: done once after the restart",
    "T17": "a crash after the claim: the same key, done once",
    "T18": "a crash after the call: what it did is found",
    "T19": "a timeout, and it had been done",
    "T20": "a stored 500, and a person has it done anew",
    "T21": "a day of downtime: nothing is sent again blindly",
    "T22": "two executors: the fence is looked at before anything is sent",
    "T23": "somebody refunds it between our look and our call",
    "T24": "what is left is less than what was approved: nothing is cut down silently",
    "T25": "it is disputed between approval and execution",
    "T26": "evidence was submitted by hand in the meantime",
    "T27": "the key is another account's, or of the other mode",
    "T28": "the key has lost the permission to write",
    "T29": "asked to wait for longer than the approval holds: it expires",
    "T30": "a refund that was pending fails: a person hears of it",
    "T31": "two workers of a caller hear of one approval: one key",
    "T32": "a caller does something else than was approved, or nothing",
    "T33": "after the switch is flipped nothing is claimed",
    "T34": "one event by webhook and by poll is one row and one case",
    "T35": "a payment is told before its failure: nothing has failed",
    "T36": "two see the same disagreement at once: one case, opened once",
    "T37": "an event that is older than the resolution brings nothing back",
    "T38": "a newer one brings it back once",
    "T39": "what vanishes by an outage is not resolved",
    "T41": "a snooze does not outlast a dispute's deadline",
    "T42": "the name of an account is no part of a case, and what is stored under it stays that account's",
    "T43": "a receiver fails three times and then answers: one message",
    "T44": "a slow receiver delays no decision",
    "T45": "what came later can be told from what came earlier",
    "T46": "while a secret is rotated both sign",
    "T47": "an address that leads inside is not called, at whichever try",
    "T52": "what was signed too long ago is refused",
    "T53": "an entry of the journal that was edited, deleted or moved is named",
}
ALONE = {
    "A11": "an account without a secret, or with an empty one, refuses everything",
    "A15": "an account on an old API version is read in today's shape",
    "A17": "bodies and clocks that are out of bounds get a clear verdict, and little memory",
    "D3": "amounts are whole minor units from end to end, in every currency",
    "D11": "the state of a dispute decides, and one that we do not know goes to a person",
    "D12": "a refund that fails days after it succeeded brings the case back",
    "D13": "a dispute that was prevented, won or closed is not lost",
}


@cache
def named() -> dict[str, set[str]]:
    """The tests that name each trap, as `file::name`."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(TESTS.rglob("test_*.py")):
        for test in _tests(ast.parse(path.read_text())):
            told, first = NAMED.match(ast.get_docstring(test) or ""), FIRST_WORD.match(test.name)
            traps = re.findall(r"[A-Z]\d+", told.group(1)) if told else []
            for trap in [*traps, *([first.group(1).upper()] if first else [])]:
                found[trap].add(f"{path.relative_to(TESTS.parent)}::{test.name}")
    return found


def _tests(module: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node


@pytest.mark.parametrize("trap", [*STORED, *ALONE])
def test_every_trap_is_named_by_a_test(trap: str) -> None:
    assert named()[trap], f"no test names trap {trap}: {(STORED | ALONE)[trap]}"


def test_where_the_store_takes_part_a_trap_is_tried_on_both_databases() -> None:
    tests = named()
    files = sorted({one.partition("::")[0] for trap in STORED for one in tests[trap]})
    collecting = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "-q", *files]
    collected = subprocess.run(collecting, cwd=TESTS.parent, capture_output=True, text=True, check=True)
    both = {
        line.partition("[")[0]
        for line in collected.stdout.splitlines()
        if re.search(r"\[(.*-)?postgresql\b", line)
    }
    assert [f"{trap}: {told}" for trap, told in STORED.items() if not tests[trap] & both] == []
