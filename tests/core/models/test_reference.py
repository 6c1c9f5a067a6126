"""What a person types becomes a value that may go into URLs and file names, or a sentence that helps."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.core.models.reference import (
    HubReference,
    LocalReference,
    ModelReference,
    NamedReference,
    PypiReference,
    is_model_id,
    model_id_of,
    parse_reference,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("smollm2-135m-instruct", NamedReference(id="smollm2-135m-instruct")),
        (" qwen3-1.7b ", NamedReference(id="qwen3-1.7b")),
        ("/models/Some Model.gguf", LocalReference(path="/models/Some Model.gguf")),
        ("./my@home.gguf", LocalReference(path="./my@home.gguf")),
        ("hf:Qwen/Qwen3-4B-GGUF/Q.gguf", HubReference(owner="Qwen", repository="Qwen3-4B-GGUF", path="Q.gguf")),
        ("hf:Qwen/Qwen3-4B-GGUF:Q.gguf", HubReference(owner="Qwen", repository="Qwen3-4B-GGUF", path="Q.gguf")),
        ("hf:a/b/Q4/Q.gguf@v1", HubReference(owner="a", repository="b", path="Q4/Q.gguf", revision="v1")),
        ("hf:a/b/Q.gguf@refs/pr/3", HubReference(owner="a", repository="b", path="Q.gguf", revision="refs/pr/3")),
        ("pypi:llm-x==0.1/x/X.gguf", PypiReference(name="llm-x", version="0.1", path="x/X.gguf")),
    ],
)
def test_every_documented_form_is_understood(text: str, expected: ModelReference) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "names no model"),
        ("Qwen3 4B", "names no model"),
        ("../etc", "names no model"),
        ("a..b", "names no model"),
        ("hf:", "the owner ''"),
        ("hf:Qwen", "the repository ''"),
        ("hf:Qwen/repo", "'' is not the name of a .gguf file"),
        ("hf:Qwen/repo/model.bin", "'model.bin' is not the name of a .gguf file"),
        ("hf:Qwen/repo/../../x.gguf", "is not the name of a .gguf file"),
        ("hf:Qwen/repo/a//x.gguf", "is not the name of a .gguf file"),
        ("hf:Qwen/repo/x?y#.gguf", "is not the name of a .gguf file"),
        ("hf:../repo/x.gguf", "the owner '..'"),
        ("hf:Qwen/..:x.gguf", "the repository '..'"),
        ("hf:a/b/x.gguf@", "the revision ''"),
        ("hf:a/b/x.gguf@../main", "the revision '../main'"),
        ("hf:a/b/x-00001-of-00003.gguf", "split into several files"),
        ("pypi:llm-x/x.gguf", "the version is missing"),
        ("pypi:==1/x.gguf", "'' is not a project name"),
        ("pypi:x==/x.gguf", "'' is not a version"),
        ("pypi:x==1", "'' is not the name of a .gguf file"),
        ("pypi:x==1/../x.gguf", "is not the name of a .gguf file"),
        ("/models/\x1b[2J.gguf", "control characters"),
    ],
)
def test_a_wrong_reference_says_what_is_wrong_and_shows_a_right_one(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_reference(text)
    assert complaint in str(refused.value)
    assert ".gguf" in str(refused.value)


@given(st.text(alphabet=":/@=.-_ aZ0%\\\0\n", max_size=40))
def test_whatever_is_typed_no_part_of_it_climbs_out_of_a_directory(text: str) -> None:
    for form in (text, f"hf:{text}.gguf", f"pypi:{text}.gguf"):
        try:
            reference = parse_reference(form)
        except ValueError:
            continue
        if not isinstance(reference, LocalReference):
            spelled = str(reference).replace("==", "/").split("/")
            assert ".." not in spelled
            assert "\n" not in str(reference)
        if isinstance(reference, NamedReference):
            assert "/" not in reference.id


@pytest.mark.parametrize(
    "text", ["hf:Qwen/r/Q.gguf", "hf:Qwen/r/Q.gguf@v2", "pypi:x==1.0/x/X.gguf", "/m/x.gguf", "qwen3-4b"]
)
def test_a_reference_is_spelled_as_it_was_typed(text: str) -> None:
    assert str(parse_reference(text)) == text


def test_equally_named_files_of_different_sources_get_different_names() -> None:
    one = model_id_of(HubReference(owner="a", repository="r", path="Q4/Model-Q4_K_M.gguf"))
    other = model_id_of(HubReference(owner="b", repository="r", path="Q4/Model-Q4_K_M.gguf"))
    assert one.startswith("model-q4-k-m-")
    assert one != other


@given(st.text(min_size=1, max_size=200))
def test_any_local_path_gets_a_name_that_may_name_a_file(path: str) -> None:
    assert is_model_id(model_id_of(LocalReference(path=f"{path}.gguf")))
