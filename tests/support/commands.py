"""Other programs, run to their end."""

import subprocess


def called(*command: str) -> str:
    """Run a program, which must end well, and return all that it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
