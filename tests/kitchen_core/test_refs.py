import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitchen_core.refs import Ref, RefError, absolute, check_role, parse_ref

FORMS = {
    "builtin:tiny": Ref("builtin", "tiny"),
    "hf:org/name": Ref("hf", "org/name"),
    "hf:org/name@v1": Ref("hf", "org/name", "v1"),
    "org/name": Ref("hf", "org/name"),
    "org/name@main": Ref("hf", "org/name", "main"),
    "hf:org/name#sub.set": Ref("hf", "org/name", None, "sub.set"),
    "org/name@refs/convert/parquet#s": Ref("hf", "org/name", "refs/convert/parquet", "s"),
    "file:/a#b.jsonl": Ref("file", "/a#b.jsonl"),
    "file:/data/a b.jsonl": Ref("file", "/data/a b.jsonl"),
    "./a.jsonl": Ref("file", "./a.jsonl"),
    "../a.jsonl": Ref("file", "../a.jsonl"),
    "/a@b.jsonl": Ref("file", "/a@b.jsonl"),
    "~/model": Ref("file", "~/model"),
    "run:01abc": Ref("run", "01abc"),
    "run:sl_basic@latest": Ref("run", "sl_basic", "latest"),
    "model:mine@3": Ref("model", "mine", "3"),
    "artifact:ff00": Ref("artifact", "ff00"),
}


@pytest.mark.parametrize("text", FORMS)
def test_every_form_is_read(text):
    assert parse_ref(text) == FORMS[text]


@pytest.mark.parametrize("text", ["", "word", "run:", "s3:bucket", ":x", "http://x"])
def test_what_is_no_ref_is_refused_with_the_forms_there_are(text):
    with pytest.raises(RefError, match="hf:ORG/NAME"):
        parse_ref(text)


@given(st.sampled_from(sorted(FORMS)))
def test_a_ref_written_out_reads_back(text):
    ref = parse_ref(text)
    assert parse_ref(str(ref)) == ref


def test_a_local_path_is_made_absolute_where_it_was_typed(tmp_path):
    assert absolute("./a.jsonl", tmp_path) == f"file:{tmp_path}/a.jsonl"
    assert absolute("builtin:tiny", tmp_path) == "builtin:tiny"


def test_a_bare_file_name_is_the_file_that_lies_here(tmp_path):
    (tmp_path / "chat.jsonl").touch()
    assert absolute("chat.jsonl", tmp_path) == f"file:{tmp_path}/chat.jsonl"
    with pytest.raises(RefError, match="is not a ref"):
        absolute("other.jsonl", tmp_path)


def test_a_bare_name_that_exists_here_as_a_folder_is_not_guessed_at(tmp_path):
    (tmp_path / "org" / "name").mkdir(parents=True)
    with pytest.raises(RefError, match=r"write \./org/name or hf:org/name"):
        absolute("org/name", tmp_path)
    assert absolute("hf:org/name", tmp_path) == "hf:org/name"


@pytest.mark.parametrize("text", ["run:01abc", "run:sl_basic@latest", "model:m", "artifact:ff"])
def test_what_a_run_made_is_no_dataset_yet(text):
    with pytest.raises(RefError, match=f"'{text}': what a run makes is a model and no dataset"):
        check_role(parse_ref(text), "dataset")
    check_role(parse_ref(text), "model")


def test_a_model_has_no_subsets():
    with pytest.raises(RefError, match="'hf:org/name#s': a model has no subsets; leave out #s"):
        check_role(parse_ref("org/name#s"), "model")
    check_role(parse_ref("org/name#s"), "dataset")
