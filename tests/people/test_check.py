"""`check` says what is missing before somebody can decide, and which policy is not the one in force."""

from pathlib import Path

from daemon import cli
from daemon.check.installation import check_installation
from daemon.settings import load


def warnings(config: Path) -> str:
    return "\n".join(
        f"{each.where}: {each.sentence}"
        for each in check_installation(load(config))
        if each.level == "warning"
    )


def test_an_installation_without_an_admin_and_a_policy_that_waits_are_named(tmp_path: Path) -> None:
    config = tmp_path / "reconciled.toml"
    assert cli.run(["--config", str(config), "init"]) == 0
    assert cli.run(["--config", str(config), "db", "upgrade"]) == 0
    assert "users: There is no admin yet" in warnings(config)
    assert cli.run(["--config", str(config), "users", "add", "ann", "--role", "admin"]) == 0
    assert "users:" not in warnings(config)
    policy = tmp_path / "policy.toml"
    assert cli.run(["--config", str(config), "policy", "activate", str(policy)]) == 0
    assert "policies." not in warnings(config)
    policy.write_text(policy.read_text() + "# changed\n")
    assert "is not what is in force" in warnings(config)
    assert cli.run(["--config", str(config), "users", "disable", "ann"]) == 0
    assert "users: There is no admin yet" in warnings(config)
