"""The tables [crm.*]: one model per type, `CrmSource` for any of them."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from accounts.configuration import Section
from accounts.crm.presets import filled_in
from accounts.crm.shape import FIELDS
from accounts.sources.configuration import Csv, Endpoint, FieldNames, Http, Sql, Statement, only_bound

TASK_PLACES = ("key", "title", "body", "due", "due_date")
TASK_BODY = {"key": "{key}", "title": "{title}", "body": "{body}", "due": "{due}"}


class CrmFields(FieldNames):
    """Our name of a field = the CRM's."""

    key: str
    stripe_customer: str
    stripe_account: str | None = None
    name: str | None = None
    owner: str | None = None
    segment: str | None = None
    status: str | None = None
    plan: str | None = None
    mrr: str | None = None
    currency: str | None = None
    renewal: str | None = None
    updated: str | None = None


class Vocabulary(Section):
    """What a CRM's words and numbers mean."""

    amounts: Literal["major", "minor"] = "major"
    churned_states: tuple[str, ...] = ()
    active_states: tuple[str, ...] = ()


class CrmHttpWrite(Section):
    """The endpoints that change a record and add a task. An update names the changed fields as `fields` does."""

    update: Endpoint | None = None
    task: Endpoint | None = None
    task_body: dict[str, Any] = TASK_BODY  # with {key}, {title}, {body}, {due} and {due_date}


class CrmSqlWrite(Section):
    """Statements with bound parameters: our field names, and `…_before` for what stood there when it was decided."""

    update: Statement | None = None
    task: Statement | None = None

    @model_validator(mode="after")
    def _known_parameters(self) -> Self:
        if self.update is not None:
            only_bound(self.update, (*FIELDS, *(f"{name}_before" for name in FIELDS)), "update")
        if self.task is not None:
            only_bound(self.task, TASK_PLACES, "task")
        return self


class CrmHttp(Http, Vocabulary):
    """[crm.*] with type = "http"."""

    preset: Literal["hubspot", "salesforce"] | None = None
    fields: CrmFields
    write: CrmHttpWrite = CrmHttpWrite()

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, value: Any) -> Any:
        return filled_in(value) if isinstance(value, dict) else value


class CrmSql(Sql, Vocabulary):
    """[crm.*] with type = "sql"."""

    write: CrmSqlWrite = CrmSqlWrite()


class CrmCsv(Csv, Vocabulary):
    """[crm.*] with type = "csv"."""

    fields: CrmFields | None = None


CrmSource = Annotated[CrmHttp | CrmSql | CrmCsv, Field(discriminator="type")]
