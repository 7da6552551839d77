"""Each action on its whole way: asked for by an agent, approved by a person, done once, and seen to be done."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from accounts.facts import Address, Entitlement, Subject
from accounts.sandbox import objects
from accounts.sandbox.business.opening import key_of
from accounts.sandbox.server import Sandbox
from accounts.stripe.reads import Reader
from accounts.stripe.resources import act_permissions
from daemon.act import Executor, Grounds
from daemon.act.grounds import Acts
from daemon.actions import BY_NAME
from daemon.actions.shape import Place
from daemon.core.canonical import Json
from daemon.core.drafts.evidence import LONG_TEXTS
from daemon.desk.refusals import Refusal
from daemon.desk.request import Request, Staged
from daemon.store import records
from daemon.store.db import Store
from daemon.wiring.hands import hands_of
from tests.actions.examples import EXAMPLES
from tests.actions.postbox import Postbox, postbox
from tests.actions.rig import FINANCE, SENDER, Rig, furnish
from tests.actions.test_contract import EXECUTED, ON_STRIPE
from tests.desk.rig import Rig as Desk
from tests.sandbox.shop import Shop, stock
from tests.store.conftest import empty_url, postgres_template, server, sqlite_template, store, url

__all__ = ["empty_url", "postgres_template", "server", "sqlite_template", "store", "url"]

POLICY = "".join(f'[[approve]]\naction = "{name}"\napprovers = 1\n' for name in BY_NAME)
on_one_database = pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # the way itself is tried on both
MAIL = '[notify.email]\nsmtp = "{url}"\nto = ["{to}"]\nsender = "{sender}"\n'


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Its clock stands still."""
    with Sandbox.start(accounts=1, customers=0, real=lambda: 0.0) as running:
        yield running


@pytest.fixture(scope="module")
def box() -> Iterator[Postbox]:
    with postbox() as one:
        yield one


class Office:
    """A desk, an executor, and a shop in which it shows what they do."""

    def __init__(self, desk: Desk, box: Postbox) -> None:
        self.desk = desk
        account = next(each for each in desk.sandbox.world.accounts.values() if each.slug == desk.slug)
        self.shop = Shop(desk.sandbox, account, key_of(account, "act"))
        desk.sandbox.on_loop(lambda: stock(desk.sandbox.world, account))
        acting = account.keys[key_of(account, "act")]
        desk.sandbox.on_loop(lambda: setattr(acting, "permissions", frozenset(act_permissions())))
        place = Place(desk.slug, account.id, True, Subject(desk.slug, "customer", "cus_1"))
        nobody = cast(Any, None)  # the world is only looked at through it
        self.rig = Rig(self.shop, place, nobody, nobody, nobody, nobody, box, nobody)
        furnish(self.rig)
        self.agent, self.ana = desk.agent("shop"), desk.person("ana")
        desk.person("ben")  # so that nobody works alone

    def stage(self, name: str, **changes: Json) -> Staged:
        details = EXAMPLES[name].details(self.rig.record_key)
        more = {"customer": "cus_1"} if name == "message" else {}
        asked = Request(account=self.desk.slug, action=name, details={**details, **more, **changes})
        return self.desk.desk.stage(self.agent, asked, None)

    def act(self) -> None:
        """As a daemon would that has just started."""
        slug, works = self.desk.slug, self.desk.works
        acts = Acts(self.shop.account.id, True, "act", has_key=True)
        hands = hands_of(self.desk.settings, works, self.desk.now)
        Executor(
            self.desk.store,
            Grounds({slug: acts}, self.desk.desk.holds),
            self.desk.desk.ground.seal,
            lambda account, writing: hands(account, writing),
            works.systems.acting.doubt,
            self.desk.wakes,
            self.desk.now,
        ).act(slug)

    def done(self, staged: Staged) -> None:
        """Approved, and the executor came by."""
        self.desk.approve(self.ana, staged)
        self.desk.later(seconds=11)
        self.act()

    def submissions(self) -> int:
        return int(self.shop.look("dispute", "dp_1")["evidence_details"]["submission_count"])


@pytest.fixture
def office(sandbox: Sandbox, store: Store, tmp_path: Path, box: Postbox) -> Iterator[Office]:
    box.empty()
    mail = MAIL.format(url=box.url, to=FINANCE[0], sender=SENDER)
    with Desk(sandbox, store, tmp_path / "etc", policy=POLICY, more=mail) as desk:
        yield Office(desk, box)


@pytest.mark.parametrize("name", EXECUTED)
def test_what_is_asked_for_and_approved_is_done_once(name: str, office: Office) -> None:
    staged = office.stage(name)
    assert EXAMPLES[name].says in office.desk.row(staged).effect or name == "acknowledge"
    office.desk.approve(office.ana, staged)
    office.act()
    assert office.desk.state(staged) == "approved", "it can still be undone"
    office.desk.later(seconds=11)
    for _ in range(2):
        office.act()
        assert office.desk.state(staged) == "succeeded"
        assert EXAMPLES[name].done(office.rig)
    assert [kind for kind in office.desk.kinds() if kind.startswith("attempt")], "it is in the journal"


@on_one_database
@pytest.mark.parametrize("name", ON_STRIPE)
def test_an_answer_that_was_lost_on_the_way_changes_nothing_of_it(name: str, office: Office) -> None:
    staged = office.stage(name)
    office.desk.approve(office.ana, staged)
    office.desk.later(seconds=11)
    office.rig.fault("answers_lost")
    for _ in range(3):
        office.act()
        office.desk.later(minutes=2)
    assert office.desk.state(staged) == "succeeded"
    assert EXAMPLES[name].done(office.rig)


@on_one_database
@pytest.mark.parametrize("name", [name for name in EXECUTED if EXAMPLES[name].changes])
def test_what_changed_since_the_reviewer_looked_is_not_done(name: str, office: Office) -> None:
    staged = office.stage(name)
    office.desk.approve(office.ana, staged)
    next(iter(EXAMPLES[name].changes.values()))(office.rig)
    before = office.rig.writes()
    office.desk.later(seconds=11)
    office.act()
    assert office.desk.state(staged) != "succeeded"
    assert office.rig.writes() == before
    assert office.rig.box.messages == []
    assert office.rig.tasks() == []


def test_evidence_is_staged_any_number_of_times_and_submitted_once(office: Office) -> None:
    """Trap E10: drafts by approval, one submission, a second one refused, and one that is late refused with why."""
    for draft in ("A chair", "A red chair"):
        staged = office.stage("dispute_evidence", evidence={"product_description": draft}, submit=False)
        office.done(staged)
        assert (office.desk.state(staged), office.submissions()) == ("succeeded", 0)
    both = [office.stage("dispute_evidence"), office.stage("dispute_evidence", evidence={})]
    office.desk.approve(office.ana, both[0])
    office.done(both[1])
    office.act()
    assert sorted(map(office.desk.state, both)) == ["stale", "succeeded"]
    assert office.submissions() == 1
    with pytest.raises(Refusal, match="submitted already, and Stripe takes it once"):
        office.stage("dispute_evidence", evidence={"product_description": "Another chair"})


def test_evidence_after_its_time_is_refused_with_the_reason(office: Office) -> None:
    """Trap E10: past its deadline, when it is asked for and when it is approved."""
    staged = office.stage("dispute_evidence")
    office.desk.later(days=6, hours=23)
    early = office.stage("dispute_evidence", evidence={})
    office.desk.later(hours=2)
    with pytest.raises(Refusal, match="is over"):
        office.stage("dispute_evidence", submit=False)
    for each in (staged, early):
        with pytest.raises(Refusal) as refused:
            office.desk.approve(office.ana, each)
        assert refused.value.code in {"expired", "moot"}
    office.act()
    assert office.submissions() == 0


def test_evidence_that_stripe_would_not_take_whole_never_spends_the_submission(office: Office) -> None:
    """Trap E11: too much text, and files that are too large together."""
    for number in (2, 3):
        office.shop.put(
            objects.file(
                f"file_{number}", created=office.shop.now(), purpose="dispute_evidence", size=2_500_000,
                filename="a.pdf", type="pdf",
            )
        )  # fmt: skip
    much: dict[str, Json] = dict.fromkeys(sorted(LONG_TEXTS), "x" * 20_000)
    large: list[Json] = [{"field": "receipt", "file": "file_2"}, {"field": "refund_policy", "file": "file_3"}]
    for changes, why in (({"evidence": much}, "150,000"), ({"files": large}, "4,500,000")):
        with pytest.raises(Refusal, match=why) as refused:
            office.stage("dispute_evidence", **changes)
        assert refused.value.code == "bad_details"
    assert office.submissions() == 0
    assert office.rig.writes() == {}


def test_evidence_that_somebody_submitted_in_the_dashboard_blocks_ours(office: Office) -> None:
    """Trap T26: the submission count goes from 0 to 1 between the approval and the call."""
    staged = office.stage("dispute_evidence")
    office.desk.approve(office.ana, staged)
    office.shop.client().v1.disputes.update(
        "dp_1", {"evidence": {"uncategorized_text": "By hand"}, "submit": True}
    )
    office.desk.later(seconds=11)
    office.act()
    assert (office.desk.state(staged), office.desk.state(staged, 2)) == ("stale", "pending")
    with pytest.raises(Refusal, match="submitted already"):
        office.desk.desk.approve(office.ana, staged.case_id, 2, str(office.desk.row(staged, 2).state_hash))
    office.act()
    assert office.submissions() == 1
    assert office.shop.look("dispute", "dp_1")["evidence"]["product_description"] is None


@on_one_database
def test_a_payout_is_never_ours_to_make(office: Office) -> None:
    with pytest.raises(Refusal, match="never done by us"):
        office.stage("payout_cancel")


@on_one_database
def test_the_keys_that_sweeps_have_seen_spare_reading_the_whole_product(office: Office) -> None:
    known = Entitlement(office.rig.entitlement_key, stripe_customer="cus_1", feature="app", status="active")
    elsewhere = replace(known, key="of another product")
    now = office.desk.now()
    with office.desk.store.transaction() as session:
        for source, entitlement in (("app", known), ("web", elsewhere)):
            records.write_entitlements(session, source, [entitlement], seen=1, observed_at=now)
    hands = hands_of(office.desk.settings, office.desk.works, office.desk.now)(office.desk.slug)
    assert hands.given is not None
    assert [each.key for each in hands.given("cus_1")] == [known.key]
    assert hands.writer is None, "who only looks has nothing to write with"


@on_one_database
def test_what_is_gone_between_the_look_and_the_call_ends_in_a_sentence(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can make the pretend customer go in that instant, so the second look for them is told so."""
    staged = office.stage("message")
    office.desk.approve(office.ana, staged)
    office.desk.later(seconds=11)
    look = Reader.with_personal
    asked: list[str] = []

    def gone_at_the_second_look(self: Reader, address: Address, *args: Any, **named: Any) -> Any:
        asked.append(address.id)
        return look(self, address, *args, **named) if len(asked) == 1 else (None, {})

    monkeypatch.setattr(Reader, "with_personal", gone_at_the_second_look)
    office.act()
    assert office.desk.state(staged) == "failed"
    assert office.rig.box.messages == []
