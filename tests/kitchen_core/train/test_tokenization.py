import pytest

from kitchen_core.adapters.memory.tokenizer import ByteTokenizer
from kitchen_core.adapters.transformers_tokenizer import HuggingFaceTokenizer
from kitchen_core.builtin import model_folder
from kitchen_core.train.tokenization import TokenizationDiffers, check_tokenization
from tests.contracts.models import PLAIN_TEMPLATE, make_byte_tokenizer

TINY = HuggingFaceTokenizer(model_folder("tiny"))


class Unused:
    """Texts that nobody may look at."""

    def __iter__(self):
        raise AssertionError("looked at")


def saved(folder, template, *more_tokens):
    tokenizer = make_byte_tokenizer(template)
    tokenizer.add_special_tokens({"extra_special_tokens": list(more_tokens)})
    tokenizer.save_pretrained(folder)
    return HuggingFaceTokenizer(folder)


def test_equal_tokenizers_need_no_look():
    check_tokenization("t", HuggingFaceTokenizer(model_folder("tiny-sl")), TINY, Unused())


def test_another_chat_template_alone_is_no_other_tokenization(tmp_path):
    one, other = saved(tmp_path / "a", PLAIN_TEMPLATE), saved(tmp_path / "b", "{{ 1 }}")
    assert one.fingerprint != other.fingerprint
    check_tokenization("t", one, other, ["Hello", "<user>Hello<eos>"])


def test_the_first_text_that_differs_is_told_with_both_tokenizations():
    with pytest.raises(TokenizationDiffers) as refused:
        check_tokenization(
            "the teacher org/t", ByteTokenizer(), TINY, ["7", "What is 7?"], otherwise=", or rest"
        )
    told = str(refused.value)
    assert told.startswith("the teacher org/t does not tokenize as the model in training does")
    assert "reads '7' as ['7' 55], the model in training as [" in told
    assert told.endswith("take one with the same tokenizer, or rest")


def test_a_control_token_that_only_one_knows_is_found_without_data(tmp_path):
    plain, more = (
        saved(tmp_path / "a", PLAIN_TEMPLATE),
        saved(tmp_path / "b", PLAIN_TEMPLATE, "<think>"),
    )
    with pytest.raises(TokenizationDiffers, match="<think>"):
        check_tokenization("t", more, plain, ["ordinary words"])
