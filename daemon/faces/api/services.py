"""What the API speaks to: the desk's verbs and the views, built elsewhere."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from daemon.core.approval.principal import Principal
from daemon.desk.authority import Authority
from daemon.desk.desk import Desk
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.desk.pushing import Pushing
from daemon.desk.stopping import Switch
from daemon.faces.api.waiting import Waiting
from daemon.overview import Overview


@dataclass(frozen=True, slots=True)
class Services:
    desk: Desk
    authority: Authority
    governing: Governing
    keyring: Keyring
    switch: Switch
    pushing: Pushing
    overview: Overview
    waiting: Waiting


def _services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


def _who(request: Request) -> Principal:
    return cast(Principal, request.state.who)


Uses = Annotated[Services, Depends(_services)]
Who = Annotated[Principal, Depends(_who)]  # whom the door let in
