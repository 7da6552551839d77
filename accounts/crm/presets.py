"""HubSpot and Salesforce as configuration of an http source: what the operator writes wins over it.

A preset knows paths, not addresses: `url` names the installation (HubSpot has one for everybody), and a `url`
with a query is taken whole. Custom properties are named as a customer would name them; `fields` corrects that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from accounts.sources.configuration import deep_merge


@dataclass(frozen=True, slots=True)
class Preset:
    """The parts of an http source that are the same for every customer of one CRM."""

    url: str | None  # the installation's address, where there is one for everybody
    list_path: str
    read: str
    update: str
    task: str
    source: Mapping[str, Any]  # everything that names no address
    oauth_path: str


PRESETS = {
    "hubspot": Preset(
        url="https://api.hubapi.com",
        list_path="/crm/v3/objects/companies?limit=100&archived=false&after={cursor}&properties={properties}",
        read="GET {base}/crm/v3/objects/companies/{{key}}?properties={{properties}}",
        update="PATCH {base}/crm/v3/objects/companies/{{key}}",
        task="POST {base}/crm/v3/objects/tasks",
        oauth_path="/oauth/v1/token",
        source={
            "items": "results",
            "next": "paging.next.after",
            "deleted": "archived",
            "fields": {
                "key": "id",
                "stripe_customer": "properties.stripe_customer_id",
                "stripe_account": "properties.stripe_account_id",
                "name": "properties.name",
                "owner": "properties.hubspot_owner_id",
                "segment": "properties.segment",
                "status": "properties.subscription_status",
                "plan": "properties.subscription_plan",
                "mrr": "properties.mrr",
                "currency": "properties.subscription_currency",
                "renewal": "properties.renewal_date",
                "updated": "updatedAt",
            },
            "write": {
                "task_body": {
                    "properties": {
                        "hs_task_subject": "{title}",
                        "hs_task_body": "{body}",
                        "hs_timestamp": "{due}",
                        "hs_task_status": "NOT_STARTED",
                    },
                    "associations": [
                        {
                            "to": {"id": "{key}"},
                            # 192 is HubSpot's own number for “task to company”.
                            "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 192}],
                        }
                    ],
                },
            },
        },
    ),
    "salesforce": Preset(
        url=None,
        list_path="/services/data/v62.0/query?q=SELECT+{fields}+FROM+Account+ORDER+BY+Id",
        read="GET {base}/services/data/v62.0/sobjects/Account/{{key}}?fields={{fields}}",
        update="PATCH {base}/services/data/v62.0/sobjects/Account/{{key}}",
        task="POST {base}/services/data/v62.0/sobjects/Task",
        oauth_path="/services/oauth2/token",
        source={
            "items": "records",
            "next": "nextRecordsUrl",
            "complete": "done",
            "fields": {
                "key": "Id",
                "stripe_customer": "Stripe_Customer_Id__c",
                "stripe_account": "Stripe_Account_Id__c",
                "name": "Name",
                "owner": "OwnerId",
                "segment": "Type",
                "status": "Subscription_Status__c",
                "plan": "Subscription_Plan__c",
                "mrr": "MRR__c",
                "currency": "Subscription_Currency__c",
                "renewal": "Renewal_Date__c",
                "updated": "LastModifiedDate",
            },
            "write": {
                "task_body": {
                    "WhatId": "{key}",
                    "Subject": "{title}",
                    "Description": "{body}",
                    "ActivityDate": "{due_date}",
                    "Status": "Not Started",
                },
            },
        },
    ),
}


def filled_in(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """An http source with its preset beneath; the source itself where it names none, or none that exists."""
    preset = PRESETS.get(source.get("preset", ""))
    if preset is None:
        return source
    url = source.get("url", preset.url)
    if not isinstance(url, str):
        return source  # the missing address is reported as such
    parts = urlsplit(url)
    installation = url.rstrip("/") if not parts.query else f"{parts.scheme}://{parts.netloc}"
    base = urlsplit(installation).path
    known = dict(
        deep_merge(
            preset.source,
            {
                "read": preset.read.format(base=base),
                "write": {"update": preset.update.format(base=base), "task": preset.task.format(base=base)},
            },
        )
    )
    auth = source.get("auth")
    if isinstance(auth, Mapping) and isinstance(auth.get("oauth2"), Mapping):
        known["auth"] = {"oauth2": {"token_url": installation + preset.oauth_path}}
    listed = url if parts.query else installation + preset.list_path
    return dict(deep_merge(known, {**source, "url": listed}))
