"""The README says what there is: the metrics as the code declares them, and links that lead somewhere."""

import re

from grafana.generate.__main__ import HERE
from grafana.generate.alerts import ALERTS
from grafana.generate.boards import BOARDS
from tests.grafana.linter import RULES
from tests.grafana.vocabulary import catalogue

PICTURE_BYTES_MAX = 300_000  # whoever reads the page waits for them

README = (HERE / "README.md").read_text("utf-8")


def test_the_table_of_metrics_is_what_the_code_declares() -> None:
    table = README.partition("| metric | kind | labels | meaning |\n|---|---|---|---|\n")[2].splitlines()
    assert table == catalogue()


def test_it_counts_and_names_what_there_is() -> None:
    assert f"{len(ALERTS)} alerts" in README
    assert f"{len(RULES)} rules" in README
    for board in BOARDS:
        assert f"| `{board.uid}` |" in README


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+?)\)", README):
        assert (HERE / target).exists(), target


def test_it_shows_a_picture_of_each_board_and_no_other() -> None:
    wanted = {f"pictures/{board.uid}.png" for board in BOARDS}
    assert {str(path.relative_to(HERE)) for path in (HERE / "pictures").iterdir()} == wanted
    assert set(re.findall(r"\]\((pictures/[^)]+)\)", README)) == wanted
    assert "(grafana/pictures/reconciled-overview.png)" in (HERE.parent / "README.md").read_text("utf-8")
    for name in wanted:
        picture = (HERE / name).read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < PICTURE_BYTES_MAX, name
