import pytest

from kitchen_core.home import Home
from kitchen_daemon.secrets import UnreadableSecrets, UnsafeSecrets, read_secrets, redactor


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


def test_the_file_comes_before_the_environment(home, monkeypatch):
    monkeypatch.setenv("A_KEY", "from the environment")
    home.secrets.write_text('# mine\nexport A_KEY="from the file"\nB_KEY=b=c\n\n')
    home.secrets.chmod(0o600)
    found = read_secrets(home)
    assert (found["A_KEY"], found["B_KEY"]) == ("from the file", "b=c")


def test_a_file_that_others_can_read_is_refused_with_the_remedy(home):
    home.secrets.write_text("A_KEY=x\n")
    home.secrets.chmod(0o640)
    with pytest.raises(UnsafeSecrets, match="chmod 600"):
        read_secrets(home)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b=c", "b=c"),
        ('A="b c"  # mine', "b c"),
        ("A='b\"c'", 'b"c'),
        ("A=b # mine", "b"),
        ("A=b#c", "b#c"),
        ("A= # none yet", ""),
        ("export\tA = b \r", "b"),
        ("\ufeffA=b", "b"),
        ("A=it's", "it's"),
        ('A=""', ""),
    ],
)
def test_a_line_is_read_as_shells_and_dotenv_read_it(home, line, value):
    write(home, line)
    assert read_secrets(home)["A"] == value


@pytest.mark.parametrize("line", ['A="not-closed', "no-name-at-all", "=planted-value", "A='b' c"])
def test_a_line_that_says_nothing_is_named_and_never_shown(home, line):
    write(home, f"# first\n{line}\n")
    with pytest.raises(UnreadableSecrets) as refused:
        read_secrets(home)
    assert str(refused.value) == (
        f"{home.secrets}, line 2: expected NAME=value, with two quotes or none"
    )
    assert "not-closed" not in repr(refused.value)


def test_what_can_not_be_read_or_should_not_is_kept_secret_all_the_same(home, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "in-the-environment")
    monkeypatch.setenv("OTHER_API_KEY", "of-another-program")
    write(home, 'A_KEY="not-closed-at-all\nB_KEY=planted-value\n')
    home.secrets.chmod(0o644)
    told = redactor(home).text(
        "not-closed-at-all planted-value in-the-environment of-another-program"
    )
    assert told == "[secrets.env] [B_KEY] [HF_TOKEN] [OTHER_API_KEY]"


def test_a_key_that_was_added_is_known_at_once(home):
    write(home, "A_KEY=first-value\n")
    assert redactor(home).text("second-value") == "second-value"
    write(home, "A_KEY=first-value\nB_KEY=second-value\n")
    assert redactor(home).text("second-value") == "[B_KEY]"


def write(home, text):
    home.secrets.write_text(text, newline="")
    home.secrets.chmod(0o600)


def test_a_file_that_can_not_be_read_is_named_and_the_daemon_still_speaks(tmp_path, monkeypatch):
    home = Home(tmp_path)
    home.secrets.symlink_to("/proc/self/mem")  # there, the user's own, and an error to read
    monkeypatch.setenv("SOME_KEY", "sk-planted-0123456789")
    with pytest.raises(UnreadableSecrets, match=r"secrets\.env can't be read: Input/output error"):
        read_secrets(home)
    assert redactor(home).text("with sk-planted-0123456789") == "with [SOME_KEY]"
