"""The API as OpenAPI describes it."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import sigseek
from sigseek.web.app import make_app
from sigseek.web.openapi import describe, written
from sigseek.web.settings import Settings
from tests.conftest import ROOT
from tests.served import CHANGE

COMMITTED = ROOT / "docs" / "openapi.json"
_DOES_NOT_END = ("/api/v1/events",)
"""What answers for as long as it is listened to."""


@pytest.fixture(scope="module")
def description() -> dict[str, object]:
    with sigseek.open("no library") as library:
        return describe(make_app(library, Settings()))


def test_the_committed_description_is_that_of_the_app(description: dict[str, object]) -> None:
    """Write it again with `make openapi`."""
    assert COMMITTED.read_text(encoding="utf-8") == written(description)


def test_every_field_and_every_parameter_is_described(description: dict[str, object]) -> None:
    undescribed = []
    schemas = description["components"]["schemas"]  # type: ignore[index]
    for name, schema in schemas.items():
        for field, told in schema.get("properties", {}).items():
            if not told.get("description") and name in _WRITTEN_BY_HAND:
                undescribed.append(f"{name}.{field}")
    for path, operations in description["paths"].items():  # type: ignore[attr-defined]
        for method, operation in operations.items():
            undescribed += [
                f"{method} {path}: {parameter['name']}"
                for parameter in operation.get("parameters", [])
                if not parameter.get("description")
            ]
            assert operation["summary"]
            assert operation["description"]
    assert undescribed == []


_WRITTEN_BY_HAND = (
    "Problem", "Remedy", "Step", "Note", "Groups", "Ready", "Photos", "Tagging", "Folders",
    "Directory", "Directories", "AddedFolder", "RunState", "Uploaded", "Score", "Scored",
    "Classified", "Unusable", "Embeddings",
)  # fmt: skip


def test_every_answer_in_json_has_a_model(description: dict[str, object]) -> None:
    without = []
    for path, operations in description["paths"].items():  # type: ignore[attr-defined]
        for method, operation in operations.items():
            for status, answer in operation["responses"].items():
                told = answer.get("content", {}).get("application/json")
                if told is not None and "$ref" not in told.get("schema", {}):
                    without.append(f"{method} {path}: {status}")
    assert without == []


def test_a_client_that_is_made_of_the_description_knows_what_to_send(
    description: dict[str, Any],
) -> None:
    schemes = description["components"]["securitySchemes"]
    assert schemes["token"]["scheme"] == "bearer"
    assert schemes["cookie"]["in"] == "cookie"
    assert description["security"] == [{}, {"token": []}, {"cookie": []}]
    needing = {
        f"{method} {path.removeprefix('/api/v1/')}"
        for path, operations in description["paths"].items()
        for method, operation in operations.items()
        if any(one["name"] == "X-Sigseek" for one in operation.get("parameters", []))
    }
    changes = {
        f"{method} {path.removeprefix('/api/v1/')}"
        for path, operations in description["paths"].items()
        for method in operations
        if method != "get"
    }
    assert changes - needing == {"post login"}
    assert needing <= changes


def test_limits_are_described_as_they_are(description: dict[str, Any]) -> None:
    thumbnail = description["paths"]["/api/v1/photos/{photo_id}/thumbnail"]["get"]
    id_, size = thumbnail["parameters"][:2]
    assert id_["schema"]["maximum"] == 9_223_372_036_854_775_807
    assert "e+18" not in COMMITTED.read_text(encoding="utf-8")
    name = size["schema"]["$ref"].rpartition("/")[2]
    assert description["components"]["schemas"][name]["enum"] == [320, 1280]
    for operations in description["paths"].values():
        for operation in operations.values():
            assert "405" in operation["responses"]


_LONGEST = 120
"""Seconds. A closer look at many photos takes more than the usual 10 where other tests run."""
_HOST = "127.0.0.1:7333"
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
"""Others expect that whatever has the right form is accepted, which queries are not."""


@pytest.fixture(scope="module")
def served_app(mini_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    copy = shutil.copytree(mini_library, tmp_path_factory.mktemp("openapi") / "library")
    with sigseek.open(copy, model="mini", precision="fp32", device="cpu") as library:
        yield make_app(library, Settings())


@pytest.mark.parametrize("examples", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_whatever_the_description_allows_is_answered_as_described(
    served_app: object, examples: int
) -> None:
    """No answer is a failure of the server, and each has a documented status, type and form."""
    schema = schemathesis.openapi.from_asgi(
        "/api/v1/openapi.json", served_app, headers={"Host": _HOST}
    )
    statuses = set()

    def ask(case: schemathesis.Case) -> None:
        response = case.call(headers=CHANGE | {"Host": _HOST}, timeout=_LONGEST)
        statuses.add(response.status_code)
        case.validate_response(response, checks=_CHECKS)

    bounded = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in _DOES_NOT_END:
            bounded(given(case=operation.as_strategy())(ask))()
    assert {200, 400, 404} <= statuses
