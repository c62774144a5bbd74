import pytest

from kitchen_core.home import Home
from kitchen_daemon.secrets import UnsafeSecrets, read_secrets


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
