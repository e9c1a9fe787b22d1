"""Settings in an address."""

from __future__ import annotations

import pytest

from mobilesamv2.web.values import ValueKind, read_query

SETTINGS = (
    ValueKind("sampler", choices=("object-aware", "grid")),
    ValueKind("prompts", low=16, high=1024, is_whole=True),
    ValueKind("opacity", low=0, high=1),
    ValueKind("apart"),
    ValueKind("several", choices=("object-aware", "grid"), is_list=True),
)


def test_an_address_without_settings_changes_nothing() -> None:
    assert read_query({}, SETTINGS) == ({}, None)
    assert read_query({"__theme": "dark", "utm": "x"}, SETTINGS) == ({}, None)


def test_settings_are_read_in_their_types() -> None:
    query = {
        "sampler": "grid",
        "prompts": "256",
        "opacity": "0.25",
        "apart": "true",
        "several": "grid,object-aware",
    }
    assert read_query(query, SETTINGS) == (
        {
            "sampler": "grid",
            "prompts": 256,
            "opacity": 0.25,
            "apart": True,
            "several": ["grid", "object-aware"],
        },
        None,
    )


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            {"sampler": "magic"},
            'sampler in the address must be one of object-aware, grid; "magic" is left out.',
        ),
        ({"several": "grid,magic"}, 'must be one of object-aware, grid; "grid,magic" is left out.'),
        ({"prompts": "many"}, 'a whole number from 16 to 1024; "many" is left out.'),
        ({"prompts": "17.5"}, '"17.5" is left out'),
        ({"prompts": "100000"}, '"100000" is left out'),
        ({"prompts": "nan"}, '"nan" is left out'),
        ({"prompts": "inf"}, '"inf" is left out'),
        ({"opacity": "-0.1"}, "a number from 0 to 1"),
        ({"apart": "perhaps"}, "true or false"),
        ({"apart": ""}, "true or false"),
        ({"sampler": "x" * 500}, "…"),
    ],
)
def test_what_makes_no_sense_is_left_out_and_told(query: dict[str, str], said: str) -> None:
    values, wrong = read_query(query | {"opacity": "0.5"} if "opacity" not in query else query, SETTINGS)
    assert values == ({} if "opacity" in query else {"opacity": 0.5})
    assert wrong is not None
    assert said in wrong
    assert len(wrong) < 200


def test_many_wrong_values_are_told_briefly() -> None:
    settings = [ValueKind(f"s{index}", low=0, high=1) for index in range(9)]
    _, wrong = read_query({f"s{index}": "x" for index in range(9)}, settings)
    assert wrong is not None
    assert "6 further values are left out too." in wrong
