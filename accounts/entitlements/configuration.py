"""The tables [entitlements.*]: one model per type, `EntitlementSource` for any of them."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from accounts.configuration import Section
from accounts.entitlements.shape import FIELDS
from accounts.sources.configuration import Csv, Endpoint, FieldNames, Http, Sql, Statement, only_bound


class EntitlementFields(FieldNames):
    """Our name of a field = the product's. Without a key, account, customer and feature make one."""

    key: str | None = None
    stripe_customer: str
    stripe_account: str | None = None
    feature: str | None = None
    plan: str | None = None
    status: str
    quantity: str | None = None
    expires_at: str | None = None
    updated: str | None = None


class Access(Section):
    """Which states of an entitlement let a customer in."""

    access_states: tuple[str, ...] = Field(min_length=1)


class EntitlementHttpWrite(Section):
    """The endpoints that change an entitlement and give a new one."""

    update: Endpoint | None = None
    insert: Endpoint | None = None


class EntitlementSqlWrite(Section):
    """Statements with bound parameters: our field names, and `…_before` for what stood there when it was decided."""

    update: Statement | None = None
    insert: Statement | None = None

    @model_validator(mode="after")
    def _known_parameters(self) -> Self:
        if self.update is not None:
            only_bound(self.update, (*FIELDS, *(f"{name}_before" for name in FIELDS)), "update")
        if self.insert is not None:
            only_bound(self.insert, FIELDS, "insert")
        return self


class EntitlementHttp(Http, Access):
    """[entitlements.*] with type = "http"."""

    fields: EntitlementFields
    write: EntitlementHttpWrite = EntitlementHttpWrite()


class EntitlementSql(Sql, Access):
    """[entitlements.*] with type = "sql"."""

    write: EntitlementSqlWrite = EntitlementSqlWrite()


class EntitlementCsv(Csv, Access):
    """[entitlements.*] with type = "csv"."""

    fields: EntitlementFields | None = None


EntitlementSource = Annotated[EntitlementHttp | EntitlementSql | EntitlementCsv, Field(discriminator="type")]
