"""The four dashboards, from the question of three in the morning to the machine room."""

from typing import Final

from grafana.generate.board import Board
from grafana.generate.boards.accounts import ACCOUNTS
from grafana.generate.boards.cases import CASES
from grafana.generate.boards.internals import INTERNALS
from grafana.generate.boards.overview import OVERVIEW

BOARDS: Final[tuple[Board, ...]] = (OVERVIEW, ACCOUNTS, CASES, INTERNALS)
