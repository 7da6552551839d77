"""Puts the API together: its routes, its refusals, and the door before it."""

from importlib import metadata

from fastapi import FastAPI

from daemon.asgi import App
from daemon.faces.api import approvals, cases, installation, refusals
from daemon.faces.api.description import describe
from daemon.faces.api.services import Services
from daemon.faces.door import Door
from daemon.faces.rates import Rates

OPEN = frozenset({("GET", "/openapi.json"), ("POST", "/api/v1/login")})


def create(services: Services, rates: Rates | None = None) -> App:
    return Door(framework(services), services.authority, open_to_all=OPEN, rates=rates)


def framework(services: Services) -> FastAPI:
    app = FastAPI(
        title="reconciled",
        description="One queue for several Stripe accounts. Reading decides nothing; what changes something is a POST.",
        version=metadata.version("reconciled"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    for part in (cases, approvals, installation):
        app.include_router(part.routes)
    refusals.install(app)
    describe(app, OPEN)
    return app
