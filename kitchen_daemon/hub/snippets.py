"""How a model that went to the hub is loaded, as Python."""

from __future__ import annotations

_WHOLE = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{repo}")
model = AutoModelForCausalLM.from_pretrained("{repo}")"""

_ADAPTER = """\
{imports}from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{repo}")
base = AutoModelForCausalLM.from_pretrained({base})
model = PeftModel.from_pretrained(base, "{repo}")"""


def how_to_load(repo: str, base_kind: str, base: str, is_adapter: bool) -> str:
    """Lines that load the model of a repository. base_kind: hf, builtin or other."""
    if not is_adapter:
        return _WHOLE.format(repo=repo)
    imports = ""
    match base_kind:
        case "hf":
            loaded = f'"{base}"'
        case "builtin":
            imports = "from kitchen_core import builtin\n"
            loaded = f'builtin.model_folder("{base}")'
        case _:
            loaded = '"FOLDER_OF_THE_BASE_MODEL"'
    return _ADAPTER.format(repo=repo, base=loaded, imports=imports)
