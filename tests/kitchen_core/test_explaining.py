"""What is wrong with a value, in the project's own words rather than pydantic's."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from kitchen_core.explaining import explain, given_and_expected


class Given(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=3)] = "a"
    folders: tuple[Path, ...] = ()
    names: list[str] = []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": ""}, "name: given '', expected text of 1 character or more"),
        ({"name": "long"}, "name: given 'long', expected text of 3 characters at most"),
        ({"folders": "here"}, "folders: given 'here', expected a list"),
        ({"folders": [1]}, "folders.0: given 1, expected a path"),
        ({"names": "a"}, "names: given 'a', expected a list"),
    ],
)
def test_what_was_given_stands_beside_what_was_expected(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Given.model_validate(values)
    assert explain(refused.value) == told
    assert told.endswith(f": {given_and_expected(refused.value)}")
