"""`reconciled.toml` is taken as a whole or refused as a whole, with every problem at once."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.registry import KeyRefused
from daemon.settings import Configuration, Settings, Unusable, load

# The example of the public contract, word for word where it is not cut.
WHOLE = (Path(__file__).parent / "whole.toml").read_text()

SMALL = """
[[accounts]]
id = "acme-eu"
stripe_account = "acct_1Abc"
livemode = true
read_key = { env = "ACME_EU_READ" }
"""


TEST_PLATFORM = """
[[platforms]]
id = "acme"
stripe_account = "acct_2"
livemode = false
read_key = { env = "X" }
"""


def read(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "reconciled.toml"
    path.write_text(text)
    return load(path)


def refused(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(Unusable) as caught:
        read(tmp_path, text)
    return [str(problem) for problem in caught.value.problems]


def test_the_whole_contract_is_understood(tmp_path: Path) -> None:
    found = read(tmp_path, WHOLE)
    account = found.accounts[0]
    assert (account.id, account.crm, account.entitlements, account.mode) == (
        "acme-eu",
        "hubspot",
        "app",
        "observe",
    )
    assert account.poll == timedelta(seconds=60)
    assert len(account.webhook_secrets) == 2
    assert found.plans.from_ == "lookup_key"
    assert found.gate.actions["issue_refund"].fields["charge"] == "charge_id"
    assert found.policies == {"default": tmp_path / "policy.toml"}


def test_an_account_inherits_defaults_and_may_override_them(tmp_path: Path) -> None:
    text = '[daemon]\nstripe_api = "http://127.0.0.1:9"\n[defaults]\npoll = "5m"\nsettle = "0s"\n' + SMALL
    account = read(tmp_path, text + 'sweep = "1h"\n').accounts[0]
    assert (account.poll, account.settle) == (timedelta(minutes=5), timedelta(0))
    assert (account.sweep, account.records) == (timedelta(hours=1), timedelta(minutes=15))
    assert account.stripe_api == "http://127.0.0.1:9"


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    problems = refused(
        tmp_path,
        """
        [daemon]
        listn = "127.0.0.1:1"
        timezone = "Europe/Atlantis"
        [defaults]
        poll = "0s"
        [[accounts]]
        id = "Acme EU"
        stripe_account = "cus_1"
        livemode = "yes"
        read_key = "rk_live_literal0000"
        crm = "hubsopt"
        pol = "60s"
        [crm.hubspot]
        type = "csv"
        pth = "x.csv"
        [notfiy]
        """,
    )
    text = "\n".join(problems)
    assert "daemon.listn: this key is unknown; did you mean “listen”?" in problems
    assert "notfiy: this key is unknown; did you mean “notify”?" in problems
    assert "accounts.Acme EU.pol: this key is unknown; did you mean “poll”?" in problems
    assert "accounts.Acme EU.crm: “hubsopt” is not in [crm]; did you mean “hubspot”?" in problems
    assert "crm.hubspot.pth: this key is unknown; did you mean “path”?" in problems
    for where in (
        "daemon.timezone",
        "accounts.Acme EU.stripe_account",
        "accounts.Acme EU.livemode",
        "accounts.Acme EU.id",
    ):
        assert f"{where}: " in text
    assert text.count("defaults.poll: ") == 1
    assert "accounts.Acme EU.poll" not in text, "a bad default is reported where it stands"
    assert "rk_live_literal0000" not in text


@pytest.mark.parametrize(
    "literal", ["sk_live_4242424242424242", "pk_live_4242424242424242", "rk_live_4242424242424242"]
)
def test_a_key_written_into_the_file_is_refused_without_repeating_it(tmp_path: Path, literal: str) -> None:
    [problem] = refused(tmp_path, SMALL.replace('{ env = "ACME_EU_READ" }', f'"{literal}"'))
    assert problem.startswith("accounts.acme-eu.read_key: a secret is never written into this file")
    assert "4242" not in problem


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("sk_live_4242424242424242", "secret key (sk_)"),
        ("pk_live_4242424242424242", "publishable key (pk_)"),
        ("rk_test_4242424242424242", "it is a test key"),
        ("whsec_4242424242424242", "not a restricted Stripe key"),
        ("rkcs_test_424242424242", "not a restricted Stripe key"),
    ],
)
def test_a_key_that_is_not_a_restricted_key_of_this_mode_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, reason: str
) -> None:
    monkeypatch.setenv("ACME_EU_READ", key)
    found = read(tmp_path, SMALL)
    with pytest.raises(KeyRefused, match=reason.replace("(", r"\(").replace(")", r"\)")) as caught:
        found.registry().key(found.accounts[0])
    assert "4242" not in str(caught.value)


def test_the_read_key_and_the_act_key_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_EU_READ", "rk_live_read0000")
    (tmp_path / "act").write_text("rk_live_act00000\n")
    found = read(tmp_path, SMALL + 'act_key = { file = "act" }\n')
    keys = [found.registry().key(found.accounts[0], role) for role in ("read_key", "act_key")]
    assert [key.secret.reveal() for key in keys if key] == ["rk_live_read0000", "rk_live_act00000"]


def test_a_platforms_key_opens_its_accounts_on_their_behalf(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM_READ", "rk_live_platform")
    found = read(
        tmp_path,
        """
        [[accounts]]
        id = "shop"
        stripe_account = "acct_1Shop"
        livemode = true
        platform = "acme"
        [[platforms]]
        id = "acme"
        stripe_account = "acct_1Plat"
        livemode = true
        read_key = { env = "PLATFORM_READ" }
        """,
    )
    key = found.registry().key(found.accounts[0])
    assert key is not None
    assert (key.owner, key.on_behalf_of) == ("acct_1Plat", "acct_1Shop")


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ('platform = "acme"\n', "accounts.acme-eu"),
        (f'platform = "acme"\n{TEST_PLATFORM}', ".livemode"),
        ('policy = "strict"\n', "accounts.acme-eu.policy"),
        (SMALL, "accounts.acme-eu.id: “acme-eu” is taken"),
        ('stripe_api = "http://stripe.example.com"\n', "accounts.acme-eu.stripe_api: plain http"),
        ('stripe_api = "https://user:pass@api.example.com"\n', "accounts.acme-eu.stripe_api"),
        ("read_share = 1.5\n", "accounts.acme-eu.read_share"),
        ('[plans]\npattern = "(unclosed"\n', "plans.pattern: this is not a regular expression"),
        ('[plans]\npattern = "^(.+)_month$"\n', "plans.pattern: the expression has a group named plan"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path: Path, more: str, where: str) -> None:
    assert any(where in problem for problem in refused(tmp_path, SMALL + more))


def test_a_password_in_the_databases_address_is_never_shown(tmp_path: Path) -> None:
    found = read(tmp_path, '[daemon]\ndatabase = "postgresql://me:hunter22@db/reconciled"\n')
    assert "hunter22" not in repr(found)
    assert found.daemon.database.reveal() == "postgresql://me:hunter22@db/reconciled"


def test_a_relative_database_stands_beside_the_configuration(tmp_path: Path) -> None:
    assert read(tmp_path, "").daemon.database.reveal() == f"sqlite:///{tmp_path}/reconciled.db"


@pytest.mark.parametrize(
    "content", [b"\xff\xfe[daemon]", b"[daemon", b"a = 99999999999999999999999999999e999999", b"[" * 5000]
)
def test_a_file_that_is_no_configuration_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "reconciled.toml"
    path.write_bytes(content)
    with pytest.raises(Unusable) as caught:
        load(path)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_path_that_cannot_be_read_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unusable) as caught:
        load(tmp_path / name)
    assert len(caught.value.problems) == 1


def test_a_reload_takes_the_new_file_whole_or_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLD", "rk_live_old00000")
    monkeypatch.setenv("NEW", "rk_live_new00000")
    path = tmp_path / "reconciled.toml"
    path.write_text(SMALL.replace("ACME_EU_READ", "OLD"))
    configuration = Configuration(path)

    path.write_text(SMALL.replace("ACME_EU_READ", "NEW") + "oops = 1\n")
    assert [problem.where for problem in configuration.reload()] == ["accounts.acme-eu.oops"]
    assert key_in_force(configuration) == "rk_live_old00000"

    path.write_text(SMALL.replace("ACME_EU_READ", "NEW"))
    assert configuration.reload() == ()
    assert key_in_force(configuration) == "rk_live_new00000"


def key_in_force(configuration: Configuration) -> str:
    key = configuration.registry.key(configuration.registry.accounts["acme-eu"])
    assert key is not None
    return key.secret.reveal()


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates()
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = st.sampled_from([*Settings.model_fields, "acounts", ""])
FIELDS = st.sampled_from(
    ["id", "read_key", "poll", "type", "url", "fields", "head", "oidc", "default", "database", "x"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.dictionaries(
        SECTIONS, TREES | st.lists(st.dictionaries(FIELDS, TREES)) | st.dictionaries(FIELDS, TREES)
    )
)
def test_whatever_stands_in_the_file_is_taken_or_refused_in_sentences(
    monkeypatch: pytest.MonkeyPatch, raw: dict[str, object]
) -> None:
    monkeypatch.setattr("daemon.settings._parsed", lambda path: raw)
    try:
        assert isinstance(load(Path("reconciled.toml")), Settings)
    except Unusable as error:
        assert error.problems
        assert all(problem.sentence and "pydantic" not in problem.sentence for problem in error.problems)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=400), st.integers(0, len(WHOLE)))
def test_bytes_thrown_at_a_good_file_never_raise_anything_else(tmp_path: Path, noise: bytes, at: int) -> None:
    path = tmp_path / "reconciled.toml"
    path.write_bytes(WHOLE.encode()[:at] + noise + WHOLE.encode()[at:])
    try:
        load(path)
    except Unusable as error:
        assert error.problems
