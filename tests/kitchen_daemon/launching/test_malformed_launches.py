"""What only the daemon can know about a launch is refused in one line too."""

import shutil

import pytest

from kitchen_core import builtin
from kitchen_core.adapters.choices import ManifestError
from kitchen_core.config import ConfigError
from kitchen_core.home import Home
from kitchen_core.recipe import RecipeError
from kitchen_core.refs import RefError
from kitchen_core.store import Store
from kitchen_core.store.errors import NotFound
from kitchen_core.train.ports.errors import PortError
from kitchen_daemon.launching.shelf import Shelf
from kitchen_daemon.launching.submission import Submissions
from kitchen_daemon.machine.driver import has_gpu
from kitchen_daemon.models import Launch

FORMS = (
    "write builtin:NAME, hf:ORG/NAME[@REVISION] or ORG/NAME (of data also #SUBSET), file:PATH or ./PATH, run:ID or "
    "run:RECIPE@latest, model:NAME@VERSION, artifact:SHA256"
)


@pytest.fixture(scope="module")
def kitchen(tmp_path_factory):
    """A home's submissions, and a folder with a half model in it."""
    home = Home(tmp_path_factory.mktemp("kitchen"))
    home.make()
    half = shutil.copytree(builtin.model_folder("tiny"), home.root / "half")
    (half / "model.safetensors").unlink()
    with Store.open(home.root) as store:
        yield Submissions(home, store, Shelf(home)), home.root


REFUSED = {
    "no such recipe": (
        {"recipe": "sl_basik"},
        RecipeError,
        "unknown recipe 'sl_basik'; did you mean 'sl_basic'?",
    ),
    "no such preset": (
        {"preset": "gpuu"},
        ConfigError,
        "recipe sl_basic: unknown preset 'gpuu'; did you mean 'gpu'?",
    ),
    "a wrong value in a preset's run": (
        {"preset": "gpu", "overrides": {"batch_size": "0"}},
        ConfigError,
        "recipe sl_basic: batch_size: given '0', expected 1 or more [examples]",
    ),
    "not a ref": ({"overrides": {"model": "tiny"}}, RefError, f"'tiny' is not a ref; {FORMS}"),
    "an empty ref": ({"overrides": {"dataset": ""}}, RefError, f"'' is not a ref; {FORMS}"),
    "an unknown kind of ref": (
        {"overrides": {"model": "s3:bucket/model"}},
        RefError,
        f"'s3:bucket/model': unknown kind of ref 's3'; {FORMS}",
    ),
    "no such file": (
        {"overrides": {"dataset": "/no/data.jsonl"}},
        RefError,
        "there is no file /no/data.jsonl",
    ),
    "a folder as data": (
        {"overrides": {"dataset": "/"}},
        RefError,
        "/ is a folder; give a dataset file (jsonl, json, parquet, csv, arrow)",
    ),
    "no such model folder": (
        {"overrides": {"model": "/no/model"}},
        PortError,
        "there is no folder /no/model",
    ),
    "half a model": (
        {"overrides": {"model": "HOME/half"}},
        PortError,
        "HOME/half has no weights (model.safetensors)",
    ),
    "no such run": (
        {"overrides": {"model": "run:nobody"}},
        NotFound,
        "there is no run 'nobody'",
    ),
    "no run of the recipe": (
        {"overrides": {"model": "run:sl_basic@latest"}},
        RefError,
        "'run:sl_basic@latest': recipe sl_basic has no run yet; run it first",
    ),
    "an unknown selector": (
        {"overrides": {"model": "run:sl_basic@newest"}},
        RefError,
        "'run:sl_basic@newest': write run:ID or run:RECIPE@latest",
    ),
    "no such artifact": (
        {"overrides": {"model": "artifact:abc123"}},
        NotFound,
        "there is no artifact 'abc123'",
    ),
    "no such manifest": (
        {"manifest": "deev"},
        ManifestError,
        "there is no manifest 'deev'; did you mean 'dev'?",
    ),
    "no such port": (
        {"adapters": {"model_hubb": "memory"}},
        ManifestError,
        "there is no port 'model_hubb'; did you mean 'model_hub'?",
    ),
    "no such adapter": (
        {"adapters": {"training_client": "torch"}},
        ManifestError,
        "there is no adapter 'torch' for training_client; did you mean 'torch_local'?",
    ),
    "an adapter of another port": (
        {"adapters": {"training_client": "hugging_face"}},
        ManifestError,
        "the adapter hugging_face does not serve training_client; memory, tinker, torch_local can",
    ),
    "an option that the adapter has not": (
        {"adapters": {"llm.timeout": "5"}},
        ManifestError,
        "the adapter openai has no option 'timeout' for llm; did you mean 'timeout_s'?",
    ),
    "an option of another type": (
        {"adapters": {"llm.timeout_s": "soon"}},
        ManifestError,
        "llm.timeout_s: given 'soon', expected a number",
    ),
    "after nobody": ({"after": ["nobody"]}, NotFound, "there is no run 'nobody'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_launch_that_cant_work_is_refused_in_one_line(kitchen, case):
    submissions, home = kitchen
    launch, kind, message = REFUSED[case]
    overrides = {
        key: value.replace("HOME", str(home)) for key, value in launch.get("overrides", {}).items()
    }
    with pytest.raises(kind) as refused:
        submissions.plan(Launch(**{"recipe": "sl_basic", **launch, "overrides": overrides}))
    assert str(refused.value) == message.replace("HOME", str(home))


@pytest.mark.skipif(has_gpu(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused(kitchen):
    with pytest.raises(ConfigError) as refused:
        kitchen[0].plan(Launch(recipe="sl_basic", overrides={"device": "cuda"}))
    assert str(refused.value) == (
        "device: given 'cuda', but no NVIDIA GPU was found here; use device=cpu"
    )
