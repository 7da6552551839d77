"""Events of the last thirty days, in both forms, as soon as they can be seen."""

from datetime import UTC, datetime, timedelta

from accounts.sandbox import objects
from accounts.sandbox.shelf import Row
from accounts.sandbox.stripe.call import Answer, Call, reads
from accounts.sandbox.stripe.facets import Facet
from accounts.sandbox.stripe.lists import Cursors, Question, Wanted, Window, bounded, page_of, read_window
from accounts.sandbox.stripe.params import Params
from accounts.sandbox.stripe.refusals import invalid, missing, parameter_invalid
from accounts.sandbox.stripe.resources import BY_CLASS
from accounts.sandbox.world import Json

PERMISSIONS = BY_CLASS["event"].permissions
RETENTION_S = int(timedelta(days=30).total_seconds())
TYPES_MAX = 20
SNAPSHOT, THIN = "evt_", objects.thin_id("evt_")
LIMIT_DEFAULT = 20  # of the second version; the first has ten


def _list(call: Call) -> Answer:
    params, cursors = call.params, Cursors.read(call.params)
    facets: list[Facet] = []
    others: list[Wanted] = [_visible(call.now)]
    type_, types = params.text("type"), params.texts("types", most=TYPES_MAX)
    if type_ and types:
        raise invalid("You may only specify one of these parameters: type, types.")
    if type_ and "*" in type_:
        others.append(_matching(type_))
    elif type_:
        facets.append(("type", type_))
    elif types:
        others.append(_any_of(frozenset(types)))
    delivered = params.flag("delivery_success")
    if delivered is not None:
        facets.append(("delivery_success", delivered))
    created = _retained(read_window(params, "created"), call.now)
    params.finish()
    _check_cursors(call, cursors)
    question = Question(tuple(facets), created, tuple(others))
    return page_of(call.account.shelf("event"), "/v1/events", question, cursors)


def _visible(now: int) -> Wanted:
    def wanted(row: Row) -> bool:
        visible_at: int = row.value("visible_at")
        return visible_at <= now

    return wanted


def _matching(pattern: str) -> Wanted:
    prefix = pattern.partition("*")[0]
    return lambda row: str(row.value("type")).startswith(prefix)


def _any_of(types: frozenset[str]) -> Wanted:
    return lambda row: row.value("type") in types


def _retained(window: Window | None, now: int) -> Window:
    asked = window or Window()
    return Window(max(asked.first, now - RETENTION_S), asked.last)


def _check_cursors(call: Call, cursors: Cursors) -> None:
    """An event that is no longer kept cannot be a cursor either."""
    for param, id_ in (("starting_after", cursors.starting_after), ("ending_before", cursors.ending_before)):
        if id_ and _kept(call, id_) is None:
            raise missing("event", id_, param, 400)


def _kept(call: Call, id_: str) -> Json | None:
    event = call.account.get("event", id_)
    return event if event and event["created"] >= call.now - RETENTION_S else None


def _retrieve(call: Call) -> Answer:
    call.params.finish()
    event = _kept(call, call.id)
    if event is None:
        raise missing("event", call.id)
    return event


def _thin(event: Json) -> Json:
    thin = objects.thin_event(event)
    before = event["data"].get("previous_attributes")
    return thin | {"changes": None if before is None else {"before": before}}


def _list_thin(call: Call) -> Answer:
    params = call.params
    limit = params.integer("limit", least=1, most=100) or LIMIT_DEFAULT
    types, object_id = params.texts("types", most=TYPES_MAX), params.text("object_id")
    after = params.text("page")
    created = _retained(_instants(params), call.now)
    params.finish()
    others = [_visible(call.now)]
    if types:
        others.append(_any_of(frozenset(each.removeprefix("v1.") for each in types)))
    facets: tuple[Facet, ...] = (("related", object_id),) if object_id else ()
    question = Question(facets, created, tuple(others))
    found = page_of(call.account.shelf("event"), call.path, question, Cursors(limit, after, None))
    events = found.objects()
    query = "".join(f"&types[{at}]={each}" for at, each in enumerate(types))
    query += f"&object_id={object_id}" if object_id else ""
    more = f"{call.path}?page={events[-1]['id']}&limit={limit}{query}" if found.has_more else None
    return {"data": [_thin(each) for each in events], "next_page_url": more, "previous_page_url": None}


def _instants(params: Params) -> Window | None:
    given = params.inside("created")
    if given is None:
        return None
    window = bounded(*(_instant(given, bound) for bound in ("gt", "gte", "lt", "lte")))
    given.finish()
    return window


def _instant(given: Params, bound: str) -> int | None:
    text = given.text(bound)
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise parameter_invalid(given.name(bound), f"Invalid timestamp: {text}") from None
    return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp())


def _retrieve_thin(call: Call) -> Answer:
    call.params.finish()
    event = _kept(call, call.id.replace(THIN, SNAPSHOT, 1) if call.id.startswith(THIN) else "")
    if event is None:
        raise missing("v2.core.event", call.id)
    return _thin(event)


ENDPOINTS = (
    reads("/v1/events", "event", PERMISSIONS, _list, listing=True),
    reads("/v1/events/{id}", "event", PERMISSIONS, _retrieve),
    reads("/v2/core/events", "v2.core.event", PERMISSIONS, _list_thin),
    reads("/v2/core/events/{id}", "v2.core.event", PERMISSIONS, _retrieve_thin),
)
