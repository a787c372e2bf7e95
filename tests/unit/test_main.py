import subprocess
import sys


def test_a_command_whose_library_is_not_installed_says_so_in_one_line():
    """An image holds what its service needs: `ratchet doctor` in a container looks for supervisor, say."""
    script = (
        "import sys; sys.modules['supervisor'] = None; from ratchet.__main__ import main; sys.exit(main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert (
        done.stderr
        == "ratchet: this needs supervisor, which is not installed here: a container has what its own service needs\n"
    )
